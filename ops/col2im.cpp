// Col2Im: columns [batch, channel * block, places] back into images: each element of the image is the sum of those of
// the columns that a block covers it with.
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"
#include "windows.hpp"

namespace heed::ops {
namespace {

enum { x_input, image_input, block_input };

Result<void> infer(Inference& node) {
  const auto x = node.input(x_input);
  HEED_TRY(node.require_rank(x_input, 3));
  for (const int32_t input : {image_input, block_input}) HEED_TRY(node.require_rank(input, 1));
  const auto image = node.elements(image_input), block = node.elements(block_input);
  if (!image || !block || !x.has_rank()) {
    HEED_ASSIGN(const auto axis_count, told_length(node, image_input));
    if (!axis_count) return node.set_output(0, x.element());
    Dims dims = fresh_dims(node, *axis_count + 2, "image");
    if (x.has_rank()) dims[0] = x.dim(0);
    if (image) std::copy(image->begin(), image->end(), dims.begin() + 2);
    return node.set_output(0, x.element(), dims);
  }
  if (image->size() != block->size())
    return Error{Code::shape_mismatch,
                 "image_shape is " + text_of(*image) + " and block_shape " + text_of(*block) + "; expected equal ranks"};
  HEED_ASSIGN(const auto places, window_counts(node, *image, *block));
  HEED_TRY(node.require_equal(count_of(places), x.dim(2), "places of the blocks and of the columns"));
  const Dim block_count = count_of(*block);
  HEED_TRY(node.require_equal(modulo(x.dim(1), block_count), 0, "columns modulo the elements of a block"));
  Dims dims{x.dim(0), floor_divide(x.dim(1), block_count)};
  dims.insert(dims.end(), image->begin(), image->end());
  return node.set_output(0, x.element(), dims);
}

// Mirrors shaders/col2im.comp. The windows slide over the image, at places that the columns have.
struct Parameters {
  Sliding windows;
  uint32_t count, channel_count;
  int32_t x_offset, x_strides[3], y_offset;
};

Result<GpuPlan> plan(Planning& node) {
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::col2im));
  HEED_TRY(check_windows(node.output(0)));
  if (!numbers_of(node.elements(block_input))) return decline("the shape of a block is known to the run alone");
  node.take_strided(x_input);
  return GpuPlan{.variants = {{"an element of the image a thread", shader}}, .bindings = {read(x_input), write(0)}};
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(x_input), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the columns"));
  HEED_TRY(check_addressable(y, "the output"));
  const auto block = *numbers_of(node.elements(block_input));
  HEED_ASSIGN(const Dims counts,
              window_counts(node, Dims(y.dims().begin() + 2, y.dims().end()), Dims(block.begin(), block.end())));
  std::vector<int64_t> places{1, 1};
  for (const Dim count : counts) places.push_back(count.number());
  TensorView slid = y;
  slid.c.dims = places.data();
  const Parameters p{.windows = sliding_of(node, y, slid, block),
                     .count = static_cast<uint32_t>(y.count()),
                     .channel_count = static_cast<uint32_t>(y.dim(1)),
                     .x_offset = offset_of(x),
                     .x_strides = {stride_of(x, 0), stride_of(x, 1), stride_of(x, 2)},
                     .y_offset = offset_of(y)};
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(y.count(), 64), 1, 1}}}};
}

}  // namespace

extern const Operator col2im{
    .op_type = "Col2Im",
    .versions = {18},
    .inputs = {{"input", "T"}, {"image_shape", "I", HEED_SHAPE_DATA}, {"block_shape", "I", HEED_SHAPE_DATA}},
    .outputs = {{"output", "T"}},
    .types = {{"T", any_number}, {"I", {DataType::i64}}},
    .attributes = {optional("dilations", HEED_ATTRIBUTE_INTS), optional("pads", HEED_ATTRIBUTE_INTS),
                   optional("strides", HEED_ATTRIBUTE_INTS)},
    .infer = infer,
    .plan = plan,
    .bind = bind};

}  // namespace heed::ops
