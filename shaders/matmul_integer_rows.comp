#version 450
#extension GL_GOOGLE_include_directive : require
// matmul_integer_rows.comp: products of bytes where a has at most 8 rows, as at each decoded token: bound by reading b once.
// A workgroup makes four columns of all rows for each of its column lanes; its inner lanes take four rows of b each in
// turns, and their sums meet in shared memory. Where y, scales and bias are f32, it may finish the sums itself.
#include "matmul_integer_finish.glsl"
#define PARAMETERS_BINDING 10
#define MORE_PARAMETERS   \
  uint finished_offset;   \
  FINISH_PARAMETERS
#include "matmul_integer.glsl"
FINISH_FUNCTION

layout(constant_id = 2) const uint most_rows = 1;
layout(constant_id = 3) const bool finishes = false;
layout(set = 0, binding = 5, std430) readonly buffer AScale { float a_scale[]; };
layout(set = 0, binding = 6, std430) readonly buffer BScale { float b_scale[]; };
layout(set = 0, binding = 7, std430) readonly buffer Bias { float bias[]; };
layout(set = 0, binding = 8, std430) readonly buffer Residual { float residual[]; };  // as y lies, which it may be
layout(set = 0, binding = 9, std430) writeonly buffer Finished { float finished_y[]; };
layout(local_size_x = 128) in;

const uint column_lanes = 8, inner_lanes = 16;
const uint workgroup_columns = 4 * column_lanes;
shared ivec4 lane_sums[most_rows * 128];

void main() {
  uint thread = gl_LocalInvocationIndex, column_lane = thread % column_lanes, inner_lane = thread / column_lanes;
  uint column_tiles = (columns + workgroup_columns - 1u) / workgroup_columns;
  // Whether zero points take part, of u8 that are lowered always.
  bool a_has_zero = a_is_unsigned != 0u || a_zero_count != 0u, b_has_zero = b_is_unsigned != 0u || b_zero_count != 0u;
  for (uint index = gl_WorkGroupID.x; index < column_tiles * split_count * batch_count; index += gl_NumWorkGroups.x) {
    uint first_column = index % column_tiles * workgroup_columns, split = index / column_tiles % split_count;
    uint batch = index / column_tiles / split_count;
    uvec2 matrices = matrices_of(batch);
    uint column = first_column + 4u * column_lane;
    uint begin = split * split_inner, end = min(inner, begin + split_inner);

    ivec4 sums[most_rows], column_sums = ivec4(0);  // of four columns
    int row_sums[most_rows], count = 0;
    [[unroll]] for (uint r = 0u; r < most_rows; ++r) {
      sums[r] = ivec4(0);
      row_sums[r] = 0;
    }
    for (uint k = begin + 4u * inner_lane; k < end; k += 4u * inner_lanes) {
      uvec4 right = b_fours(matrices.y, k, end, column);
      if (a_has_zero)
        [[unroll]] for (uint c = 0u; c < 4u; ++c) column_sums[c] += sum_of_four(right[c]);
      [[unroll]] for (uint r = 0u; r < most_rows; ++r) {
        uint left = a_four(matrices.x, r, k, end);
        if (b_has_zero) row_sums[r] += sum_of_four(left);
        [[unroll]] for (uint c = 0u; c < 4u; ++c) sums[r][c] += dot_four(left, right[c]);
      }
      count += int(min(4u, end - k));
    }
    ivec4 b_less = ivec4(0);
    if (b_has_zero)
      [[unroll]] for (uint c = 0u; c < 4u; ++c) b_less[c] = b_zero_of(matrices.y, min(column + c, columns - 1u));
    [[unroll]] for (uint r = 0u; r < most_rows; ++r) {
      int a_less = a_has_zero ? a_zero_of(matrices.x, min(r, rows - 1u)) : 0;
      lane_sums[r * 128u + thread] = sums[r] - a_less * column_sums - b_less * row_sums[r] + count * a_less * b_less;
    }
    barrier();
    for (uint i = thread; i < min(rows, most_rows) * workgroup_columns; i += 128u) {
      uint row = i / workgroup_columns, own = i % workgroup_columns;
      int sum = 0;
      for (uint lane = 0u; lane < inner_lanes; ++lane)
        sum += lane_sums[row * 128u + lane * column_lanes + own / 4u][own % 4u];
      if (first_column + own >= columns) continue;
      uint index = ((split * batch_count + batch) * rows + row) * columns + first_column + own;
      if (finishes) {
        uint b_column = matrices.y * columns + first_column + own;
        precise float scale = a_scale[at(a_scales, matrices.x * rows + row)] * b_scale[at(b_scales, b_column)];
        float added_first = biases.count != 0u ? bias[at(biases, b_column)] : 0.0;
        float other = residual_kind != 0u ? residual[residual_offset + int(index)] : 0.0;
        finished_y[finished_offset + index] = finished(float(sum), scale, added_first, other);
      } else {
        y[uint(y_offset) + index] = sum;
      }
    }
    barrier();
  }
}
