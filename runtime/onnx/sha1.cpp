// SHA-1 as FIPS 180-4 gives it.
#include "onnx/sha1.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace heed::onnx_file {
namespace {

using State = std::array<uint32_t, 5>;

void add_block(State& state, const std::byte* block) {
  std::array<uint32_t, 80> words;
  for (size_t t = 0; t < 16; ++t) {
    words[t] = 0;
    for (size_t byte = 0; byte < 4; ++byte) words[t] = words[t] << 8 | static_cast<uint32_t>(block[4 * t + byte]);
  }
  for (size_t t = 16; t < 80; ++t) {
    words[t] = std::rotl(words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16], 1);
  }
  auto [a, b, c, d, e] = state;
  for (size_t t = 0; t < 80; ++t) {
    const uint32_t mix = t < 20   ? ((b & c) | (~b & d)) + 0x5A827999
                         : t < 40 ? (b ^ c ^ d) + 0x6ED9EBA1
                         : t < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC
                                  : (b ^ c ^ d) + 0xCA62C1D6;
    const uint32_t next = std::rotl(a, 5) + mix + e + words[t];
    e = d, d = c, c = std::rotl(b, 30), b = a, a = next;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
}

}  // namespace

std::string sha1_hex(std::span<const std::byte> bytes) {
  constexpr size_t block_bytes = 64;
  State state = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  size_t at = 0;
  for (; bytes.size() - at >= block_bytes; at += block_bytes) add_block(state, bytes.data() + at);

  // The rest, a one bit, zeros, and the length in bits as the last eight bytes.
  std::array<std::byte, 2 * block_bytes> tail{};
  const size_t rest = bytes.size() - at;
  if (rest > 0) std::memcpy(tail.data(), bytes.data() + at, rest);
  tail[rest] = std::byte{0x80};
  const size_t tail_bytes = rest + 9 <= block_bytes ? block_bytes : 2 * block_bytes;
  const uint64_t bits = static_cast<uint64_t>(bytes.size()) * 8;
  for (size_t byte = 0; byte < 8; ++byte) tail[tail_bytes - 1 - byte] = static_cast<std::byte>(bits >> (8 * byte));
  for (size_t block = 0; block < tail_bytes; block += block_bytes) add_block(state, tail.data() + block);

  std::string hex;
  for (uint32_t word : state) {
    for (int shift = 28; shift >= 0; shift -= 4) hex += "0123456789abcdef"[(word >> shift) & 15];
  }
  return hex;
}

}  // namespace heed::onnx_file
