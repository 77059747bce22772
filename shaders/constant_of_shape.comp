#version 450
// constant_of_shape.comp: ConstantOfShape-9, one value everywhere, as words whatever the type. What is behind the last
// element up to a whole word is padding.

layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) writeonly buffer Output { uint y[]; };
layout(set = 0, binding = 1, std430) readonly buffer Parameters {
  uint word_count, word_offset;
  uint pattern[2];  // words in turn
};

void main() {
  uint step_size = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
  for (uint word = gl_GlobalInvocationID.x; word < word_count; word += step_size)
    y[word_offset + word] = pattern[word % 2];
}
