#version 450
// heed_causal_mask.comp: y[i, j] is true where j lies at most so many keys to the left or right of i + (key - query);
// bytes, written four at a time. What is behind the last element up to a whole word is padding.

layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) writeonly buffer Output { uint y[]; };
layout(set = 0, binding = 1, std430) readonly buffer Parameters {
  uint query_count, key_count;
  int keys_to_the_left, keys_to_the_right;
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
      int apart = int(key + query_count) - int(query + key_count);
      if (-apart <= keys_to_the_left && apart <= keys_to_the_right) bytes |= 1u << (8 * k);
    }
    y[word_offset + word] = bytes;
  }
}
