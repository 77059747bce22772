#version 450
// heed_causal_mask.comp: y[i, j] is true where j <= i + (key - query); bytes, written four at a time. What is behind the
// last element up to a whole word is padding.

layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) writeonly buffer Output { uint y[]; };
layout(set = 0, binding = 1, std430) readonly buffer Parameters {
  uint query_count, key_count;
  uint word_offset;
};

void main() {
  uint count = query_count * key_count;
  uint step_size = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
  for (uint word = gl_GlobalInvocationID.x; word < (count + 3) / 4; word += step_size) {
    uint bytes = 0;
    for (uint k = 0; k < 4 && word * 4 + k < count; ++k) {
      uint query = (word * 4 + k) / key_count;
      uint key = (word * 4 + k) % key_count;
      if (key + query_count <= query + key_count) bytes |= 1u << (8 * k);
    }
    y[word_offset + word] = bytes;
  }
}
