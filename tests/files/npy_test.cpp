// .npy files: NumPy's types, orders and versions, and files that are none. The format: numpy.lib.format.
#include "files/npy.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>

#include "graph/print.hpp"

using namespace heed;

namespace {

std::string npy(const std::string& descr, const std::string& shape, const std::string& data, bool is_fortran = false,
                int version = 1) {
  std::string header = "{'descr': '" + descr + "', 'fortran_order': " + (is_fortran ? "True" : "False") +
                       ", 'shape': " + shape + ", }\n";
  std::string bytes = "\x93NUMPY" + std::string(1, static_cast<char>(version)) + std::string(1, '\0');
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) bytes += static_cast<char>(header.size() >> (8 * i));
  return bytes + header + data;
}

template <class T>
std::string bytes_of(std::initializer_list<T> values) {
  return std::string(reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T));
}

std::string text_of(const std::string& bytes, std::optional<DataType> expected = std::nullopt) {
  const auto owner = std::make_shared<std::string>(bytes);
  const Result<Tensor> tensor = parse_npy(std::as_bytes(std::span(owner->data(), owner->size())), owner, expected);
  return tensor ? to_string(*tensor) + " " + print_elements(*tensor, 20) : tensor.error().message;
}

}  // namespace

TEST_CASE("NumPy's types in both byte orders") {
  struct Row {
    const char* descr;
    std::string data;
    const char* text;
  };
  const Row rows[] = {
      {"<f4", bytes_of<float>({1, -2}), "f32 [2] {1.0, -2.0}"},
      {">f4", std::string("\x3F\x80\0\0\xC0\0\0\0", 8), "f32 [2] {1.0, -2.0}"},
      {"<f8", bytes_of<double>({1, -2}), "f64 [2] {1.0, -2.0}"},
      {"<f2", bytes_of<uint16_t>({0x3C00, 0xC000}), "f16 [2] {1.0, -2.0}"},
      {">i2", std::string("\x01\x02\xFF\xFE", 4), "i16 [2] {258, -2}"},
      {"|i1", bytes_of<int8_t>({1, -1}), "i8 [2] {1, -1}"},
      {"|u1", bytes_of<uint8_t>({1, 255}), "u8 [2] {1, 255}"},
      {"|b1", bytes_of<uint8_t>({1, 0}), "bool [2] {1, 0}"},
      {"<i8", bytes_of<int64_t>({1, INT64_MIN}), "i64 [2] {1, -9223372036854775808}"},
      {">u8", std::string(15, '\0') + "\x05", "u64 [2] {0, 5}"},
      {"<u4", bytes_of<uint32_t>({1, UINT32_MAX}), "u32 [2] {1, 4294967295}"},
      {"<c8", bytes_of<float>({1, 2, 3, 4}), "c64 [2] {1.0, 2.0, 3.0, 4.0}"},
      {">c8", std::string("\x3F\x80\0\0\x40\0\0\0\x40\x40\0\0\x40\x80\0\0", 16), "c64 [2] {1.0, 2.0, 3.0, 4.0}"},
      {"<c16", bytes_of<double>({1, 2, 3, 4}), "c128 [2] {1.0, 2.0, 3.0, 4.0}"},
      {"|S3", std::string("ab\0cde", 6), "string [2] {\"ab\", \"cde\"}"},
      {"<U2", bytes_of<char32_t>({U'a', 0, U'\u00E9', U'\U0001F600'}),
       "string [2] {\"a\", \"\xC3\xA9\xF0\x9F\x98\x80\"}"},
      {">U1", std::string("\0\0\0a\0\0\0\0", 8), "string [2] {\"a\", \"\"}"},
      {"<U0", "", "string [2] {\"\", \"\"}"},
      {"|V2", bytes_of<uint16_t>({0x3F80, 0xC000}), "bf16 [2] {1.0, -2.0}"},
  };
  for (const Row& row : rows) {
    INFO(row.descr);
    CHECK(text_of(npy(row.descr, "(2,)", row.data)) == row.text);
    CHECK(text_of(npy(row.descr, "(2,)", row.data, false, 2)) == row.text);
    CHECK(text_of(npy(row.descr, "(2,)", row.data, true, 3)) == row.text);
  }
}

TEST_CASE("shapes and orders") {
  const std::string six = bytes_of<int32_t>({1, 2, 3, 4, 5, 6});
  CHECK(text_of(npy("<i4", "(2, 3)", six)) == "i32 [2, 3] {1, 2, 3, 4, 5, 6}");
  CHECK(text_of(npy("<i4", "(2, 3)", six, true)) == "i32 [2, 3] {1, 3, 5, 2, 4, 6}");
  CHECK(text_of(npy("<i4", "(1, 2, 3)", six, true)) == "i32 [1, 2, 3] {1, 3, 5, 2, 4, 6}");
  CHECK(text_of(npy("<i4", "(3L, 2L)", six)) == "i32 [3, 2] {1, 2, 3, 4, 5, 6}");
  CHECK(text_of(npy("<i4", "()", bytes_of<int32_t>({7}))) == "i32 [] {7}");
  CHECK(text_of(npy("<i4", "(0, 9223372036854775807)", "")) == "i32 [0, 9223372036854775807] {}");
}

TEST_CASE("the expected type decides what NumPy cannot tell") {
  CHECK(text_of(npy("|V1", "(2,)", bytes_of<uint8_t>({0x38, 0xC0})), DataType::f8e4m3fn) == "f8e4m3fn [2] {1.0, -2.0}");
  CHECK(text_of(npy("|V1", "(3,)", bytes_of<uint8_t>({0xF8, 7, 1})), DataType::i4) == "i4 [3] {-8, 7, 1}");
  CHECK(text_of(npy("|i1", "(3,)", bytes_of<int8_t>({-2, 1, -1})), DataType::i2) == "i2 [3] {-2, 1, -1}");
  CHECK(text_of(npy("|u1", "(2,)", bytes_of<uint8_t>({15, 3})), DataType::u4) == "u4 [2] {15, 3}");
  CHECK_THAT(text_of(npy("|V1", "(1,)", "x")), Catch::Contains("only an input whose type is known"));
}

TEST_CASE("files that are no arrays") {
  struct Row {
    std::string bytes;
    const char* error;
  };
  const std::string good = npy("<f4", "(2,)", bytes_of<float>({1, 2}));
  const Row rows[] = {
      {"", "no .npy file"},
      {"hello, world", "no .npy file"},
      {good.substr(0, 8), "cut short: its header"},
      {good.substr(0, 30), "cut short: its header claims"},
      {good.substr(0, good.size() - 1), "cut short: '<f4' [2] needs 4 bytes for each of 2 elements, it has 7"},
      {npy("<f4", "(2,)", "", false, 4), "its format version is 4"},
      {npy("|O", "(1,)", "x"), "Python objects"},
      {npy("<M8[ns]", "(1,)", "12345678"), "convert them with .astype"},
      {npy("<f16", "(1,)", std::string(16, '\0')), "convert them with .astype"},
      {npy("<f4", "(-1,)", ""), "its header is damaged"},
      {npy("<f4", "(4611686018427387904, 4)", ""), "more elements than fit"},
      {npy("<f4", "(4611686018427387904,)", ""), "more bytes than can be addressed"},
      {npy("<f4", "(1152921504606846976,)", ""), "cut short"},
      {npy("<U4611686018427387904", "(1,)", ""), "no type of NumPy"},
      {npy("<U0", "(1152921504606846976,)", ""), "cut short"},
  };
  for (const Row& row : rows) {
    INFO(row.error);
    CHECK_THAT(text_of(row.bytes), Catch::Contains(row.error));
  }
  for (size_t size = 0; size < good.size(); ++size) CHECK(!text_of(good.substr(0, size)).starts_with("f32"));
}

TEST_CASE("what is written reads back; what NumPy lacks is widened") {
  struct Row {
    Tensor tensor;
    const char* text;
  };
  const Row rows[] = {
      {Tensor::of<float>(DataType::f32, {2, 1}, std::vector<float>{1, 2}), "f32 [2, 1] {1.0, 2.0}"},
      {Tensor::of<int64_t>(DataType::i64, {}, std::vector<int64_t>{-5}), "i64 [] {-5}"},
      {Tensor::of<uint8_t>(DataType::boolean, {2}, std::vector<uint8_t>{1, 0}), "bool [2] {1, 0}"},
      {Tensor::of<double>(DataType::c128, {1}, std::vector<double>{1, 2}), "c128 [1] {1.0, 2.0}"},
      {Tensor::of<uint16_t>(DataType::bf16, {1}, std::vector<uint16_t>{0x3F80}), "f32 [1] {1.0}"},
      {Tensor::of<uint8_t>(DataType::f8e5m2, {1}, std::vector<uint8_t>{0xC0}), "f32 [1] {-2.0}"},
      {Tensor::of<uint8_t>(DataType::i4, {3}, std::vector<uint8_t>{0x78, 0x0F}), "i8 [3] {-8, 7, -1}"},
      {Tensor::of<uint8_t>(DataType::u2, {4}, std::vector<uint8_t>{0xE4}), "u8 [4] {0, 1, 2, 3}"},
      {Tensor::of_texts({2}, {"caf\xC3\xA9", ""}), "string [2] {\"caf\xC3\xA9\", \"\"}"},
      {Tensor::of_texts({1}, {"\xFF\xFE"}), "string [1] {\"\xFF\xFE\"}"},
      {Tensor{DataType::f32, {0, 3}, nullptr, 0, nullptr}, "f32 [0, 3] {}"},
  };
  const auto path = std::filesystem::path(HEED_BINARY_FOLDER) / ("scratch_" + std::to_string(getpid()) + ".npy");
  for (const Row& row : rows) {
    INFO(row.text);
    const std::string bytes = npy_bytes(row.tensor);
    CHECK(text_of(bytes) == row.text);
    CHECK(bytes.find('\n') % 64 == 63);  // the elements begin aligned
    REQUIRE(write_npy(path, row.tensor));
    const Result<Tensor> read_back = read_npy(path);
    REQUIRE(read_back);
    CHECK(to_string(*read_back) + " " + print_elements(*read_back, 20) == row.text);
  }
  std::filesystem::remove(path);
  CHECK(write_npy("/nonexistent/x.npy", rows[0].tensor).error().code == Code::io);
  CHECK(read_npy("/nonexistent/x.npy").error().code == Code::io);
}
