// matmul_integer_finish.glsl: what becomes of a sum of products of bytes where y are floats: activation(sum * (a_scale *
// b_scale) * scale + bias) + residual, or times it. FINISH_PARAMETERS stand among the parameters, FINISH_FUNCTION behind.
#include "epilogue.glsl"

struct List {
  int offset;  // in elements
  uint count;  // one, one a row (or column), or one a row of every matrix; 0: none
};
int at(List list, uint place) { return list.offset + int(place % list.count); }

#define FINISH_PARAMETERS                                           \
  List a_scales, b_scales, biases;                                  \
  float finish_scale;                                               \
  uint activation, residual_kind; /* 0: no residual */              \
  int residual_offset;            /* in elements */

#define FINISH_FUNCTION                                             \
  float finished(float sum, float scale, float bias, float other) { \
    precise float value = sum * scale * finish_scale;               \
    if (biases.count != 0u) value += bias;                          \
    value = activated(activation, value);                           \
    return residual_kind != 0u ? with_residual(residual_kind, value, other) : value; \
  }
