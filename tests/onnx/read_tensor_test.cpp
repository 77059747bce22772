// Tensors in every form in which a TensorProto keeps them. The forms: onnx.proto, TensorProto.
#include "onnx/read_tensor.hpp"

#include "graph/print.hpp"
#include "model_text.hpp"

using namespace heed;

namespace {

Result<onnx_file::NamedTensor> read(const std::string& message, bool is_sparse = false, size_t memory_limit_bytes = 0) {
  auto owner = std::make_shared<std::string>(message);
  const auto bytes = std::as_bytes(std::span(owner->data(), owner->size()));
  onnx_file::Source source(bytes, owner, "", FileAccess::map, false, memory_limit_bytes);
  return is_sparse ? onnx_file::read_sparse_tensor(bytes, source) : onnx_file::read_tensor(bytes, source);
}

std::string text_of(const std::string& message, bool is_sparse = false) {
  const Result<onnx_file::NamedTensor> read_back = read(message, is_sparse);
  return read_back ? to_string(read_back->tensor) + " " + print_elements(read_back->tensor, 100)
                   : read_back.error().message;
}

std::string packed(std::initializer_list<int64_t> numbers) {
  std::string bytes;
  for (const int64_t number : numbers) bytes += varint(static_cast<uint64_t>(number));
  return bytes;
}

constexpr int dims = 1, data_type = 2, segment = 3, float_data = 4, int32_data = 5, string_data = 6, int64_data = 7,
              name = 8, raw_data = 9, double_data = 10, uint64_data = 11;

std::string header(int type, std::initializer_list<int64_t> sizes) {
  return number_field(data_type, static_cast<uint64_t>(type)) + bytes_field(dims, packed(sizes));
}

}  // namespace

TEST_CASE("every data type from raw_data and from its typed field") {
  struct Row {
    int type;
    int64_t size;
    std::string raw;
    std::string typed;
    const char* elements;
  };
  const Row rows[] = {
      {1, 2, bytes_of<float>({1.5f, -2}), bytes_field(float_data, bytes_of<float>({1.5f, -2})), "f32 [2] {1.5, -2.0}"},
      {2, 2, bytes_of<uint8_t>({0, 255}), bytes_field(int32_data, packed({0, 255})), "u8 [2] {0, 255}"},
      {3, 2, bytes_of<int8_t>({-128, 127}), bytes_field(int32_data, packed({-128, 127})), "i8 [2] {-128, 127}"},
      {4, 1, bytes_of<uint16_t>({65535}), bytes_field(int32_data, packed({65535})), "u16 [1] {65535}"},
      {5, 1, bytes_of<int16_t>({-32768}), bytes_field(int32_data, packed({-32768})), "i16 [1] {-32768}"},
      {6, 2, bytes_of<int32_t>({INT32_MIN, 7}), bytes_field(int32_data, packed({INT32_MIN, 7})),
       "i32 [2] {-2147483648, 7}"},
      {7, 2, bytes_of<int64_t>({INT64_MIN, 7}), bytes_field(int64_data, packed({INT64_MIN, 7})),
       "i64 [2] {-9223372036854775808, 7}"},
      {9, 2, bytes_of<uint8_t>({1, 0}), bytes_field(int32_data, packed({1, 0})), "bool [2] {1, 0}"},
      {10, 2, bytes_of<uint16_t>({0x3C00, 0xC000}), bytes_field(int32_data, packed({0x3C00, 0xC000})),
       "f16 [2] {1.0, -2.0}"},
      {11, 1, bytes_of<double>({0.1}), bytes_field(double_data, bytes_of<double>({0.1})), "f64 [1] {0.1}"},
      {12, 1, bytes_of<uint32_t>({4294967295u}), bytes_field(uint64_data, packed({4294967295})),
       "u32 [1] {4294967295}"},
      {13, 1, bytes_of<uint64_t>({UINT64_MAX}), bytes_field(uint64_data, packed({-1})),
       "u64 [1] {18446744073709551615}"},
      {14, 1, bytes_of<float>({1, -2}), bytes_field(float_data, bytes_of<float>({1, -2})), "c64 [1] {1.0, -2.0}"},
      {15, 1, bytes_of<double>({1, -2}), bytes_field(double_data, bytes_of<double>({1, -2})), "c128 [1] {1.0, -2.0}"},
      {16, 2, bytes_of<uint16_t>({0x3F80, 0xC000}), bytes_field(int32_data, packed({0x3F80, 0xC000})),
       "bf16 [2] {1.0, -2.0}"},
      {17, 2, bytes_of<uint8_t>({0x38, 0xC0}), bytes_field(int32_data, packed({0x38, 0xC0})),
       "f8e4m3fn [2] {1.0, -2.0}"},
      {18, 1, bytes_of<uint8_t>({0x40}), bytes_field(int32_data, packed({0x40})), "f8e4m3fnuz [1] {1.0}"},
      {19, 2, bytes_of<uint8_t>({0x3C, 0xC0}), bytes_field(int32_data, packed({0x3C, 0xC0})), "f8e5m2 [2] {1.0, -2.0}"},
      {20, 1, bytes_of<uint8_t>({0x40}), bytes_field(int32_data, packed({0x40})), "f8e5m2fnuz [1] {1.0}"},
      {21, 3, bytes_of<uint8_t>({0xF1, 0x09}), bytes_field(int32_data, packed({0xF1, 0x09})), "u4 [3] {1, 15, 9}"},
      {22, 3, bytes_of<uint8_t>({0x81, 0x0F}), bytes_field(int32_data, packed({0x81, 0x0F})), "i4 [3] {1, -8, -1}"},
      {23, 3, bytes_of<uint8_t>({0x92, 0x07}), bytes_field(int32_data, packed({0x92, 0x07})),
       "f4e2m1 [3] {1.0, -0.5, 6.0}"},
      {24, 2, bytes_of<uint8_t>({127, 129}), bytes_field(int32_data, packed({127, 129})), "f8e8m0 [2] {1.0, 4.0}"},
      {25, 5, bytes_of<uint8_t>({0xE4, 0x02}), bytes_field(int32_data, packed({0xE4, 0x02})), "u2 [5] {0, 1, 2, 3, 2}"},
      {26, 5, bytes_of<uint8_t>({0xE4, 0x02}), bytes_field(int32_data, packed({0xE4, 0x02})),
       "i2 [5] {0, 1, -2, -1, -2}"},
  };
  for (const Row& row : rows) {
    INFO(row.elements);
    const std::string start = header(row.type, {row.size});
    CHECK(text_of(start + bytes_field(raw_data, row.raw)) == row.elements);
    CHECK(text_of(start + row.typed) == row.elements);
    // Some writers leave raw_data behind, empty.
    CHECK(text_of(start + bytes_field(raw_data, "") + row.typed) == row.elements);
  }
}

TEST_CASE("numbers that are not packed, packed in parts, or before their dims") {
  std::string one_by_one = header(7, {3});
  for (const int64_t number : {5, -6, 7}) one_by_one += number_field(int64_data, static_cast<uint64_t>(number));
  CHECK(text_of(one_by_one) == "i64 [3] {5, -6, 7}");
  CHECK(text_of(header(7, {3}) + bytes_field(int64_data, packed({5})) + number_field(int64_data, 6) +
                bytes_field(int64_data, packed({7}))) == "i64 [3] {5, 6, 7}");
  const std::string fixed32_tag = varint(float_data << 3 | 5);
  CHECK(text_of(fixed32_tag + bytes_of<float>({1}) + fixed32_tag + bytes_of<float>({2}) + header(1, {2})) ==
        "f32 [2] {1.0, 2.0}");
  std::string separate_dims = number_field(data_type, 2) + number_field(dims, 1) + number_field(dims, 2);
  CHECK(text_of(separate_dims + bytes_field(raw_data, "ab")) == "u8 [1, 2] {97, 98}");
}

TEST_CASE("strings, scalars and empty tensors") {
  CHECK(text_of(header(8, {2}) + bytes_field(string_data, "caf\xC3\xA9") + bytes_field(string_data, "")) ==
        "string [2] {\"caf\xC3\xA9\", \"\"}");
  CHECK(text_of(number_field(data_type, 1) + bytes_field(raw_data, bytes_of<float>({3}))) == "f32 [] {3.0}");
  CHECK(text_of(header(1, {0, 5})) == "f32 [0, 5] {}");
  CHECK(text_of(header(8, {0})) == "string [0] {}");
}

TEST_CASE("elements stay where they lie when they are aligned, and are copied when not") {
  for (size_t shift = 0; shift < 8; ++shift) {
    const std::string message =
        bytes_field(name, std::string(shift, 'n')) + header(7, {2}) + bytes_field(raw_data, bytes_of<int64_t>({1, 2}));
    auto owner = std::make_shared<std::string>(message);
    const auto bytes = std::as_bytes(std::span(owner->data(), owner->size()));
    onnx_file::Source source(bytes, owner, "", FileAccess::map, false, 0);
    const Result<onnx_file::NamedTensor> read_back = onnx_file::read_tensor(bytes, source);
    REQUIRE(read_back);
    const std::byte* data = read_back->tensor.data;
    const bool was_aligned = reinterpret_cast<uintptr_t>(bytes.data() + bytes.size() - 16) % 8 == 0;
    const bool is_borrowed = data >= bytes.data() && data < bytes.data() + bytes.size();
    CHECK(is_borrowed == was_aligned);
    CHECK(reinterpret_cast<uintptr_t>(data) % 8 == 0);
    CHECK(print_elements(read_back->tensor) == "{1, 2}");
  }
}

TEST_CASE("tensors that contradict themselves") {
  struct Row {
    std::string message;
    const char* error;
  };
  const std::string named = bytes_field(name, "w");
  const Row rows[] = {
      {named + header(1, {2, 3}) + bytes_field(raw_data, std::string(20, 'x')),
       "tensor 'w': f32 [2, 3] needs 24 bytes, its raw_data has 20"},
      {named + header(1, {2}) + bytes_field(float_data, bytes_of<float>({1})),
       "f32 [2] needs 2 numbers in field 4, it has 1"},
      {named + header(1, {2}) + bytes_field(int32_data, packed({1, 2})),
       "f32 [2] needs 2 numbers in field 4, it has 0"},
      {named + header(22, {3}) + bytes_field(int32_data, packed({1})), "i4 [3] needs 2 numbers in field 5, it has 1"},
      {named + header(99, {1}) + bytes_field(raw_data, "x"), "tensor 'w' has the data type 99, expected 1 to 26"},
      {named + bytes_field(raw_data, "x"), "tensor 'w' has the data type 0"},
      {named + header(1, {-1}), "shape [-1] has a negative size"},
      {named + header(1, {INT64_MAX, 16}), "more elements than fit"},
      {named + header(8, {1}) + bytes_field(raw_data, "x"), "strings cannot lie in raw_data"},
      {named + header(8, {1}), "string [1] needs 1 numbers in field 6, it has 0"},
      {named + header(1, {1}) + bytes_field(segment, "") + bytes_field(raw_data, "1234"),
       "one segment of a larger tensor"},
      {named + header(1, {1}) + bytes_field(float_data, "123"), "cut short or damaged"},
      {named + header(7, {1}) + bytes_field(int64_data, "\xFF"), "cut short or damaged"},
      {named + header(1, {1}) + "\x4A\x7F", "field 9 claims 127 bytes where 0 are left"},
      {named + header(7, {int64_t{1} << 40}) + bytes_field(raw_data, ""), "numbers in field 7, it has 0"},
  };
  for (const Row& row : rows) {
    INFO(row.error);
    CHECK_THAT(text_of(row.message), Catch::Contains(row.error));
  }
}

TEST_CASE("sparse tensors become dense ones") {
  const auto sparse = [](const std::string& values, const std::string& indices, std::initializer_list<int64_t> sizes) {
    return bytes_field(1, values) + bytes_field(2, indices) + bytes_field(3, packed(sizes));
  };
  const auto indices = [](std::initializer_list<int64_t> sizes, std::initializer_list<int64_t> numbers) {
    return header(7, sizes) + bytes_field(int64_data, packed(numbers));
  };
  const std::string values = bytes_field(name, "s") + header(1, {2}) + bytes_field(raw_data, bytes_of<float>({5, 6}));
  CHECK(text_of(sparse(values, indices({2}, {1, 5}), {2, 3}), true) == "f32 [2, 3] {0.0, 5.0, 0.0, 0.0, 0.0, 6.0}");
  CHECK(text_of(sparse(values, indices({2, 2}, {0, 2, 1, 0}), {2, 3}), true) ==
        "f32 [2, 3] {0.0, 0.0, 5.0, 6.0, 0.0, 0.0}");
  const std::string nibbles = header(22, {2}) + bytes_field(raw_data, "\x7F");
  CHECK(text_of(sparse(nibbles, indices({2}, {1, 2}), {5}), true) == "i4 [5] {0, -1, 7, 0, 0}");
  const std::string texts = header(8, {1}) + bytes_field(string_data, "here");
  CHECK(text_of(sparse(texts, indices({1}, {1}), {2}), true) == "string [2] {\"\", \"here\"}");

  struct Row {
    std::string message;
    const char* error;
  };
  const Row rows[] = {
      {sparse(values, indices({2}, {1, 6}), {2, 3}), "sparse tensor 's': its index 6 (of value 1) is not in [0, 6)"},
      {sparse(values, indices({2}, {-1, 3}), {2, 3}), "its index -1"},
      {sparse(values, indices({2, 2}, {0, 3, 1, 0}), {2, 3}), "its index 3 (of value 0) is not in [0, 3)"},
      {sparse(values, indices({2}, {3, 3}), {2, 3}), "do not ascend"},
      {sparse(values, indices({3}, {1, 2, 3}), {2, 3}), "its indices are i64 [3], expected i64 [2] or [2, 2]"},
      {sparse(values, indices({2}, {1, 2}), {-2, 3}), "negative"},
      {sparse(header(1, {1, 1}) + bytes_field(raw_data, "1234"), indices({1}, {0}), {2}), "expected one axis"},
      {sparse("", "", {2}), "has the data type 0"},
  };
  for (const Row& row : rows) {
    INFO(row.error);
    CHECK_THAT(text_of(row.message, true), Catch::Contains(row.error));
  }
  const auto huge = read(sparse(values, indices({2}, {1, 5}), {1 << 30, 1 << 20}), true, 1 << 20);
  REQUIRE(!huge);
  CHECK(huge.error().code == Code::out_of_memory);
}
