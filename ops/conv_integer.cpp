// Convolutions of bytes: sums of (x - x_zero_point)(w - w_zero_point) over the windows that Conv has, as i32, which wraps.
//   ConvInteger   the sums
//   QLinearConv   saturate(round((sum + B) * (x_scale * w_scale / y_scale)) + y_zero_point)
// One zero point and scale for all of x and of y; those of w are one, or one an output channel.
#include "conv.hpp"
#include "launch.hpp"
#include "shaders.hpp"
#include "windows.hpp"

namespace heed::ops {
namespace {

constexpr Types bytes{DataType::i8, DataType::u8};

// Which inputs of an operator are what.
constexpr int32_t none = -1;
struct Roles {
  int32_t x, w, x_zero, w_zero;
  int32_t bias = none, x_scale = none, w_scale = none, y_scale = none, y_zero = none;
};
constexpr Roles integer_roles{.x = 0, .w = 1, .x_zero = 2, .w_zero = 3};
constexpr Roles qlinear_roles{
    .x = 0, .w = 3, .x_zero = 2, .w_zero = 5, .bias = 8, .x_scale = 1, .w_scale = 4, .y_scale = 6, .y_zero = 7};

bool has(const NodeView& node, int32_t input) { return input != none && node.has_input(input); }

template <const Roles& roles>
Result<void> infer(Inference& node) {
  for (const int32_t input : {roles.x_zero, roles.x_scale, roles.y_scale, roles.y_zero})
    if (has(node, input) && node.input(input).has_rank())
      HEED_TRY(node.require_equal(count_of(node.input(input).dims()), 1,
                                  "elements of input " + std::to_string(input) + " and 1"));
  const auto w = node.input(roles.w);
  for (const int32_t input : {roles.w_zero, roles.w_scale}) {
    if (!has(node, input) || !node.input(input).has_rank()) continue;
    const auto list = node.input(input);
    if (list.rank() == 0 || !w.has_rank() || w.rank() == 0) continue;
    HEED_TRY(node.require_rank(input, 1));
    HEED_TRY(node.require_equal(select(equal(list.dim(0), 1), w.dim(0), list.dim(0)), w.dim(0),
                                "input " + std::to_string(input) + " and output channels"));
  }
  HEED_TRY(infer_convolution(node, {roles.x, roles.w, roles.bias},
                             roles.y_zero == none ? DataType::i32 : node.input(roles.y_zero).element()));
  return {};
}

// Mirrors shaders/conv_integer.comp.
struct List {
  int32_t offset = 0;  // in elements
  uint32_t count = 0;  // 0: none
};
struct Parameters {
  Sliding windows;
  uint32_t count, group_count, channel_count, output_count;
  int32_t w_offset, y_word_offset;
  List x_zeros, w_zeros, biases, x_scales, w_scales, y_scales, y_zeros;
};

template <const Roles& roles>
Result<GpuPlan> plan(Planning& node) {
  const auto x = node.input(roles.x), w = node.input(roles.w);
  HEED_TRY(check_windows(x));
  for (int32_t input = 0; input < node.input_count(); ++input)
    if (node.has_input(input) && !node.input(input).has_rank())
      return decline("the rank of input " + std::to_string(input) + " is not known");
  node.take_strided(roles.x);
  node.work(2 * count_of(node.output(0).dims()) * count_of(w.dims().subspan(1)));
  const auto type = [](TypeView view) { return static_cast<uint32_t>(view.element()); };
  // What is absent is bound to something that is there, and never read.
  const auto optional_input = [&](int32_t input) { return read(has(node, input) ? input : roles.w); };
  return GpuPlan{.variants = {{.name = "a word of outputs a thread",
                               .shader = shaders::conv_integer,
                               .constants = {{0, type(x)}, {1, type(w)}, {2, type(node.output(0))}}}},
                 .bindings = {read(roles.x), read(roles.w), optional_input(roles.x_zero), optional_input(roles.w_zero),
                              optional_input(roles.bias), optional_input(roles.x_scale), optional_input(roles.w_scale),
                              optional_input(roles.y_scale), optional_input(roles.y_zero), write(0)}};
}

template <const Roles& roles>
Result<Launch> bind(const Binding& node) {
  const auto x = node.input(roles.x), w = node.input(roles.w), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the data"));
  HEED_TRY(check_addressable(w, "the weights"));
  HEED_TRY(check_addressable(y, "the output"));
  HEED_ASSIGN(const uint32_t y_word_offset, word_offset_of(y));
  const auto list = [&](int32_t input) {
    return has(node, input) ? List{offset_of(node.input(input)), static_cast<uint32_t>(node.input(input).count())} : List{};
  };
  const int64_t group_count = node.integer("group", 1);
  const Parameters p{.windows = sliding_of(node, x, y, w.dims().subspan(2)),
                     .count = static_cast<uint32_t>(y.count()),
                     .group_count = static_cast<uint32_t>(group_count),
                     .channel_count = static_cast<uint32_t>(w.dim(1)),
                     .output_count = static_cast<uint32_t>(w.dim(0) / group_count),
                     .w_offset = offset_of(w),
                     .y_word_offset = static_cast<int32_t>(y_word_offset),
                     .x_zeros = list(roles.x_zero),
                     .w_zeros = list(roles.w_zero),
                     .biases = list(roles.bias),
                     .x_scales = list(roles.x_scale),
                     .w_scales = list(roles.w_scale),
                     .y_scales = list(roles.y_scale),
                     .y_zeros = list(roles.y_zero)};
  const int64_t words = ceil_divide(y.count() * bits_of(y.element()), 32);
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(words, 64), 1, 1}}}};
}

std::vector<AttributeRule> window_attributes() {
  return {attribute("auto_pad", "NOTSET"), optional("dilations", HEED_ATTRIBUTE_INTS), attribute("group", 1),
          optional("kernel_shape", HEED_ATTRIBUTE_INTS), optional("pads", HEED_ATTRIBUTE_INTS),
          optional("strides", HEED_ATTRIBUTE_INTS)};
}

}  // namespace

extern const Operator conv_integer{
    .op_type = "ConvInteger",
    .versions = {10},
    .inputs = {{"x", "T1"}, {"w", "T2"}, {"x_zero_point", "T1", HEED_OPTIONAL_PARAMETER},
               {"w_zero_point", "T2", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"y", "T3"}},
    .types = {{"T1", bytes}, {"T2", bytes}, {"T3", {DataType::i32}}},
    .attributes = window_attributes(),
    .infer = infer<integer_roles>,
    .plan = plan<integer_roles>,
    .bind = bind<integer_roles>};

extern const Operator qlinear_conv{
    .op_type = "QLinearConv",
    .versions = {10},
    .inputs = {{"x", "T1"}, {"x_scale", "TS"}, {"x_zero_point", "T1"}, {"w", "T2"}, {"w_scale", "TS"},
               {"w_zero_point", "T2"}, {"y_scale", "TS"}, {"y_zero_point", "T3"}, {"B", "T4", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"y", "T3"}},
    .types = {{"T1", bytes}, {"T2", bytes}, {"T3", bytes}, {"T4", {DataType::i32}}, {"TS", {DataType::f32}}},
    .attributes = window_attributes(),
    .infer = infer<qlinear_roles>,
    .plan = plan<qlinear_roles>,
    .bind = bind<qlinear_roles>};

}  // namespace heed::ops
