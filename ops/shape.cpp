// Shape: the sizes of a tensor, since 15 those in [start, end). Size: how many elements it has.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer_shape(Inference& node) {
  const auto input = node.input(0);
  if (!input.has_rank()) return node.set_output(0, DataType::i64, Dims{node.fresh_symbol("rank")});
  const auto bound = [&](std::string_view name, int64_t otherwise) {
    const int64_t given = node.integer(name, otherwise);
    return std::clamp<int64_t>(given < 0 ? given + input.rank() : given, 0, input.rank());
  };
  const int64_t start = bound("start", 0), end = std::max(start, bound("end", input.rank()));
  HEED_TRY(node.set_output(0, DataType::i64, Dims{end - start}));
  node.set_elements(0, input.dims().subspan(static_cast<size_t>(start), static_cast<size_t>(end - start)));
  return {};
}

Result<void> infer_size(Inference& node) {
  HEED_TRY(node.set_output(0, DataType::i64, Dims{}));
  if (!node.input(0).has_rank()) return {};
  const Dim count = product(node.input(0).dims());
  if (!count.is_unknown()) node.set_elements(0, Dims{count});
  return {};
}

}  // namespace

extern const Operator shape{.op_type = "Shape",
                            .versions = {25, 24, 23, 21, 19, 15, 13, 1},
                            .inputs = {{"data", "T"}},
                            .outputs = {{"shape", "T1"}},
                            .types = {{"T", any_type}, {"T1", {DataType::i64}}},
                            .attributes = {attribute("start", 0), optional("end", HEED_ATTRIBUTE_INT)},
                            .infer = infer_shape};

extern const Operator size{.op_type = "Size",
                           .versions = {25, 24, 23, 21, 19, 13, 1},
                           .inputs = {{"data", "T"}},
                           .outputs = {{"size", "T1"}},
                           .types = {{"T", any_type}, {"T1", {DataType::i64}}},
                           .infer = infer_size};

}  // namespace heed::ops
