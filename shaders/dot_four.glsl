// dot_four.glsl: bytes in words, four at once. DOT: for devices that have an instruction for their product.
#extension GL_EXT_control_flow_attributes : require

#ifdef DOT
// SPV_KHR_integer_dot_product: OpSDotKHR of packed vectors of four bytes.
#extension GL_EXT_spirv_intrinsics : require
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6018, 6019], id = 4450)
int dot_of_bytes(int a, int b, spirv_literal int packed_format);
int dot_four(uint a, uint b) { return dot_of_bytes(int(a), int(b), 0); }
#else
int dot_four(uint a, uint b) {
  int sum = 0;
  [[unroll]] for (int i = 0; i < 32; i += 8) sum += bitfieldExtract(int(a), i, 8) * bitfieldExtract(int(b), i, 8);
  return sum;
}
#endif
int sum_of_four(uint a) { return dot_four(a, 0x01010101u); }

// What makes four u8 signed, each less by 128.
const uint lower_four = 0x80808080u;

// `count` bytes from byte `at` on, at most four; what the word holds behind them is not told.
#define BYTES(words, at, count)                         \
  (((at) & 3u) == 0u ? words[(at) >> 2]                     \
                   : words[(at) >> 2] >> (8u * ((at) & 3u)) | \
                         (((at) & 3u) + (count) > 4u ? words[((at) >> 2) + 1u] << (32u - 8u * ((at) & 3u)) : 0u))
uint first_of_four(uint four, uint count) { return count == 4u ? four : four & ((1u << (8u * count)) - 1u); }

// Rows of four bytes as columns.
uvec4 transposed(uvec4 rows) {
  const uint even = 0x00FF00FFu, odd = 0xFF00FF00u;
  uvec2 evens = uvec2((rows[0] & even) | (rows[1] & even) << 8, (rows[2] & even) | (rows[3] & even) << 8);
  uvec2 odds = uvec2((rows[0] & odd) >> 8 | (rows[1] & odd), (rows[2] & odd) >> 8 | (rows[3] & odd));
  return uvec4((evens.x & 0xFFFFu) | evens.y << 16, (odds.x & 0xFFFFu) | odds.y << 16,
               evens.x >> 16 | (evens.y & 0xFFFF0000u), odds.x >> 16 | (odds.y & 0xFFFF0000u));
}
