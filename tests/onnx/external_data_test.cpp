// Tensors whose bytes lie in files beside the model. onnx.proto, TensorProto.external_data; what may be opened is
// mapped_file's to decide and tested there.
#include "graph/print.hpp"
#include "model_text.hpp"

using namespace heed;

namespace {

std::string external_model(const std::string& entries, const std::string& dims = "dims: 3", int data_type = 1) {
  return model_bytes(
      "node { op_type: 'Add' input: 'x' input: 'w' output: 'y' } input { name: 'x' } output { name: 'y' } "
      "initializer { name: 'w' data_location: EXTERNAL data_type: " +
      std::to_string(data_type) + " " + dims + " " + entries + " }");
}

std::string entry(const std::string& key, const std::string& value) {
  return "external_data { key: '" + key + "' value: '" + value + "' } ";
}

const Tensor& weights(const ModelFile& model) { return *model.graph->values[*model.graph->find_value("w")].constant; }

}  // namespace

TEST_CASE("external data by location, offset and length") {
  const ScratchFolder folder("external");
  folder.write("w.bin", bytes_of<float>({9, 1, 2, 3, 4}));
  folder.write("sub/w.bin", bytes_of<float>({5, 6, 7}));
  folder.write("odd.bin", "#" + bytes_of<float>({1, 2, 3}));
  struct Row {
    std::string entries;
    const char* elements;
  };
  const Row rows[] = {
      {entry("location", "w.bin") + entry("offset", "4") + entry("length", "12"), "{1.0, 2.0, 3.0}"},
      {entry("location", "w.bin"), "{9.0, 1.0, 2.0}"},
      {entry("location", "sub/w.bin") + entry("length", "12"), "{5.0, 6.0, 7.0}"},
      {entry("location", "odd.bin") + entry("offset", "1"), "{1.0, 2.0, 3.0}"},
  };
  for (const Row& row : rows) {
    INFO(row.entries);
    const auto path = folder.write("m.onnx", external_model(row.entries));
    for (const bool map : {true, false}) {
      const Result<ModelFile> model = read_model(path, {.map = map});
      INFO((model ? "" : model.error().message));
      REQUIRE(model);
      CHECK(print_elements(weights(*model)) == row.elements);
      CHECK(reinterpret_cast<uintptr_t>(weights(*model).data) % 4 == 0);
    }
    // From memory, the folder is given.
    const auto from_memory = read_bytes(external_model(row.entries), {.external_data_folder = folder.path()});
    REQUIRE(from_memory);
    CHECK(print_elements(weights(*from_memory)) == row.elements);
  }
}

TEST_CASE("external data that is missing, short, elsewhere or contradictory") {
  const ScratchFolder folder("external_bad");
  folder.write("model/w.bin", bytes_of<float>({1, 2, 3}));
  folder.write("outside.bin", bytes_of<float>({1, 2, 3}));
  struct Row {
    std::string entries;
    const char* error;
    Code code;
  };
  const Row rows[] = {
      {entry("location", "none.bin"), "none.bin", Code::io},
      {entry("location", "../outside.bin"), "outside.bin", Code::io},
      {entry("location", (folder.path() / "outside.bin").string()), "outside.bin", Code::io},
      {entry("location", "w.bin") + entry("offset", "4"),
       "its 12 bytes at offset 4 reach beyond the end of 'w.bin', which has 12 bytes", Code::io},
      {entry("location", "w.bin") + entry("offset", "18446744073709551615"), "reach beyond the end", Code::io},
      {entry("location", "w.bin") + entry("length", "8"), "its shape needs 12 bytes, its external data has 8",
       Code::invalid_model},
      {entry("location", "w.bin") + entry("offset", "-1"), "the offset '-1', which is no size", Code::invalid_model},
      {entry("location", "w.bin") + entry("length", "12x"), "the length '12x', which is no size", Code::invalid_model},
      {"", "external data without a location", Code::invalid_model},
  };
  for (const Row& row : rows) {
    INFO(row.entries);
    const auto model = read_model(folder.write("model/m.onnx", external_model(row.entries)));
    REQUIRE(!model);
    CHECK(model.error().code == row.code);
    CHECK_THAT(model.error().message,
               Catch::Contains(row.error) && Catch::Contains("tensor 'w'") && Catch::Contains("m.onnx"));
  }
  const auto nowhere = read_bytes(external_model(entry("location", "w.bin")));
  REQUIRE(!nowhere);
  CHECK_THAT(nowhere.error().message, Catch::Contains("the model came from memory"));
  CHECK(!read_model(folder.write("model/m.onnx", external_model(entry("location", "w.bin"), "dims: 1", 8))));
}

TEST_CASE("checksums are checked under strict") {
  const ScratchFolder folder("external_checksum");
  folder.write("w.bin", "abc");
  const auto with = [&](const std::string& checksum) {
    return folder.write("m.onnx",
                        external_model(entry("location", "w.bin") + entry("checksum", checksum), "dims: 3", 2));
  };
  CHECK(read_model(with("a9993e364706816aba3e25717850c26c9cd0d89d"), {.strict = true}));
  CHECK(read_model(with("0000000000000000000000000000000000000000")));
  const auto wrong = read_model(with("0000000000000000000000000000000000000000"), {.strict = true});
  REQUIRE(!wrong);
  CHECK_THAT(wrong.error().message, Catch::Contains("SHA-1 of 'w.bin' is a9993e364706816aba3e25717850c26c9cd0d89d"));
}

TEST_CASE("external data beyond 2 GiB") {
  const ScratchFolder folder("external_large");
  const auto data = folder.write("w.bin", "");
  const size_t offset = (size_t{3} << 30) + 4096;
  std::filesystem::resize_file(data, offset);
  std::ofstream(data, std::ios::binary | std::ios::app) << bytes_of<float>({7, 8, 9});
  const auto model = read_model(
      folder.write("m.onnx", external_model(entry("location", "w.bin") + entry("offset", std::to_string(offset)))));
  REQUIRE(model);
  CHECK(print_elements(weights(*model)) == "{7.0, 8.0, 9.0}");
}
