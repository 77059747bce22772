// NonZero: the indices of the elements other than zero, in row-major order, one column each: [rank, found].
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto x = node.input(0);
  if (!x.has_rank())
    return node.set_output(0, DataType::i64, Dims{node.fresh_symbol("rank"), node.fresh_symbol("found")});
  const Dim most = product(x.dims());
  const Dim found = most.is_unknown() ? node.fresh_symbol("found") : node.fresh_symbol("found", most);
  return node.set_output(0, DataType::i64, Dims{x.rank(), found});
}

}  // namespace

extern const Operator non_zero{.op_type = "NonZero",
                               .versions = {13, 9},
                               .inputs = {{"X", "T"}},
                               .outputs = {{"Y", "I"}},
                               .types = {{"T", any_type}, {"I", {DataType::i64}}},
                               .infer = infer};

}  // namespace heed::ops
