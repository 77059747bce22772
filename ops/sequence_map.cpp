// SequenceMap: its body for each element of a sequence; other sequences go along with it, tensors are the same for all.
// What the body gives becomes sequences. The contract and its control kernel: no data is touched here.
#include "carried.hpp"

namespace heed::ops {
namespace {

// What the body is given of an input: a sequence's sizes may be others for each element.
TypeView element_of(Inference& node, TypeView type, Dims& dims) {
  if (type.c.kind != HEED_SEQUENCE) return type;
  dims.assign(type.dims().begin(), type.dims().end());
  for (Dim& dim : dims)
    if (!dim.is_number()) dim = node.fresh_symbol("element");
  type.c.kind = HEED_TENSOR;
  type.c.dims = reinterpret_cast<const heed_dim*>(dims.data());
  return type;
}

Result<void> infer(Inference& node) {
  const int32_t body = node.subgraph("body");
  std::deque<Dims> dims;
  std::vector<TypeView> types;
  for (int32_t i = 0; i < node.input_count(); ++i) {
    if (!node.has_input(i)) return Error{Code::invalid_model, "input " + std::to_string(i) + " is missing"};
    types.push_back(element_of(node, node.input(i), dims.emplace_back()));
  }
  HEED_TRY(node.infer_subgraph(body, types));
  if (node.subgraph_output_count(body) < node.output_count())
    return Error{Code::invalid_model, "the body gives " + std::to_string(node.subgraph_output_count(body)) +
                                          " values for " + std::to_string(node.output_count()) + " outputs"};
  for (int32_t i = 0; i < node.output_count(); ++i) {
    auto type = node.subgraph_output(body, i);
    const auto sizes = type.dims();
    const bool is_fixed = std::all_of(sizes.begin(), sizes.end(), [](Dim dim) { return dim.is_number(); });
    type.c.kind = HEED_SEQUENCE;
    if (!is_fixed) type.c.rank = -1;
    if (node.has_output(i)) HEED_TRY(node.set_output(i, type));
  }
  return {};
}

Result<void> run(Controlling& node) {
  const int32_t body = node.subgraph("body"), output_count = node.output_count();
  std::vector<ValueRef> outputs;
  for (int32_t i = 0; i < output_count; ++i) outputs.push_back(node.new_sequence(node.NodeView::output(i).element()));
  const int64_t count = node.input(0).size();
  for (int64_t at = 0; at < count; ++at) {
    std::vector<ValueRef> arguments;
    for (int32_t i = 0; i < node.input_count(); ++i) {
      const auto input = node.input(i);
      if (input.kind() == HEED_SEQUENCE && input.size() != count)
        return Error{Code::invalid_argument, "input " + std::to_string(i) + " has " + std::to_string(input.size()) +
                                                 " elements; expected the " + std::to_string(count) + " of input 0"};
      arguments.push_back(input.kind() == HEED_SEQUENCE ? input.at(at) : input);
    }
    HEED_ASSIGN(auto results, node.call(body, arguments, output_count));
    for (int32_t i = 0; i < output_count; ++i)
      HEED_TRY(outputs[static_cast<size_t>(i)].insert(at, results[static_cast<size_t>(i)]));
  }
  for (int32_t i = 0; i < output_count; ++i)
    if (node.has_output(i)) HEED_TRY(node.set_output(i, std::move(outputs[static_cast<size_t>(i)])));
  return {};
}

constexpr uint32_t sequence = 1u << HEED_SEQUENCE;

}  // namespace

extern const Operator sequence_map{
    .op_type = "SequenceMap",
    .versions = {17},
    .flags = HEED_CONTROL,
    .inputs = {{"input_sequence", "S"},
               {"additional_inputs", "V", HEED_VARIADIC | HEED_HETEROGENEOUS | HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"out_sequence", "S2", HEED_VARIADIC | HEED_HETEROGENEOUS}},
    .types = {{"S", any_type, sequence}, {"S2", any_type, sequence}, {"V", any_type, 1u << HEED_TENSOR | sequence}},
    .attributes = {required("body", HEED_ATTRIBUTE_GRAPH)},
    .infer = infer};

extern const ControlKernel sequence_map_control{.op_type = "SequenceMap", .run = run};

}  // namespace heed::ops
