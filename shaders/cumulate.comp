#version 450
#extension GL_GOOGLE_include_directive : require
// cumulate.comp: CumSum-14 and CumProd-26, y[i] = x[0] + .. + x[i] in each row, or their product; exclusive: without x[i];
// backwards: from the last element on. y may lie where x lies.
#include "element.glsl"

layout(constant_id = 2) const bool product = false;
layout(constant_id = 3) const bool exclusive = false;
layout(constant_id = 4) const bool backwards = false;

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Output { STORED y[]; };

// The tensors walked: x, y.
#define PARAMETERS_BINDING 2
#define MORE_PARAMETERS
#include "rows.glsl"

ELEMENT combine(ELEMENT a, ELEMENT b) { return product ? a * b : a + b; }

shared ELEMENT partials[thread_count];

void main() {
  const ELEMENT neutral = product ? ELEMENT(1) : ELEMENT(0);
  uint thread = gl_LocalInvocationIndex;
  for (uint first = gl_WorkGroupID.x * rows_per_workgroup; first < row_count;
       first += gl_NumWorkGroups.x * rows_per_workgroup) {
    uint row = first + thread / threads_per_row;
    ivec4 begin = row_at(row);
    ELEMENT before_piece = neutral;
    for (uint start = 0; start < row_length; start += threads_per_row) {
      uint i = start + row_thread();
      bool inside = row < row_count && i < row_length;
      ivec4 at = element_at(begin, backwards ? row_length - 1 - min(i, row_length - 1) : i);
      ELEMENT own = inside ? LOAD(x[at.x]) : neutral;

      // Threads of a row add up what stands before them: after each round twice as many elements.
      ELEMENT here = own;
      ELEMENT before = neutral;
      ELEMENT all = own;
      if (threads_per_row > 1) {
        for (uint reach = 1; reach < threads_per_row; reach *= 2) {
          barrier();
          partials[thread] = here;
          barrier();
          if (row_thread() >= reach) here = combine(partials[thread - reach], here);
        }
        barrier();
        partials[thread] = here;
        barrier();
        if (row_thread() > 0) before = partials[thread - 1];
        all = partials[thread - row_thread() + threads_per_row - 1];
      }
      if (inside) y[at.y] = STORE(combine(before_piece, exclusive ? before : here));
      before_piece = combine(before_piece, all);
    }
  }
}
