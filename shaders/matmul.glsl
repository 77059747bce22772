// matmul.glsl: what the shaders of c = a b share. Stacks of matrices, [batch.., row, inner] x [batch.., inner, column]:
// a and b are strided along every axis, c is dense. Sums are f32.
#include "element.glsl"

layout(set = 0, binding = 0, std430) readonly buffer A { STORED a[]; };
layout(set = 0, binding = 1, std430) readonly buffer B { STORED b[]; };
layout(set = 0, binding = 2, std430) writeonly buffer C { STORED c[]; };
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

// Where the matrices of a batch begin in a and b.
ivec2 bases_of(uint batch) {
  ivec2 bases = ivec2(a_offset, b_offset);
  for (int axis = int(batch_rank) - 1; axis >= 0; --axis) {
    int i = int(batch % batch_dims[axis]);
    batch /= batch_dims[axis];
    bases += i * ivec2(a_batch_strides[axis], b_batch_strides[axis]);
  }
  return bases;
}
