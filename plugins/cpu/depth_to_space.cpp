// DepthToSpace, SpaceToDepth: a move over [batch, channel, row, row in block, column, column in block].
#include "move.hpp"

namespace heed::cpu {
namespace {

template <bool to_space>
Result<void> run(Running& run) {
  HEED_TRY(check_rank(run, 0, 4));
  const auto x = run.input(0);
  const int64_t block = run.integer("blocksize"), squared = block * block;
  if (to_space ? x.dim(1) % squared != 0 : x.dim(2) % block != 0 || x.dim(3) % block != 0)
    return Error{Code::shape_mismatch, "the input does not divide into blocks of " + std::to_string(block)};
  const int64_t out_dims[] = {x.dim(0), to_space ? x.dim(1) / squared : x.dim(1) * squared,
                              to_space ? x.dim(2) * block : x.dim(2) / block,
                              to_space ? x.dim(3) * block : x.dim(3) / block};
  HEED_ASSIGN(const auto y, run.allocate(0, out_dims));

  const TensorView &deep = to_space ? x : y, &wide = to_space ? y : x;
  const int64_t channels = wide.dim(1);
  const bool outer = run.text("mode", "DCR") == "DCR";
  const int64_t dims[] = {deep.dim(0), channels, deep.dim(2), block, deep.dim(3), block};
  const int64_t of_channel = (outer ? 1 : squared) * deep.stride(1), of_place = (outer ? channels : 1) * deep.stride(1);
  const int64_t deep_strides[] = {deep.stride(0),   of_channel,     deep.stride(2),
                                  of_place * block, deep.stride(3), of_place};
  const int64_t wide_strides[] = {wide.stride(0), wide.stride(1),         wide.stride(2) * block,
                                  wide.stride(2), wide.stride(3) * block, wide.stride(3)};
  move_elements(run, x.element(), dims, {x.c.data, to_space ? deep_strides : wide_strides},
                {y.c.data, to_space ? wide_strides : deep_strides});
  own_texts(run, 0, y);
  return {};
}

Result<void> plan(Planning& node) {
  node.take_strided(0);
  return {};
}

}  // namespace

extern const CpuKernel depth_to_space{.op_type = "DepthToSpace", .plan = plan, .run = run<true>};
extern const CpuKernel space_to_depth{.op_type = "SpaceToDepth", .plan = plan, .run = run<false>};

}  // namespace heed::cpu
