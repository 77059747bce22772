// LRN: y = x / (bias + alpha / size * sum of x^2 over the `size` channels around)^beta.
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  if (node.integer("size") < 1)
    return Error{Code::invalid_model,
                 "attribute 'size' is " + std::to_string(node.integer("size")) + "; expected 1 or more"};
  if (node.input(0).has_rank() && node.input(0).rank() < 2)
    return Error{Code::shape_mismatch, "the input " + text_of(node.input(0).dims()) + " has no channels, axis 1"};
  return like_input(node);
}

// Mirrors shaders/lrn.comp.
struct Parameters {
  uint32_t count, channel_count, inner_count;
  int32_t channels_before, channels_behind;
  float alpha, beta, bias;  // alpha by the size
  int32_t x_offset, y_offset;
};

constexpr int64_t threads = 128;

Result<GpuPlan> plan(Planning& node) {
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::lrn));
  return GpuPlan{.variants = {{"an element a thread", shader}}, .bindings = {read(0), write(0)}};
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(0), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the input"));
  const int64_t size = std::min<int64_t>(node.integer("size"), most_addressed);
  const auto before = static_cast<int32_t>((size - 1) / 2);
  const Parameters p{.count = static_cast<uint32_t>(y.count()),
                     .channel_count = static_cast<uint32_t>(x.dim(1)),
                     .inner_count = static_cast<uint32_t>(x.count(2, x.rank())),
                     .channels_before = before,
                     .channels_behind = static_cast<int32_t>(size - 1) - before,
                     .alpha = node.number("alpha") / static_cast<float>(size),
                     .beta = node.number("beta"),
                     .bias = node.number("bias"),
                     .x_offset = offset_of(x),
                     .y_offset = offset_of(y)};
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(y.count(), threads), 1, 1}}}};
}

}  // namespace

extern const Operator lrn{.op_type = "LRN",
                          .versions = {13, 1},
                          .inputs = {{"X", "T"}},
                          .outputs = {{"Y", "T"}},
                          .types = {{"T", any_float}},
                          .attributes = {attribute("alpha", 0.0001f), attribute("beta", 0.75f), attribute("bias", 1.0f),
                                         required("size", HEED_ATTRIBUTE_INT)},
                          .infer = infer,
                          .plan = plan,
                          .bind = bind};

}  // namespace heed::ops
