// Tensors walked in rows by shaders that include shaders/rows.glsl: some axes choose a row, the others lie within it.
#pragma once

#include <vector>

#include "shaders.hpp"
#include "walk.hpp"

namespace heed::ops {

// Mirrors shaders/rows.glsl. The axes that choose a row stand first.
struct Rows {
  uint32_t row_count = 1, row_length = 1;
  uint32_t row_rank = 0;
  Axes<4> axes;
};

// The walk over `dims`, of which within_row tells those that lie within a row. Tensors broadcast to dims, by ONNX's
// rule; an absent one stands still. All are addressable, and dims have at most 8 axes.
Rows rows_of(std::span<const int64_t> dims, const std::vector<bool>& within_row, std::span<const TensorView> tensors);

// The last `count` of `rank` axes.
std::vector<bool> last_axes(int32_t rank, int32_t count);

// Of a workgroup of a shader that includes rows.glsl, unless constants say otherwise.
inline constexpr uint32_t row_threads = 128;

// A shader that includes rows.glsl, with as many threads for a row as short, middling and long rows are worth. The
// constants are the shader's own; rows.glsl has 0 and 1.
std::vector<Variant> row_variants(const Planning& node, const Shader& shader,
                                  std::vector<heed_constant> constants = {});

// The shader that is compiled for the element type of input 0. Declines where there is none, where the device lacks the
// type, and where the input has more axes than are walked.
Result<Shader> shader_for(const Planning& node, const shaders::ElementShaders& shaders);

// The one, as a variant, that moves elements of this type, by their size. Declines likewise.
Result<Variant> moving_variant(const Planning& node, TypeView type, const shaders::SizedShaders& shaders);

// Over these rows with one of those variants; parameters begin with the rows.
Dispatch row_dispatch(const Rows& rows, std::vector<std::byte> parameters);

}  // namespace heed::ops
