#version 450
#extension GL_GOOGLE_include_directive : require
// trilu.comp: Trilu-14, y = x where column - row >= k (upper) or <= k (lower), and 0 elsewhere, in each matrix of a stack.
// y is dense and may lie where x lies.
#include "indices.glsl"
#include "moved.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Input { ELEMENT x[]; };
layout(set = 0, binding = 1, std430) readonly buffer Diagonal { uvec2 k[]; };  // i64
layout(set = 0, binding = 2, std430) writeonly buffer Output { ELEMENT y[]; };

// The tensor walked: x. All its axes choose a row.
#define PARAMETERS_BINDING 3
#define MORE_PARAMETERS              \
  uint matrix_rows, matrix_columns;  \
  uint upper, has_k;                 \
  int k_offset, y_offset;
#include "rows.glsl"

void main() {
  int diagonal = has_k != 0 ? heed_index(k[k_offset].x, k[k_offset].y) : 0;
  uint step_size = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
  for (uint i = gl_GlobalInvocationID.x; i < row_count; i += step_size) {
    int right_by = int(i % matrix_columns) - int(i / matrix_columns % matrix_rows);
    bool kept = upper != 0 ? right_by >= diagonal : right_by <= diagonal;
    HELD element = HELD(0);
    if (kept) element = HELD(x[row_at(i).x]);
    y[y_offset + int(i)] = ELEMENT(element);
  }
}
