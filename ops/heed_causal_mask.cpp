// heed.CausalMask: y [query, key] of booleans, true where query i may attend to key j: j <= i + (key - query), so that the
// last query sees every key.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  Dims dims;
  for (int32_t input = 0; input < 2; ++input) {
    const auto type = node.input(input);
    if (type.has_rank() && type.rank() > 1)
      return Error{Code::shape_mismatch, "input " + std::to_string(input) + " has rank " + std::to_string(type.rank()) + "; expected one number"};
    const auto elements = node.elements(input);
    if (elements && elements->size() != 1)
      return Error{Code::shape_mismatch, "input " + std::to_string(input) + " has " + std::to_string(elements->size()) + " elements; expected one"};
    if (elements && (*elements)[0].is_number() && (*elements)[0].number() < 0)
      return Error{Code::invalid_argument, "input " + std::to_string(input) + " is " + to_string((*elements)[0]) + "; expected a length"};
    dims.push_back(elements ? (*elements)[0] : node.fresh_symbol(input == 0 ? "query" : "key"));
  }
  return node.set_output(0, DataType::boolean, dims);
}

}  // namespace

extern const Operator heed_causal_mask{
    .domain = "heed", .op_type = "CausalMask",
    .inputs = {{"query_length", "I", HEED_SHAPE_DATA}, {"key_length", "I", HEED_SHAPE_DATA}}, .outputs = {{"y", "bool"}},
    .types = {{"I", {DataType::i64}}},
    .infer = infer};

}  // namespace heed::ops
