// indices.glsl: elements of i32 or i64 tensors as indices. Both are read as words, low word first.

// An index as a 32-bit number; what does not fit becomes the nearest that does, which is outside of every tensor too.
int heed_index(uint low, uint high) {
  if (high == (int(low) < 0 ? 0xFFFFFFFFu : 0u)) return int(low);
  return int(high) < 0 ? -0x7FFFFFFF - 1 : 0x7FFFFFFF;
}
