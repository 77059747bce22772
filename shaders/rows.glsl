// rows.glsl: tensors of up to 8 axes walked in rows: the first row_rank axes choose a row, those behind lie within it.
// Up to four tensors are walked together, each with an offset and strides of its own. Mirrored by ops/rows.hpp. Before
// it is included stand the binding of the parameters, and what they hold beside the walk:
//   #define PARAMETERS_BINDING 2
//   #define MORE_PARAMETERS float epsilon;

layout(constant_id = 0) const uint thread_count = 128;     // of a workgroup; every device takes so many
layout(constant_id = 1) const uint threads_per_row = 128;  // a power of two; a workgroup takes several rows, or one
layout(local_size_x_id = 0) in;

layout(set = 0, binding = PARAMETERS_BINDING, std430) readonly buffer Parameters {
  uint row_count, row_length;
  uint row_rank, rank;
  uint dims[8];
  ivec4 offsets;  // all offsets and strides in elements, one tensor a component
  ivec4 strides[8];
  MORE_PARAMETERS
};

const uint rows_per_workgroup = thread_count / threads_per_row;

// Where a row begins in each tensor.
ivec4 row_at(uint row) {
  ivec4 at = offsets;
  for (int axis = int(row_rank) - 1; axis >= 0; --axis) {
    uint outer = axis == 0 ? 0u : row / dims[axis];
    at += int(row - outer * dims[axis]) * strides[axis];
    row = outer;
  }
  return at;
}

// Most rows have one axis; what it takes to walk them stays in registers.
bool is_one_axis = rank == row_rank + 1;
ivec4 one_axis_strides = strides[min(row_rank, 7)];

// Where element i of the row that begins at `at` lies.
ivec4 element_at(ivec4 at, uint i) {
  if (is_one_axis) return at + int(i) * one_axis_strides;
  for (uint axis = rank; axis > row_rank; --axis) {
    uint outer = axis - 1 == row_rank ? 0u : i / dims[axis - 1];
    at += int(i - outer * dims[axis - 1]) * strides[axis - 1];
    i = outer;
  }
  return at;
}

// Which of a row's threads this is.
uint row_thread() { return gl_LocalInvocationIndex % threads_per_row; }

// Defines T name(T value), which gives what combine(T, T) makes of the values of all threads of a row. All threads of a
// workgroup call it together, those without a row too. `partials` names its shared memory.
#define FOLD_ROW(T, name, partials, combine)                                            \
  shared T partials[thread_count];                                                      \
  T name(T value) {                                                                     \
    if (threads_per_row == 1) return value;                                             \
    uint thread = gl_LocalInvocationIndex;                                              \
    barrier(); /* the fold before this one is read */                                   \
    partials[thread] = value;                                                           \
    for (uint reach = threads_per_row / 2; reach > 0; reach /= 2) {                     \
      barrier();                                                                        \
      if (row_thread() < reach)                                                         \
        partials[thread] = combine(partials[thread], partials[thread + reach]);         \
    }                                                                                   \
    barrier();                                                                          \
    return partials[thread - row_thread()];                                             \
  }

float add(float a, float b) { return a + b; }
