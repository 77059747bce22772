// DepthToSpace, SpaceToDepth: channels of a pixel become a block of blocksize x blocksize pixels, and back. In mode DCR
// the place in the block is the outer part of the channel, in CRD the inner part.
#include "shapes.hpp"
#include "strided_copy.hpp"

namespace heed::ops {
namespace {

template <bool to_space>
Result<void> infer(Inference& node) {
  const int64_t block = node.integer("blocksize");
  if (block < 1 || block > 65536)
    return Error{Code::invalid_model, "attribute 'blocksize' is " + std::to_string(block)};
  if (const auto mode = node.text("mode", "DCR"); mode != "DCR" && mode != "CRD")
    return Error{Code::invalid_model, "attribute 'mode' is '" + std::string(mode) + "'; expected DCR or CRD"};
  HEED_TRY(node.require_rank(0, 4));
  const auto x = node.input(0);
  if (!x.has_rank()) return node.set_output(0, x.element());
  const auto divided = [&](int32_t axis, int64_t by) -> Result<Dim> {
    HEED_TRY(node.require_equal(modulo(x.dim(axis), by), 0,
                                "axis " + std::to_string(axis) + " modulo " + std::to_string(by)));
    return floor_divide(x.dim(axis), by);
  };
  if (to_space) {
    HEED_ASSIGN(const Dim channels, divided(1, block * block));
    return node.set_output(0, x.element(), Dims{x.dim(0), channels, x.dim(2) * block, x.dim(3) * block});
  }
  HEED_ASSIGN(const Dim height, divided(2, block));
  HEED_ASSIGN(const Dim width, divided(3, block));
  return node.set_output(0, x.element(), Dims{x.dim(0), x.dim(1) * (block * block), height, width});
}

Result<GpuPlan> plan(Planning& node) {
  HEED_ASSIGN(auto copy, copy_variant(node, node.input(0)));
  node.take_strided(0);
  return GpuPlan{.variants = {std::move(copy)}, .bindings = {read(0), write(0)}};
}

// Both sides over [batch, channel, row, row in block, column, column in block] of the pixels in blocks.
template <bool to_space>
Result<Launch> bind(const Binding& node) {
  TensorView x = node.input(0), y = node.output(0);
  TensorView &deep = to_space ? x : y, &wide = to_space ? y : x;
  const int64_t block = node.integer("blocksize"), channels = wide.dim(1);
  const bool outer = node.text("mode", "DCR") == "DCR";
  const int64_t dims[] = {deep.dim(0), channels, deep.dim(2), block, deep.dim(3), block};
  const int64_t of_channel = (outer ? 1 : block * block) * deep.stride(1),
                of_place = (outer ? channels : 1) * deep.stride(1);
  const int64_t deep_strides[] = {deep.stride(0),   of_channel,     deep.stride(2),
                                  of_place * block, deep.stride(3), of_place};
  const int64_t wide_strides[] = {wide.stride(0), wide.stride(1),         wide.stride(2) * block,
                                  wide.stride(2), wide.stride(3) * block, wide.stride(3)};
  deep.c.strides = deep_strides;
  wide.c.strides = wide_strides;
  x.c.dims = y.c.dims = dims;
  x.c.rank = y.c.rank = 6;
  Launch launch;
  HEED_TRY(add_copy(launch, node, 0, x, y));
  return launch;
}

template <bool to_space>
Operator blocks(std::string_view op_type, std::vector<int32_t> versions) {
  return {.op_type = op_type,
          .versions = std::move(versions),
          .flags = HEED_COPIES,
          .inputs = {{"input", "T"}},
          .outputs = {{"output", "T"}},
          .types = {{"T", any_type}},
          .attributes = {required("blocksize", HEED_ATTRIBUTE_INT), attribute("mode", "DCR")},
          .infer = infer<to_space>,
          .plan = plan,
          .bind = bind<to_space>};
}

}  // namespace

extern const Operator depth_to_space = blocks<true>("DepthToSpace", {13, 11, 1});
extern const Operator space_to_depth = blocks<false>("SpaceToDepth", {28, 13, 1});

}  // namespace heed::ops
