#version 450
#extension GL_GOOGLE_include_directive : require
// dynamic_quantize_linear.comp: DynamicQuantizeLinear, the range of x and 0 on the codes 0 to 255. Of a long x a first
// dispatch folds a part for each workgroup; the second quantises, each workgroup having folded those parts, or all of a
// short x, itself.
#include "quotient.glsl"

layout(constant_id = 0) const bool folds_parts = false;  // the first dispatch
layout(local_size_x = 128) in;

layout(set = 0, binding = 0, std430) readonly buffer X { float x[]; };
layout(set = 0, binding = 1, std430) buffer Parts { vec2 parts[]; };  // least and greatest of each
layout(set = 0, binding = 2, std430) writeonly buffer Codes { uint codes[]; };
layout(set = 0, binding = 3, std430) writeonly buffer Scale { float scale[]; };
layout(set = 0, binding = 4, std430) writeonly buffer ZeroPoint { uint zero_point[]; };
layout(set = 0, binding = 5, std430) readonly buffer Parameters {
  uint count, part_count;  // of x; of its parts, at most as many as a workgroup has threads; 0: none are folded yet
  int x_offset, parts_offset, codes_offset, scale_offset, zero_point_offset;  // in floats, pairs of them, and words
};

shared vec2 ranges[gl_WorkGroupSize.x];

vec2 joined(vec2 a, vec2 b) { return vec2(b.x < a.x ? b.x : a.x, b.y > a.y ? b.y : a.y); }

// Of 0 and every step-th element from `first` on; NaN is passed over.
vec2 range_from(uint first, uint step_size) {
  vec2 range = vec2(0.0);
  for (uint i = first; i < count; i += step_size) range = joined(range, vec2(x[x_offset + int(i)]));
  return range;
}

// Of the ranges of all threads of a workgroup.
vec2 folded(vec2 range) {
  uint thread = gl_LocalInvocationIndex;
  ranges[thread] = range;
  for (uint reach = gl_WorkGroupSize.x / 2u; reach > 0u; reach /= 2u) {
    barrier();
    if (thread < reach) ranges[thread] = joined(ranges[thread], ranges[thread + reach]);
  }
  barrier();
  return ranges[0];
}

void main() {
  uint thread = gl_LocalInvocationIndex, all_threads = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
  if (folds_parts) {
    vec2 range = folded(range_from(gl_GlobalInvocationID.x, all_threads));
    if (thread == 0u) parts[parts_offset + int(gl_WorkGroupID.x)] = range;
    return;
  }
  vec2 range = vec2(0.0);
  if (part_count == 0u)
    range = range_from(thread, gl_WorkGroupSize.x);
  else if (thread < part_count)
    range = parts[parts_offset + int(thread)];
  range = folded(range);
  precise float span = range.y - range.x;
  float step_size = span == 0.0 ? 1.0 : quotient(span, 255.0);
  float zero = roundEven(clamp(quotient(-range.x, step_size), 0.0, 255.0));
  if (gl_GlobalInvocationID.x == 0u) {
    scale[scale_offset] = step_size;
    zero_point[zero_point_offset] = uint(zero);
  }
  for (uint word = gl_GlobalInvocationID.x; word < (count + 3u) / 4u; word += all_threads) {
    uint four = 0u;
    for (uint i = 0u; i < 4u && 4u * word + i < count; ++i) {
      float steps = roundEven(quotient(x[x_offset + int(4u * word + i)], step_size));
      steps = steps > -zero ? min(steps, 255.0 - zero) : -zero;  // NaN is the least
      four |= uint(steps + zero) << (8u * i);
    }
    codes[codes_offset + int(word)] = four;
  }
}
