// Values in files of their own: written and read back.
#include "onnx/read_value.hpp"

#include "graph/print.hpp"
#include "model_text.hpp"

using namespace heed;

namespace {

HostValue tensor_value(Tensor tensor) {
  HostValue value;
  value.tensor = std::move(tensor);
  return value;
}

HostValue holder(Kind kind, std::vector<HostValue> elements) {
  HostValue value;
  value.kind = kind;
  value.present = kind != Kind::optional || !elements.empty();
  value.elements = std::move(elements);
  return value;
}

std::string text_of(const HostValue& value) {
  if (value.kind == Kind::tensor) return to_string(value.tensor) + print_elements(value.tensor);
  std::string text = value.kind == Kind::sequence ? "seq(" : value.kind == Kind::optional ? "opt(" : "map(";
  for (const HostValue& element : value.elements) text += text_of(element) + ";";
  return text + (value.present ? ")" : "absent)");
}

}  // namespace

TEST_CASE("values of every kind are read back as they were written") {
  const ScratchFolder folder("value");
  const HostValue floats = tensor_value(Tensor::of<float>(DataType::f32, {2}, std::vector<float>{1, -2}));
  const HostValue nibbles = tensor_value(Tensor::of<uint8_t>(DataType::i4, {3}, std::vector<uint8_t>{0x81, 0x0F}));
  const HostValue texts = tensor_value(Tensor::of_texts({2, 1}, {"caf\xC3\xA9", std::string("\0x", 2)}));
  const HostValue empty = tensor_value(Tensor{DataType::i64, {0, 2}, nullptr, 0, nullptr});
  const HostValue keys = tensor_value(Tensor::of<int64_t>(DataType::i64, {2}, std::vector<int64_t>{3, 4}));
  const HostValue values[] = {
      floats,
      nibbles,
      texts,
      empty,
      holder(Kind::sequence, {}),
      holder(Kind::sequence, {floats, texts}),
      holder(Kind::sequence, {holder(Kind::sequence, {floats}), holder(Kind::sequence, {})}),
      holder(Kind::optional, {}),
      holder(Kind::optional, {floats}),
      holder(Kind::optional, {holder(Kind::sequence, {empty})}),
      holder(Kind::map, {keys, holder(Kind::sequence, {floats, nibbles})}),
      holder(Kind::map, {tensor_value(Tensor::of_texts({1}, {"k"})), holder(Kind::sequence, {floats})}),
  };
  for (const HostValue& value : values) {
    INFO(text_of(value));
    const auto path = folder.path() / "value.pb";
    REQUIRE(write_value(path, value, "v"));
    ValueType type;
    type.kind = value.kind;
    const Result<HostValue> read_back = read_value(path, type);
    INFO((read_back ? "" : read_back.error().message));
    REQUIRE(read_back);
    CHECK(text_of(*read_back) == text_of(value));
  }
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("values that cannot be read or written") {
  const ScratchFolder folder("value_bad");
  CHECK(read_value(folder.path() / "none.pb", {}).error().code == Code::io);
  CHECK_THAT(read_value(folder.write("text.pb", "hello"), {}).error().message, Catch::Contains("text.pb"));
  CHECK(write_value(folder.path() / "no" / "where.pb", tensor_value({}), "").error().code == Code::io);
  std::string deep;
  for (int depth = 0; depth < 1000; ++depth) deep = bytes_field(5, deep);
  ValueType sequence;
  sequence.kind = Kind::sequence;
  const auto nested = read_value(folder.write("deep.pb", deep), sequence);
  REQUIRE(!nested);
  CHECK_THAT(nested.error().message, Catch::Contains("too deep"));
}
