// error_word.glsl: how a kernel that addresses through data tells that some was bad, after it has clamped or dropped the
// access. Before it is included stands its binding, error_word() in the plan:
//   #define ERROR_BINDING 3

layout(set = 0, binding = ERROR_BINDING, std430) buffer ErrorWord { uint error_word; };  // 0: all is well

// Of several places (less than 2^31) the first is told.
void tell_error(uint place) { atomicMax(error_word, ~place); }
