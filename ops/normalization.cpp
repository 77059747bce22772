// The GPU half that LayerNormalization and RMSNormalization share: rows of the axes from `axis` on.
#include "normalization.hpp"

#include "rows.hpp"
#include "shaders.hpp"

namespace heed::ops {
namespace {

enum { x_input, scale_input, bias_input };
enum { y_output, mean_output, inverse_output };

// Mirrors shaders/normalization.comp.
struct Parameters {
  Rows rows;  // x, scale, bias, y
  float epsilon;
  uint32_t has_bias = 0, has_mean = 0, has_inverse = 0;
  int32_t mean_offset = 0, inverse_offset = 0;
};

}  // namespace

Result<GpuPlan> plan_normalization(Planning& node, Normalization kind) {
  const auto x = node.input(x_input);
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::normalization));
  const auto check = [&](TypeView other) -> Result<void> {
    if (other.element() == x.element()) return {};
    return decline("the GPU kernel takes all in the type of x, not " + name_in_reason(x) + " and " +
                   name_in_reason(other));
  };
  HEED_TRY(check(node.output(y_output)));
  for (int32_t input = 0; input < node.input_count(); ++input) {
    if (!node.has_input(input)) continue;
    HEED_TRY(check(node.input(input)));
    node.take_strided(input);
  }
  for (int32_t output = mean_output; output < node.output_count(); ++output)
    if (node.has_output(output) && node.output(output).element() != DataType::f32)
      return decline("the GPU kernel gives means and deviations in f32, not " + name_in_reason(node.output(output)));
  node.in_place(x_input, y_output);
  // What is absent is bound to something that is there, and never touched.
  const auto optional_output = [&](int32_t output) { return node.has_output(output) ? write(output) : read(x_input); };
  return GpuPlan{.variants = row_variants(node, shader, {{2, kind == Normalization::layer}}),
                 .bindings = {read(x_input), read(scale_input), read(node.has_input(bias_input) ? bias_input : x_input),
                              write(y_output), optional_output(mean_output), optional_output(inverse_output)}};
}

Result<Launch> bind_normalization(const Binding& node) {
  const auto x = node.input(x_input), y = node.output(y_output);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(y, "the output"));
  for (int32_t input = 0; input < node.input_count(); ++input)
    if (node.has_input(input)) HEED_TRY(check_addressable(node.input(input), "input " + std::to_string(input)));
  HEED_ASSIGN(const int32_t axis, node.axis("axis", x.rank(), -1));
  const TensorView bias = node.has_input(bias_input) ? node.input(bias_input) : TensorView{};
  Parameters p{
      .rows = rows_of(x.dims(), last_axes(x.rank(), x.rank() - axis), std::array{x, node.input(scale_input), bias, y}),
      .epsilon = node.number("epsilon", 1e-5f),
      .has_bias = node.has_input(bias_input)};
  if (node.has_output(mean_output)) {
    p.has_mean = 1;
    p.mean_offset = offset_of(node.output(mean_output));
  }
  if (node.has_output(inverse_output)) {
    p.has_inverse = 1;
    p.inverse_offset = offset_of(node.output(inverse_output));
  }
  return Launch{.dispatches = {row_dispatch(p.rows, bytes_of(p))}};
}

}  // namespace heed::ops
