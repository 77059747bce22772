// The instructions of plugins/cpu/byte_panels_x86.hpp with VNNI on any machine, for vectors of BYTES_WIDE bytes.

struct Vector {
  uint8_t bytes[BYTES_WIDE];
};
struct Floats {
  float lanes[BYTES_WIDE / 4];
};

// One i32 after the other; they wrap.
template <class Result, class Compute>
Result in_lanes(Compute compute) {
  Result result;
  for (int lane = 0; lane < BYTES_WIDE / 4; ++lane) {
    const auto value = compute(lane);
    static_assert(sizeof value == 4);
    std::memcpy(reinterpret_cast<char*>(&result) + 4 * lane, &value, 4);
  }
  return result;
}
uint32_t lane_of(const Vector& v, int lane) {
  uint32_t bits;
  std::memcpy(&bits, v.bytes + 4 * lane, sizeof bits);
  return bits;
}

Vector load(const void* from) {
  Vector v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
Vector zero() { return {}; }
Vector broadcast(const void* four) {
  uint32_t bits;
  std::memcpy(&bits, four, sizeof bits);
  return in_lanes<Vector>([=](int) { return bits; });
}
void store(int32_t* to, const Vector& v) { std::memcpy(to, &v, sizeof v); }
Vector low_codes(const Vector& v) {
  return in_lanes<Vector>([&](int lane) { return lane_of(v, lane) & 0x0F0F0F0F; });
}
Vector high_codes(const Vector& v) {
  return in_lanes<Vector>([&](int lane) { return lane_of(v, lane) >> 4 & 0x0F0F0F0F; });
}
// VPDPBUSD: four products of an unsigned byte and a signed one are added without saturation.
Vector add_four(const Vector& sum, const Vector& unsigned_bytes, const Vector& bytes) {
  return in_lanes<Vector>([&](int lane) {
    uint32_t total = lane_of(sum, lane);
    for (int i = 4 * lane; i < 4 * lane + 4; ++i)
      total += static_cast<uint32_t>(unsigned_bytes.bytes[i] * static_cast<int8_t>(bytes.bytes[i]));
    return total;
  });
}
Vector add(const Vector& a, const Vector& b) {
  return in_lanes<Vector>([&](int lane) { return lane_of(a, lane) + lane_of(b, lane); });
}
Vector multiplied(const Vector& a, const Vector& b) {
  return in_lanes<Vector>([&](int lane) { return lane_of(a, lane) * lane_of(b, lane); });
}
Floats load_floats(const float* from) {
  return in_lanes<Floats>([=](int lane) { return from[lane]; });
}
Floats set(float x) {
  return in_lanes<Floats>([=](int) { return x; });
}
Floats to_floats(const Vector& v) {
  return in_lanes<Floats>([&](int lane) { return static_cast<float>(static_cast<int32_t>(lane_of(v, lane))); });
}
Floats times(const Floats& a, const Floats& b) {
  return in_lanes<Floats>([&](int lane) { return a.lanes[lane] * b.lanes[lane]; });
}
Floats plus_product(const Floats& sum, const Floats& a, const Floats& b) {
  return in_lanes<Floats>([&](int lane) { return std::fma(a.lanes[lane], b.lanes[lane], sum.lanes[lane]); });
}
Floats less_product(const Floats& sum, const Floats& a, const Floats& b) {
  return in_lanes<Floats>([&](int lane) { return std::fma(-a.lanes[lane], b.lanes[lane], sum.lanes[lane]); });
}
void store_floats(float* to, const Floats& v) { std::memcpy(to, &v, sizeof v); }
