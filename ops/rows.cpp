// Tensors walked in rows: axes that are crossed as one are merged, and threads are given to rows by their length.
#include "rows.hpp"

namespace heed::ops {
namespace {

constexpr uint32_t thread_count = 256;  // of a workgroup of rows.glsl

// By variant: up to which length, untuned, a row is given so many threads.
constexpr struct {
  const char* name;
  uint32_t threads_per_row, longest;
} choices[] = {
    {"a thread a row", 1, 8}, {"32 threads a row", 32, 512}, {"a workgroup a row", thread_count, UINT32_MAX}};

// From here on there are rows enough for one thread each.
constexpr uint32_t many_rows = 8192;

// Whether neighbouring rows lie beside each other in the first tensor, while a row's own elements lie apart.
bool lies_across(const Rows& rows) {
  return rows.row_rank > 0 && rows.rank > rows.row_rank && rows.strides[rows.row_rank - 1][0] == 1 &&
         rows.strides[rows.rank - 1][0] != 1;
}

}  // namespace

Rows rows_of(std::span<const int64_t> dims, const std::vector<bool>& within_row, std::span<const TensorView> tensors) {
  Rows rows;
  for (size_t t = 0; t < tensors.size(); ++t)
    if (tensors[t].present()) rows.offsets[t] = offset_of(tensors[t]);
  const auto rank = static_cast<int32_t>(dims.size());
  for (const bool within : {false, true}) {
    const uint32_t first_axis = rows.rank;
    for (int32_t axis = 0; axis < rank; ++axis) {
      const auto size = static_cast<uint32_t>(dims[static_cast<size_t>(axis)]);
      if (within_row[static_cast<size_t>(axis)] != within) continue;
      (within ? rows.row_length : rows.row_count) *= size;
      if (size == 1) continue;
      int32_t strides[most_row_tensors] = {};
      for (size_t t = 0; t < tensors.size(); ++t) {
        const int32_t own = axis - rank + tensors[t].rank();
        if (tensors[t].present() && own >= 0 && tensors[t].dim(own) != 1) strides[t] = stride_of(tensors[t], own);
      }
      bool joins = rows.rank > first_axis;
      for (int32_t t = 0; joins && t < most_row_tensors; ++t)
        joins = rows.strides[rows.rank - 1][t] == static_cast<int64_t>(strides[t]) * size;
      if (!joins) rows.dims[rows.rank++] = 1;
      rows.dims[rows.rank - 1] *= size;
      std::copy(std::begin(strides), std::end(strides), rows.strides[rows.rank - 1]);
    }
    if (!within) rows.row_rank = rows.rank;
  }
  return rows;
}

std::vector<bool> last_axes(int32_t rank, int32_t count) {
  std::vector<bool> within(static_cast<size_t>(rank));
  std::fill(within.end() - count, within.end(), true);
  return within;
}

std::vector<Variant> row_variants(const Shader& shader, std::vector<heed_constant> constants) {
  std::vector<Variant> variants;
  constants.insert(constants.begin(), heed_constant{0, 0});
  for (const auto& choice : choices) {
    constants[0].value = choice.threads_per_row;
    variants.push_back({.name = choice.name, .shader = shader, .constants = constants});
  }
  return variants;
}

Dispatch row_dispatch(const Rows& rows, std::vector<std::byte> parameters) {
  int32_t variant = 0;
  if (!lies_across(rows) || rows.row_count < many_rows)
    while (rows.row_length > choices[variant].longest) ++variant;
  return {variant,
          std::move(parameters),
          {workgroups_for(rows.row_count, thread_count / choices[variant].threads_per_row), 1, 1}};
}

}  // namespace heed::ops
