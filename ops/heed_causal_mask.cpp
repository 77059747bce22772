// heed.CausalMask: y [query, key] of booleans, true where query i may attend to key j. Its own place among the keys is
// p = i + (key - query), so that the last query is at the last key: j <= p + right_window, which is 0, and, where
// window >= 0, j >= p - window. A right_window of -1 shows all that follows.
#include "launch.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  Dims dims;
  for (int32_t input = 0; input < 2; ++input) {
    const auto type = node.input(input);
    if (type.has_rank() && type.rank() > 1)
      return Error{Code::shape_mismatch, "input " + std::to_string(input) + " has rank " + std::to_string(type.rank()) +
                                             "; expected one number"};
    const auto elements = node.elements(input);
    if (elements && elements->size() != 1)
      return Error{Code::shape_mismatch, "input " + std::to_string(input) + " has " + std::to_string(elements->size()) +
                                             " elements; expected one"};
    if (elements && (*elements)[0].is_number() && (*elements)[0].number() < 0)
      return Error{Code::invalid_argument,
                   "input " + std::to_string(input) + " is " + to_string((*elements)[0]) + "; expected a length"};
    dims.push_back(elements ? (*elements)[0] : node.fresh_symbol(input == 0 ? "query" : "key"));
  }
  for (const auto& [name, otherwise] : {std::pair("window", -1), std::pair("right_window", 0)})
    if (const int64_t keys = node.integer(name, otherwise); keys < -1 || keys > std::numeric_limits<int32_t>::max())
      return Error{Code::invalid_model,
                   std::string(name) + " is " + std::to_string(keys) + "; expected -1 or a number of keys"};
  return node.set_output(0, DataType::boolean, dims);
}

// Mirrors shaders/heed_causal_mask.comp.
struct Parameters {
  uint32_t query_count, key_count, keys_to_the_left, keys_to_the_right, word_offset;
};

Result<GpuPlan> plan(Planning& node) {
  if (!node.elements(0) || !node.elements(1)) return decline("the lengths are known to the run alone");
  return GpuPlan{.variants = {{.name = "4 booleans a thread", .shader = shaders::heed_causal_mask}},
                 .bindings = {write(0)}};
}

Result<Launch> bind(const Binding& node) {
  const auto y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(y, "the output"));
  HEED_ASSIGN(const uint32_t word_offset, word_offset_of(y));
  const auto keys = [&](const char* name, int64_t otherwise) {
    return static_cast<uint32_t>(node.integer(name, otherwise) < 0 ? std::numeric_limits<int32_t>::max()
                                                                   : node.integer(name, otherwise));
  };
  const Parameters p{static_cast<uint32_t>(y.dim(0)), static_cast<uint32_t>(y.dim(1)), keys("window", -1),
                     keys("right_window", 0), word_offset};
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(y.count(), 4 * 64), 1, 1}}}};
}

}  // namespace

extern const Operator heed_causal_mask{
    .domain = "heed",
    .op_type = "CausalMask",
    .inputs = {{"query_length", "I", HEED_SHAPE_DATA}, {"key_length", "I", HEED_SHAPE_DATA}},
    .outputs = {{"y", "bool"}},
    .types = {{"I", {DataType::i64}}},
    .attributes = {attribute("window", -1), attribute("right_window", 0)},
    .infer = infer,
    .plan = plan,
    .bind = bind};

}  // namespace heed::ops
