// Data types: numbers, names and sizes.
#include "base/data_type.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <string>

using namespace heed;

TEST_CASE("every type is read by our name and by ONNX's") {
  std::set<std::string> names;
  for (int32_t number = 1; number < data_type_count; ++number) {
    const auto type = static_cast<DataType>(number);
    CHECK(names.insert(std::string(name_of(type))).second);
    CHECK(parse_data_type(name_of(type)).value() == type);
    CHECK(parse_data_type(onnx_name_of(type)).value() == type);
    CHECK(parse_data_type("tensor(" + std::string(onnx_name_of(type)) + ")").value() == type);
  }
  CHECK(names.size() == 26);
  CHECK(parse_data_type("FLOAT").value() == DataType::f32);
  CHECK(parse_data_type("double").value() == DataType::f64);
  CHECK(parse_data_type("bool").value() == DataType::boolean);
  CHECK_FALSE(parse_data_type("undefined").has_value());
  CHECK_FALSE(parse_data_type("").has_value());
  CHECK(parse_data_type("float31").error().message.find("'float31'") != std::string::npos);
  CHECK(name_of(static_cast<DataType>(99)) == "undefined");
  CHECK(bits_of(static_cast<DataType>(-1)) == 0);
}

// TensorProto.DataType of ONNX 1.20 and later.
TEST_CASE("numbers are those of TensorProto") {
  CHECK(static_cast<int>(DataType::f32) == 1);
  CHECK(static_cast<int>(DataType::bf16) == 16);
  CHECK(static_cast<int>(DataType::f8e4m3fn) == 17);
  CHECK(static_cast<int>(DataType::i4) == 22);
  CHECK(static_cast<int>(DataType::f4e2m1) == 23);
  CHECK(static_cast<int>(DataType::i2) == 26);
}

TEST_CASE("sizes in bytes, packed types rounded up") {
  struct Case {
    DataType type;
    int64_t count;
    size_t bytes;
  };
  const Case cases[] = {
      {DataType::f32, 3, 12},   {DataType::boolean, 3, 3}, {DataType::c128, 2, 32},
      {DataType::i4, 0, 0},     {DataType::i4, 1, 1},      {DataType::i4, 2, 1},
      {DataType::u4, 3, 2},     {DataType::i2, 4, 1},      {DataType::u2, 5, 2},
      {DataType::f4e2m1, 7, 4}, {DataType::f8e8m0, 7, 7},  {DataType::i4, INT64_MAX, size_t{1} << 62},
  };
  for (const Case& each : cases) {
    INFO(name_of(each.type) << " x " << each.count);
    CHECK(size_bytes(each.type, each.count).value() == each.bytes);
  }
  CHECK(size_bytes(DataType::f32, -1).error().code == Code::invalid_argument);
  CHECK(size_bytes(DataType::f32, INT64_MAX / 3).error().code == Code::invalid_argument);
  CHECK(size_bytes(DataType::string, 1).error().code == Code::unsupported);
}

TEST_CASE("every type is of one kind") {
  for (int32_t number = 1; number < data_type_count; ++number) {
    const auto type = static_cast<DataType>(number);
    INFO(name_of(type));
    const bool is_other = type == DataType::string || type == DataType::boolean;
    CHECK(is_float(type) + is_complex(type) + is_signed_integer(type) + is_unsigned_integer(type) + is_other == 1);
    CHECK(is_packed(type) == (bits_of(type) == 2 || bits_of(type) == 4));
  }
}
