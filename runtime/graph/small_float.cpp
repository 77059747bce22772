// From data types to the formats of numeric.hpp.
#include "graph/small_float.hpp"

#include "heed/numeric.hpp"

namespace heed {
namespace {

// Calls use(Number()) with the number type of `type`.
template <class Use>
auto with_number(DataType type, Use use) {
  switch (type) {
    case DataType::f16:
      return use(Float16());
    case DataType::bf16:
      return use(BFloat16());
    case DataType::f8e4m3fn:
      return use(Float8E4M3FN());
    case DataType::f8e4m3fnuz:
      return use(Float8E4M3FNUZ());
    case DataType::f8e5m2:
      return use(Float8E5M2());
    case DataType::f8e5m2fnuz:
      return use(Float8E5M2FNUZ());
    case DataType::f8e8m0:
      return use(Float8E8M0());
    default:
      return use(Float4E2M1());
  }
}

}  // namespace

uint32_t encode_small_float(DataType type, double value) {
  return with_number(type, [&](auto number) { return static_cast<uint32_t>(decltype(number)(value).bits); });
}

float decode_small_float(DataType type, uint32_t code) {
  return with_number(type, [&](auto number) {
    return static_cast<float>(decltype(number)::from_bits(static_cast<decltype(number.bits)>(code)));
  });
}

}  // namespace heed
