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

// Mirrors shaders/conv_integer.glsl.
struct List {
  int32_t offset = 0;  // in elements
  uint32_t count = 0;  // 0: none
};
struct Parameters {
  Sliding windows;
  uint32_t batch_count, group_count, channel_count, output_count;
  int32_t w_offset, y_word_offset;
  List x_zeros, w_zeros, biases, x_scales, w_scales, y_scales, y_zeros;
};

// ---- on a GPU: output channels of a group share what is read of x, in tiles of shared memory; or in registers, where threads
// ---- are lanes of a CPU's vectors
// --------------------------------------------------------------------------------------------------------------------

// With fewer output channels in a group there is little that they share.
constexpr int64_t least_outputs_of_blocks = 4;

constexpr int64_t positions_of_a_thread = 4;

// How shaders/conv_integer_fours.glsl reads x.
enum Reading : uint32_t { one_by_one, in_fours, in_words };

// Rows of a thread of shaders/conv_integer_tile.comp, and of conv_integer_lanes.comp.
constexpr uint32_t rows_of_tiles[] = {8, 4, 2}, rows_of_lanes[] = {16, 8};
constexpr int64_t row_threads_of_tiles = 8, column_threads_of_tiles = 16;

// The blocks that a device takes, the largest first.
struct Blocks {
  std::span<const uint32_t> rows_of_thread;
  int64_t row_threads, column_threads;
  int64_t enough_workgroups;  // that are worth having; untuned for tiles
  uint32_t lanes;             // 0: tiles
  int64_t rows(size_t block) const { return row_threads * rows_of_thread[block]; }
  int64_t positions() const { return column_threads * positions_of_a_thread; }
};
template <class Node>  // Planning or Binding
Blocks blocks_of(const Node& node) {
  if (const uint32_t lanes = cpu_lanes(node)) return {rows_of_lanes, 1, lanes, 16, lanes};
  return {rows_of_tiles, row_threads_of_tiles, column_threads_of_tiles, 64, 0};
}

// Places of the variants; of lanes each block is there for both ways of reading that they have.
enum { a_word_a_thread, in_strips, first_block };
int32_t variant_of(const Blocks& blocks, size_t block, Reading reading) {
  return first_block + static_cast<int32_t>(blocks.lanes > 0 ? 2 * block + (reading == in_words) : block);
}

// Whether windows are of one element and lie in x as positions do, in channels of whole words.
bool are_pixels_in_words(const Sliding& windows) {
  int64_t step = 1;
  for (int32_t axis = most_window_axes - 1; axis >= 0; step *= windows.in[axis--]) {
    if (windows.kernel[axis] != 1 || windows.in[axis] != windows.out[axis] || windows.pads[axis] != 0) return false;
    if (windows.in[axis] > 1 && (windows.strides[axis] != 1 || windows.x_strides[axis] != step)) return false;
  }
  return (step | windows.x_offset | windows.x_batch_stride | windows.x_channel_stride) % positions_of_a_thread == 0;
}

template <const Roles& roles>
Result<GpuPlan> plan(Planning& node) {
  const auto x = node.input(roles.x), w = node.input(roles.w);
  HEED_TRY(check_windows(x));
  for (int32_t input = 0; input < node.input_count(); ++input)
    if (node.has_input(input) && !node.input(input).has_rank())
      return decline("the rank of input " + std::to_string(input) + " is not known");
  node.take_strided(roles.x);
  node.work(2 * count_of(node.output(0).dims()) * count_of(w.dims().subspan(1)));
  // What is absent is bound to something that is there, and never read.
  const auto optional_input = [&](int32_t input) { return read(has(node, input) ? input : roles.w); };
  const auto type = [](TypeView view) { return static_cast<uint32_t>(view.element()); };
  const std::vector<heed_constant> types = {{0, type(x)}, {1, type(w)}, {2, type(node.output(0))}};
  GpuPlan plan{
      .variants = {{.name = "a word of outputs a thread", .shader = shaders::conv_integer, .constants = types}},
      .bindings = {read(roles.x), read(roles.w), optional_input(roles.x_zero), optional_input(roles.w_zero),
                   optional_input(roles.bias), optional_input(roles.x_scale), optional_input(roles.w_scale),
                   optional_input(roles.y_scale), optional_input(roles.y_zero), write(0)}};
  const auto add = [&](std::string name, const Shader& shader, std::vector<heed_constant> constants) {
    constants.insert(constants.end(), types.begin(), types.end());
    plan.variants.push_back({.name = std::move(name), .shader = shader, .constants = std::move(constants)});
  };
  if (const auto strips = strips_along(node, roles.w, 0))
    add("strips of 4 outputs", shaders::conv_integer_strips, {{3, strips->kernel}, {4, strips->stride}});
  else
    add(plan.variants[a_word_a_thread].name, shaders::conv_integer, {});  // a pipeline is built once
  const Dim outputs = floor_divide(w.dim(0), node.integer("group", 1));
  if (outputs.is_number() && outputs.number() < least_outputs_of_blocks) return plan;
  const Blocks blocks = blocks_of(node);
  const bool has_dot = node.capability("integer_dot") != 0;
  for (size_t block = 0; block < blocks.rows_of_thread.size(); ++block) {
    const uint32_t rows = blocks.rows_of_thread[block];
    const std::string name = std::to_string(blocks.rows(block)) + " rows, ";
    if (blocks.lanes == 0) {
      add(name + (has_dot ? "four at once" : "one by one"),
          has_dot ? shaders::conv_integer_tile_dot : shaders::conv_integer_tile, {{3, rows}, {4, in_fours}});
      continue;
    }
    for (const Reading reading : {one_by_one, in_words})
      add(name + (reading == one_by_one ? "bytes" : "words"), shaders::conv_integer_lanes,
          {{3, rows}, {4, reading}, {5, blocks.lanes}});
  }
  return plan;
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
  const int64_t group_count = node.integer("group", 1), output_count = w.dim(0) / group_count;
  const Parameters p{.windows = sliding_of(node, x, y, w.dims().subspan(2)),
                     .batch_count = static_cast<uint32_t>(x.dim(0)),
                     .group_count = static_cast<uint32_t>(group_count),
                     .channel_count = static_cast<uint32_t>(w.dim(1)),
                     .output_count = static_cast<uint32_t>(output_count),
                     .w_offset = offset_of(w),
                     .y_word_offset = static_cast<int32_t>(y_word_offset),
                     .x_zeros = list(roles.x_zero),
                     .w_zeros = list(roles.w_zero),
                     .biases = list(roles.bias),
                     .x_scales = list(roles.x_scale),
                     .w_scales = list(roles.w_scale),
                     .y_scales = list(roles.y_scale),
                     .y_zeros = list(roles.y_zero)};
  if (output_count < least_outputs_of_blocks || w.dim(1) == 0) {
    const bool lies_side_by_side = x.count() > 0 && p.windows.x_strides[most_window_axes - 1] == 1;
    const bool are_strips = lies_side_by_side && strips_along(node, roles.w, 0);
    const int64_t length = y.dim(-1), strips = y.count() / length * ceil_divide(length, strip_length);
    const int64_t words = ceil_divide(y.count() * bits_of(y.element()), 32);
    return Launch{.dispatches = {{are_strips ? in_strips : a_word_a_thread,
                                  bytes_of(p),
                                  {workgroups_for(are_strips ? strips : words, 64), 1, 1}}}};
  }
  const Blocks blocks = blocks_of(node);
  const auto workgroups_of = [&](size_t block) {
    return int64_t{1} * ceil_divide(y.count() / w.dim(0), blocks.positions()) *
           ceil_divide(output_count, blocks.rows(block)) * group_count;
  };
  // The largest of which there are enough, and that are not half empty.
  size_t block = 0;
  while (block + 1 < blocks.rows_of_thread.size() &&
         (workgroups_of(block) < blocks.enough_workgroups || output_count <= blocks.rows(block + 1)))
    ++block;
  const Reading reading = are_pixels_in_words(p.windows) ? in_words : one_by_one;
  return Launch{.dispatches = {{variant_of(blocks, block, reading),
                                bytes_of(p),
                                {workgroups_for(workgroups_of(block), 1), 1, 1}}}};
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
