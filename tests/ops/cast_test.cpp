// Cast and CastLike: all pairs of the ordinary types, small floats, 4 and 2 bits, texts.
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"
#include "rows.hpp"

namespace heed::test {
namespace {

constexpr DataType ordinary[] = {DataType::f32, DataType::u8,   DataType::i8,     DataType::u16, DataType::i16,
                                 DataType::i32, DataType::i64,  DataType::f16,    DataType::f64, DataType::u32,
                                 DataType::u64, DataType::bf16, DataType::boolean};

std::string to(DataType type, const std::string& more = "") {
  return "to = " + std::to_string(static_cast<int32_t>(type)) + more;
}

// Numbers that every type holds: the pairs must agree exactly.
std::vector<Case> pairs() {
  std::vector<Case> rows;
  const std::vector<double> values = {0, 1, 1, 0, 1, 0, 1};
  for (const auto from : ordinary)
    for (const auto target : ordinary)
      rows.push_back({std::string(name_of(from)) + " to " + std::string(name_of(target)),
                      {numbers(from, {7}, values)},
                      {numbers(target, {7}, values)},
                      0,
                      to(target)});
  return rows;
}

const std::vector<Case> cases = {
    {"floats towards zero", {f32({4}, {1.9, -1.9, 0.5, -0.5})}, {i32({4}, {1, -1, 0, 0})}, 0, to(DataType::i32)},
    {"integers wrap (Cast-13: higher bits are discarded)",
     {i32({3}, {200, -129, 256})},
     {numbers(DataType::i8, {3}, {-56, 127, 0})},
     0,
     to(DataType::i8)},
    {"to boolean: all but zero",
     {f32({4}, {0, -0.0, 0.25, nan})},
     {boolean({4}, {0, 0, 1, 1})},
     0,
     to(DataType::boolean)},
    {"f64 to f16 rounds once",
     {f64({2}, {1.00048828125000001, 65520})},
     {f16({2}, {1, infinity})},
     0,
     to(DataType::f16)},
    {"f32 to f8e4m3fn saturates (Cast-19)",
     {f32({5}, {0.5, 1000, -1000, 3.3, nan})},
     {numbers(DataType::f8e4m3fn, {5}, {0.5, 448, -448, 3.25, nan})},
     0,
     to(DataType::f8e4m3fn)},
    {"f32 to f8e4m3fn without saturation gives NaN",
     {f32({2}, {1000, 1})},
     {numbers(DataType::f8e4m3fn, {2}, {nan, 1})},
     0,
     to(DataType::f8e4m3fn, ", saturate = 0")},
    {"f32 to f8e5m2 without saturation gives infinity",
     {f32({2}, {1e6, -1e6})},
     {[] {
       auto bits = numbers(DataType::u8, {2}, {0x7C, 0xFC});
       bits.type = DataType::f8e5m2;
       return bits;
     }()},
     0,
     to(DataType::f8e5m2, ", saturate = 0")},
    {"i4 to f32", {numbers(DataType::i4, {5}, {-8, 7, 0, -1, 3})}, {f32({5}, {-8, 7, 0, -1, 3})}, 0, to(DataType::f32)},
    {"f32 to u4", {f32({3}, {0, 7.9, 15})}, {numbers(DataType::u4, {3}, {0, 7, 15})}, 0, to(DataType::u4)},
    {"i2 to i8",
     {numbers(DataType::i2, {5}, {-2, -1, 0, 1, -2})},
     {numbers(DataType::i8, {5}, {-2, -1, 0, 1, -2})},
     0,
     to(DataType::i8)},
    {"f4e2m1 to f32", {numbers(DataType::f4e2m1, {3}, {0.5, -6, 3})}, {f32({3}, {0.5, -6, 3})}, 0, to(DataType::f32)},
    {"scales round up", {f32({3}, {1, 3, 5})}, {numbers(DataType::f8e8m0, {3}, {1, 4, 8})}, 0, to(DataType::f8e8m0)},
    {"scales round down",
     {f32({3}, {1, 3, 5})},
     {numbers(DataType::f8e8m0, {3}, {1, 2, 4})},
     0,
     to(DataType::f8e8m0, ", round_mode = \"down\"")},
    {"texts to f32 (Cast-9: plain, scientific, special)",
     {texts({7}, {"3.14", "1e-5", "1E8", "NaN", "-INF", "+inf", " 2 "})},
     {f32({7}, {3.14f, 1e-5f, 1e8, nan, -infinity, infinity, 2})},
     1e-7,
     to(DataType::f32)},
    {"texts to i64, exactly",
     {texts({2}, {"9007199254740993", "-7"})},
     {i64({2}, {9007199254740992.0, -7})},
     1e-15,
     to(DataType::i64)},
    {"f32 to texts",
     {f32({6}, {0.9767611, 1, -0.5, nan, infinity, 314.15926})},
     {texts({6}, {"0.9767611", "1", "-0.5", "NaN", "INF", "314.15927"})},
     0,
     to(DataType::string)},
    {"i64 to texts", {i64({2}, {-12, 7})}, {texts({2}, {"-12", "7"})}, 0, to(DataType::string)},
    {"longer than a block",
     {random({3, 1009}, -100, 100)},
     {[] {
       auto values = values_of(random({3, 1009}, -100, 100));
       for (auto& value : values) value = static_cast<int>(value);
       return numbers(DataType::i16, {3, 1009}, values);
     }()},
     0,
     to(DataType::i16)},
    {"empty", {f32({0, 2}, {})}, {i64({0, 2}, {})}, 0, to(DataType::i64)},
    {"Cast-1: a name", {f32({2}, {1.5, 2})}, {i32({2}, {1, 2})}, 0, "to = \"INT32\"", 1},
};
// The numbers of all 16-bit codes, and f32 numbers between them, of which every third lies halfway.
std::vector<Case> halves() {
  std::vector<Case> rows;
  for (const auto type : {DataType::f16, DataType::bf16}) {
    auto codes = *Tensor::allocate(type, {65536});
    for (size_t i = 0; i < 65536; ++i) reinterpret_cast<uint16_t*>(codes.writable())[i] = static_cast<uint16_t>(i);
    const auto values = values_of(codes);
    std::vector<double> between;
    for (size_t i = 1; i < values.size(); ++i)
      between.push_back(values[i - 1] + (values[i] - values[i - 1]) * (i % 3 == 0 ? 0.5 : i % 3 == 1 ? 0.49 : 0.51));
    const Tensor f = f32({65535}, between);
    const std::string name(name_of(type));
    rows.push_back({"every code of " + name, {codes}, {f32({65536}, values)}, 0, to(DataType::f32)});
    rows.push_back({"between the numbers of " + name, {f}, {numbers(type, {65535}, values_of(f))}, 0, to(type)});
  }
  return rows;
}
const std::vector<Case> like_cases = {{"i64 as f16", {i64({2}, {3, -4}), f16({1}, {0})}, {f16({2}, {3, -4})}}};

}  // namespace

HEED_TEST_OPERATOR("Cast", cases)
HEED_TEST_OPERATOR("CastLike", like_cases)
TEST_CASE("Cast between all pairs of ordinary types") { run_cases("Cast", pairs()); }
TEST_CASE("Cast from and to all 16-bit floats") { run_cases("Cast", halves()); }
TEST_CASE("Cast and CastLike run on Vulkan between all pairs of types that GLSL holds") {
  const DataType types[] = {DataType::boolean, DataType::i8,  DataType::i16, DataType::i32, DataType::i64,
                            DataType::u8,      DataType::u16, DataType::u32, DataType::u64, DataType::f16,
                            DataType::bf16,    DataType::f32, DataType::f64};
  for (const DataType from : types)
    for (const DataType to : types) {
      if (from == to) continue;
      std::vector<double> values = {0, 1, 2, 100, 77};
      if (is_float(from))
        for (const double value : {0.5, 1.75, 3.14159, 65.4321, 0.000123}) values.push_back(value);
      if (is_float(from) || is_signed_integer(from))
        for (const double value : {-1, -2, -100, -7}) values.push_back(value);
      if (from == DataType::f64)  // f32 rounds these to what lies halfway between two of f16, or of bf16
        for (const double value : {1 + 0x1p-11 + 0x1p-40, 1 + 0x1p-11 - 0x1p-40, -1 - 0x1p-8 - 0x1p-50, 1e300, 1e-300})
          if (is_float(to) || std::abs(value) < 2) values.push_back(value);
      if (from == DataType::boolean) values = {0, 1, 1, 0};
      const Tensor x = numbers(from, {static_cast<int64_t>(values.size())}, values);
      const std::string t(name_of(to));
      const std::string head = "<ir_version: 10, opset_import: [\"\" : 24]> g (" + std::string(name_of(from)) + "[N] x";
      check_on_vulkan(
          head + ") => (" + t + "[N] y) { y = Cast<to = " + std::to_string(static_cast<int32_t>(to)) + ">(x) }", {x});
      check_on_vulkan(head + ", " + t + "[3, 1, 1] like) => (" + t + "[N] y) { y = CastLike(x, like) }",
                      {x, numbers(to, {3, 1, 1}, {0, 0, 0})});
    }
}

// Every code of the narrow types, and floats around what they hold.
TEST_CASE("Cast runs on Vulkan from and to all types that GLSL does not hold") {
  const DataType narrow[] = {DataType::f8e4m3fn, DataType::f8e4m3fnuz, DataType::f8e5m2, DataType::f8e5m2fnuz,
                             DataType::f8e8m0,   DataType::f4e2m1,     DataType::i4,     DataType::u4,
                             DataType::i2,       DataType::u2};
  const DataType plain[] = {DataType::f32, DataType::f16, DataType::bf16, DataType::i8,  DataType::u8,
                            DataType::i16, DataType::u16, DataType::i32,  DataType::u32, DataType::boolean};
  const auto check = [](const Tensor& x, const std::vector<std::pair<DataType, std::string>>& targets) {
    std::string outputs, nodes;
    for (const auto& [target, attributes] : targets) {
      if (target == x.type) continue;
      const auto y = "y" + std::to_string(outputs.size());
      outputs += (outputs.empty() ? "" : ", ") + std::string(name_of(target)) + "[N] " + y;
      nodes += y + " = Cast<" + to(target, attributes) + ">(x)\n";
    }
    INFO(name_of(x.type));
    check_on_vulkan("<ir_version: 12, opset_import: [\"\" : 25]> g (" + std::string(name_of(x.type)) + "[N] x) => (" +
                        outputs + ") {" + nodes + "}",
                    {x});
  };
  for (const DataType from : narrow) {
    auto codes = *Tensor::allocate(from, {256});
    for (size_t i = 0; i < codes.size_bytes; ++i) codes.writable()[i] = static_cast<std::byte>(i);
    std::vector<std::pair<DataType, std::string>> targets;
    for (const DataType target : plain) targets.emplace_back(target, "");
    for (const DataType target : narrow) targets.emplace_back(target, "");
    check(codes, targets);
  }
  std::vector<double> floats = {0, 1, 0.75, 6, 7.5, 440, 460, 480, 57344, 61440, 0x1p-9, 0x1p-10, 0x1.8p-10, 3, 5, 1e-30};
  for (const double magnitude : std::vector<double>(floats)) floats.push_back(-magnitude);
  for (const double special : {nan, infinity, -infinity, 1e38, 0x1p-126, 0x1.8p-127, 0x1p-130, 2147483648.0, 4294967301.0})
    floats.push_back(special);
  for (const DataType from : plain) {
    std::vector<double> values = floats;
    if (!is_float(from)) values = {0, 1, 2, 3, 7, 8, 15, 100, 126};
    if (is_signed_integer(from))
      for (const double value : {-1, -2, -8, -9, -128}) values.push_back(value);
    std::vector<std::pair<DataType, std::string>> targets;
    for (const DataType target : narrow)
      for (const char* attributes : {"", ", saturate = 0", ", round_mode = \"down\"", ", round_mode = \"nearest\""})
        targets.emplace_back(target, attributes);
    check(numbers(from, {static_cast<int64_t>(values.size())}, values), targets);
  }
}

TEST_CASE("types that a device lacks are computed on the CPU") {
  const char* text = R"(<ir_version: 10, opset_import: ["" : 23]>
    agraph (float16[n, m] h, uint8[n, m] u, int64[n, m] l, double[n, m] d, int32[2] at)
        => (float16[n, m] a, uint8[2, m] b, int64[n, 1] c, double[n, m] e, float16[n, m] f, int64[n, m] g, bool[n, m] k) {
      a = Mul(h, h)
      gathered = Gather(u, at)
      b = Div(gathered, gathered)
      axis = Constant<value_ints = [1]>()
      c = ReduceSum(l, axis)
      e = Sub(d, d)
      f = Softmax(h)
      g = CastLike(u, l)
      k = Less(l, g)
    })";
  const Tensors inputs = {random({5, 37}, -2, 2, DataType::f16), random({5, 37}, 1, 9, DataType::u8),
                          random({5, 37}, -9, 9, DataType::i64), random({5, 37}, -9, 9, DataType::f64),
                          i32({2}, {3, -1})};
  const auto expected = run_text(text, inputs);
  REQUIRE((expected ? "" : expected.error().message) == "");
  for (const char* mask : {"int64", "storage_16bit", "storage_8bit", "float64",
                           "int64,float64,int8,int16,float16,storage_8bit,storage_16bit"}) {
    INFO(mask);
    const auto actual = run_text(text, inputs, "vulkan", {{"vulkan.mask", mask}});
    count_row(actual.has_value());
    CHECK((actual ? "" : actual.error().message) == "");
    for (size_t i = 0; actual && i < expected->size(); ++i) check_equal((*actual)[i], (*expected)[i], 1e-3);
  }
}

TEST_CASE("Cast says how it cannot round") {
  check_refused("Cast", {"a direction", {f32({1}, {0})}, {f32({1}, {0})}, 0, to(DataType::f8e8m0, ", round_mode = \"off\"")},
                "attribute 'round_mode' is 'off'");
}

TEST_CASE("Cast says which text is no number") {
  check_refused("Cast", {"a greeting", {texts({1}, {"Hello World!"})}, {f32({1}, {0})}, 0, to(DataType::f32)},
                "'Hello World!' is no number");
}

}  // namespace heed::test
