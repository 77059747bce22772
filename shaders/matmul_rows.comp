#version 450
#extension GL_GOOGLE_include_directive : require
// matmul_rows.comp: c = a b where a has at most 8 rows, as at each decoded token: bound by reading b once. A workgroup
// makes 32 columns of all rows; its slices divide the inner axis, and their sums meet in shared memory.
#include "matmul.glsl"

layout(constant_id = 0) const uint most_rows = 1;
const uint column_count = 32;  // of a workgroup
const uint slice_count = 4;

layout(local_size_x = column_count, local_size_y = slice_count) in;

shared float slice_sums[slice_count * most_rows * column_count];

void main() {
  uint column = gl_WorkGroupID.x * column_count + gl_LocalInvocationID.x;
  uint slice = gl_LocalInvocationID.y;
  bool inside = column < columns;

  for (uint batch = gl_WorkGroupID.z; batch < batch_count; batch += gl_NumWorkGroups.z) {
    ivec2 bases = bases_of(batch);
    bases.y += int(column) * b_column_stride;

    float sums[most_rows];
    for (uint r = 0; r < most_rows; ++r) sums[r] = 0.0;
    if (inside)
      for (uint k = slice; k < inner; k += slice_count) {
        float right = LOAD(b[bases.y + int(k) * b_inner_stride]);
        int left = bases.x + int(k) * a_inner_stride;
        for (uint r = 0; r < most_rows; ++r)
          if (r < rows) sums[r] += LOAD(a[left + int(r) * a_row_stride]) * right;
      }
    for (uint r = 0; r < most_rows; ++r)
      slice_sums[(slice * most_rows + r) * column_count + gl_LocalInvocationID.x] = sums[r];
    barrier();
    for (uint r = slice; r < min(rows, most_rows); r += slice_count) {
      float sum = 0.0;
      for (uint s = 0; s < slice_count; ++s)
        sum += slice_sums[(s * most_rows + r) * column_count + gl_LocalInvocationID.x];
      if (inside) c[c_offset + int((batch * rows + r) * columns + column)] = STORE(sum);
    }
    barrier();
  }
}
