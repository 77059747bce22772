#version 450
// matmul_rows.comp: c = a b for stacks of f32 matrices where a has at most 8 rows, as at each decoded token: bound by
// reading b once. A workgroup makes 32 columns of all rows; its slices divide the inner axis, and their sums meet in
// shared memory. Parameters and bindings are those of matmul.comp.

layout(constant_id = 0) const uint most_rows = 1;
const uint column_count = 32;  // of a workgroup
const uint slice_count = 4;

layout(local_size_x = column_count, local_size_y = slice_count) in;

layout(set = 0, binding = 0, std430) readonly buffer A { float a[]; };
layout(set = 0, binding = 1, std430) readonly buffer B { float b[]; };
layout(set = 0, binding = 2, std430) writeonly buffer C { float c[]; };
layout(set = 0, binding = 3, std430) readonly buffer Parameters {
  uint rows, columns, inner;
  uint batch_count, batch_rank;
  int a_offset, a_row_stride, a_inner_stride;  // all offsets and strides in elements
  int b_offset, b_inner_stride, b_column_stride;
  int c_offset;
  uint batch_dims[6];
  int a_batch_strides[6];  // 0 where a is broadcast
  int b_batch_strides[6];
};

shared float slice_sums[slice_count * most_rows * column_count];

void main() {
  uint column = gl_WorkGroupID.x * column_count + gl_LocalInvocationID.x;
  uint slice = gl_LocalInvocationID.y;
  bool inside = column < columns;

  for (uint batch = gl_WorkGroupID.z; batch < batch_count; batch += gl_NumWorkGroups.z) {
    int a_base = a_offset;
    int b_base = b_offset;
    uint rest = batch;
    for (int axis = int(batch_rank) - 1; axis >= 0; --axis) {
      int i = int(rest % batch_dims[axis]);
      rest /= batch_dims[axis];
      a_base += i * a_batch_strides[axis];
      b_base += i * b_batch_strides[axis];
    }
    b_base += int(column) * b_column_stride;

    float sums[most_rows];
    for (uint r = 0; r < most_rows; ++r) sums[r] = 0.0;
    if (inside)
      for (uint k = slice; k < inner; k += slice_count) {
        float right = b[b_base + int(k) * b_inner_stride];
        int left = a_base + int(k) * a_inner_stride;
        for (uint r = 0; r < most_rows; ++r)
          if (r < rows) sums[r] += a[left + int(r) * a_row_stride] * right;
      }
    for (uint r = 0; r < most_rows; ++r)
      slice_sums[(slice * most_rows + r) * column_count + gl_LocalInvocationID.x] = sums[r];
    barrier();
    for (uint r = slice; r < min(rows, most_rows); r += slice_count) {
      float sum = 0.0;
      for (uint s = 0; s < slice_count; ++s)
        sum += slice_sums[(s * most_rows + r) * column_count + gl_LocalInvocationID.x];
      if (inside) c[c_offset + int((batch * rows + r) * columns + column)] = sum;
    }
    barrier();
  }
}
