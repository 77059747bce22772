#version 450
#extension GL_GOOGLE_include_directive : require
// negative_log_likelihood_loss.comp: NegativeLogLikelihoodLoss, each loss; or their sum in two steps, by parts that are
// joined. A target that is no class is told, and read as the nearest class.
#include "element.glsl"
#include "indices.glsl"

const uint each = 0;
const uint parts = 1;
const uint join = 2;
layout(constant_id = 0) const uint step_kind = each;
layout(constant_id = 1) const bool is_mean = false;

layout(local_size_x = 128) in;

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };  // [batch, class, place]
layout(set = 0, binding = 1, std430) readonly buffer Target { uint chosen_classes[]; };  // [batch, place]
layout(set = 0, binding = 2, std430) readonly buffer Weight { STORED weights[]; };  // [class]
layout(set = 0, binding = 3, std430) writeonly buffer Output { STORED y[]; };
layout(set = 0, binding = 4, std430) buffer Sums { vec2 sums[]; };  // of losses and of weights, by part
#define ERROR_BINDING 5
#include "error_word.glsl"
layout(set = 0, binding = 6, std430) readonly buffer Parameters {
  uint count, class_count, place_count, words_per_target;
  uint part_count, has_weight, has_ignored;
  int ignored;
  int input_offset, target_offset, weight_offset, y_offset;
};

// The loss of an element of the target, and its weight.
vec2 loss_at(uint i) {
  uint word = (uint(target_offset) + i) * words_per_target;
  uint low = chosen_classes[word];
  int chosen = heed_index(low, words_per_target == 2 ? chosen_classes[word + 1] : int(low) < 0 ? 0xFFFFFFFFu : 0u);
  if (has_ignored != 0 && chosen == ignored) return vec2(0.0);
  if (chosen < 0 || chosen >= int(class_count)) tell_error(i);
  chosen = clamp(chosen, 0, int(class_count) - 1);
  float weight = has_weight != 0 ? float(LOAD(weights[weight_offset + chosen])) : 1.0;
  uint at = (i / place_count * class_count + uint(chosen)) * place_count + i % place_count;
  return vec2(-LOAD(x[uint(input_offset) + at]) * weight, weight);
}

shared vec2 partial_sums[gl_WorkGroupSize.x];

// Of all threads, for the first one.
vec2 sum_of(vec2 sum) {
  partial_sums[gl_LocalInvocationIndex] = sum;
  for (uint reach = gl_WorkGroupSize.x / 2; reach > 0; reach /= 2) {
    barrier();
    if (gl_LocalInvocationIndex < reach)
      partial_sums[gl_LocalInvocationIndex] += partial_sums[gl_LocalInvocationIndex + reach];
  }
  return partial_sums[0];
}

void main() {
  uint first = gl_GlobalInvocationID.x;
  uint step_size = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
  if (step_kind == each) {
    for (uint i = first; i < count; i += step_size) y[y_offset + int(i)] = STORE(loss_at(i).x);
    return;
  }
  vec2 sum = vec2(0.0);
  if (step_kind == parts) {
    for (uint i = first; i < count; i += step_size) sum += loss_at(i);
  } else {
    for (uint part = first; part < part_count; part += step_size) sum += sums[part];
  }
  sum = sum_of(sum);
  if (gl_LocalInvocationIndex != 0) return;
  if (step_kind == parts)
    sums[gl_WorkGroupID.x] = sum;
  else
    y[y_offset] = STORE(is_mean ? sum.x / sum.y : sum.x);
}
