// fours.glsl: four numbers at once, as STORED4 or as words of 64 bits.
#if defined(F16) || defined(BF16)
#define STORED4 uvec2
#else
#define STORED4 vec4
#endif

#if defined(F16)
vec4 load_four(uvec2 stored) { return vec4(unpackHalf2x16(stored.x), unpackHalf2x16(stored.y)); }
#elif defined(BF16)
vec4 load_four(uvec2 stored) {
  return uintBitsToFloat(uvec4(stored.x << 16, stored.x & 0xFFFF0000u, stored.y << 16, stored.y & 0xFFFF0000u));
}
#else
vec4 load_four(vec4 stored) { return stored; }
#endif

// The four from element `index` on, a multiple of four, of a buffer of uint64_t.
#if defined(F16) || defined(BF16)
#define FOUR_OF(wide, index) load_four(unpack32(wide[(index) >> 2]))
#else
#define FOUR_OF(wide, index) \
  uintBitsToFloat(uvec4(unpack32(wide[(index) >> 1]), unpack32(wide[((index) >> 1) + 1])))
#endif
