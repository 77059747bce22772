// Files that are no sound models: each gives an error that says what is wrong, and none a crash.
#include "graph/print.hpp"
#include "model_text.hpp"
#include "onnx/sha1.hpp"
#include "suite_data.hpp"

using namespace heed;

namespace {

const std::string ends = "input { name: 'x' type { tensor_type { elem_type: 1 } } } output { name: 'y' } ";

// A small model that has a bit of everything.
std::string rich_model() {
  std::string bytes = model_bytes(
      R"(
    node { op_type: 'Add' input: 'x' input: 'w' output: 'a' attribute { name: 'i' type: INTS ints: 1 ints: 2 } }
    node { op_type: 'If' input: 'c' output: 'b' attribute { name: 'then_branch' type: GRAPH g { name: 's'
      node { op_type: 'Neg' input: 'a' output: 'p' } output { name: 'p' type { tensor_type { elem_type: 1 } } } } } }
    node { op_type: 'Constant' output: 'k' attribute { name: 'value' type: TENSOR t { data_type: 7 dims: 2 int64_data: 5 int64_data: 6 } } }
    node { op_type: 'f' domain: 'l' input: 'b' input: 'k' input: 't' output: 'y' }
    initializer { name: 'w' data_type: 1 dims: 2 dims: 2 raw_data: '0123456789abcdef' }
    initializer { name: 't' data_type: 8 dims: 2 string_data: 'ab' string_data: 'c' }
    sparse_initializer { dims: 4 values { name: 'v' data_type: 1 dims: 1 float_data: 4 } indices { data_type: 7 dims: 1 int64_data: 2 } }
    input { name: 'c' type { tensor_type { elem_type: 9 shape { dim { dim_param: 'N' } dim { dim_value: 4 } } } } }
    value_info { name: 'a' type { optional_type { elem_type { sequence_type { elem_type { tensor_type { elem_type: 1 } } } } } } })" +
          ends,
      "metadata_props { key: 'k' value: 'v' } opset_import { domain: 'l' version: 1 } "
      "functions { name: 'f' domain: 'l' input: 'p' input: 'q' input: 's' output: 'r' attribute: 'z' "
      "node { op_type: 'Neg' input: 'p' output: 'r' attribute { name: 'z' type: INT ref_attr_name: 'z' } } }");
  return bytes;
}

}  // namespace

TEST_CASE("models that contradict themselves say which node or value does") {
  struct Row {
    std::string graph;
    const char* error;
  };
  const Row rows[] = {
      {"node { op_type: 'Neg' input: 'z' output: 'y' }" + ends,
       "node 'Neg_0' (Neg) reads, as input 0, 'z', which no node makes"},
      {"node { op_type: 'Neg' input: 'x' output: 'z' }" + ends, "output 'y' of the graph: no node makes it"},
      {"node { op_type: 'Neg' input: 'x' output: 'y' } node { name: 'two' op_type: 'Abs' input: 'x' output: 'y' }" +
           ends,
       "value 'y' is defined twice: by node 0 (Neg) and by node 'two' (Abs)"},
      {"node { op_type: 'Neg' input: 'x' output: 'x' }" + ends,
       "value 'x' is defined twice: by an input or initializer and by node 0 (Neg)"},
      {"node { op_type: 'Add' input: 'x' input: 'b' output: 'a' } node { op_type: 'Neg' input: 'a' output: 'b' } "
       "node { op_type: 'Abs' input: 'b' output: 'y' }" +
           ends,
       "circle: node 'Add_0' (Add) -> node 'Neg_1' (Neg) -> node 'Add_0' (Add)"},
      {"node { op_type: 'Neg' input: 'y' output: 'y' }" + ends, "circle: node 'Neg_0' (Neg) -> node 'Neg_0' (Neg)"},
      {"initializer { name: 'w' data_type: 1 float_data: 1 } initializer { name: 'w' data_type: 1 float_data: 1 }" +
           ends,
       "value 'w' is defined twice"},
      {"initializer { data_type: 1 float_data: 1 }" + ends, "an initializer f32 [] has no name"},
      {"initializer { name: 'w' data_type: 77 }" + ends, "tensor 'w' has the data type 77"},
      {"input { type { tensor_type { elem_type: 1 } } } output { name: 'y' }", "input 0 of the graph has no name"},
      {"node { input: 'x' output: 'y' }" + ends, "node 0 () has no op_type"},
      {"node { op_type: 'Neg' input: 'x' output: 'y' attribute { type: INT i: 1 } }" + ends,
       "node 0 (Neg): an attribute has no name"},
      {"node { op_type: 'Neg' input: 'x' output: 'y' attribute { name: 'a' i: 1 } attribute { name: 'a' i: 1 } }" +
           ends,
       "attribute 'a' is given twice"},
      {"node { op_type: 'Neg' input: 'x' output: 'y' attribute { name: 'a' } }" + ends,
       "attribute 'a': it has neither a kind nor content"},
      {"node { op_type: 'Neg' input: 'x' output: 'y' attribute { name: 'a' type: TENSOR } }" + ends,
       "attribute 'a': it holds no tensor"},
      {"node { op_type: 'Neg' input: 'x' output: 'y' attribute { name: 'a' type: TYPE_PROTOS } }" + ends,
       "attribute 'a': it is a list of types"},
      {"node { op_type: 'If' input: 'x' output: 'y' attribute { name: 'b' type: GRAPH g { output { name: 'p' } } } }" +
           ends,
       "a subgraph of node 'If_0' (If) reads 'p'"},
      {"node { op_type: 'Neg' input: 'x' output: 'y' } value_info { name: 'y' type { tensor_type { elem_type: 88 } } "
       "}" +
           ends,
       "value 'y': its data type is 88"},
      {"initializer { name: 'x' data_type: 1 float_data: 1 } input { name: 'x' type { sequence_type { } } } output { "
       "name: 'x' }",
       "initializer 'x' is f32 [], the input of that name is sequence(?)"},
  };
  for (const Row& row : rows) {
    INFO(row.graph);
    const auto model = read_bytes(model_bytes(row.graph));
    REQUIRE(!model);
    CHECK_THAT(model.error().message, Catch::Contains(row.error) && Catch::StartsWith("model from memory: "));
  }
}

TEST_CASE("an attribute of an unknown kind") {
  // An enum's unknown value cannot be written through the generated classes.
  const std::string attribute = bytes_field(1, "a") + number_field(20, 99);
  const std::string node = bytes_field(2, "y") + bytes_field(4, "Neg") + bytes_field(5, attribute);
  const auto model = read_bytes(bytes_field(7, bytes_field(1, node)));
  REQUIRE(!model);
  CHECK_THAT(model.error().message, Catch::Contains("attribute 'a': its kind is 99"));
}

TEST_CASE("foreign files are recognised") {
  struct Row {
    std::string bytes;
    const char* error;
  };
  const Row rows[] = {
      {"", "the file is empty"},
      {std::string("PK\x03\x04\x14\x00\x00\x00\x08\x00", 10), "a zip archive, such as a PyTorch checkpoint"},
      {std::string("\x10\x00\x00\x00\x00\x00\x00\x00{\"w\":{\"dtype\":1}}", 25), "a safetensors file"},
      {std::string("\x1C\x00\x00\x00TFL3\x14\x00\x20\x00", 12), "a TensorFlow Lite model"},
      {std::string("\x80\x02\x8a\x0al\xfc\x9c", 7), "a Python pickle"},
      {"\x89HDF\r\n\x1a\nxxxx", "an HDF5 file"},
      {"GGUF\x03", "a GGUF file"},
      {"\x93NUMPY\x01", "a NumPy array"},
      {"hello, this is no model\n", "text"},
      {"{\"model\": 1}\n", "JSON text"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "a Git LFS pointer"},
      {"<!DOCTYPE html><html></html>", "a web page"},
      {std::string(1000, '\0'), "begins no field"},
      {std::string(1000, '\xFF'), "begins no field"},
      {number_field(1, 8), "it holds no graph"},
      {bytes_field(7, "") + bytes_field(7, ""), "it holds 2 graphs"},
  };
  for (const Row& row : rows) {
    INFO(row.error);
    const auto model = read_bytes(row.bytes);
    REQUIRE(!model);
    CHECK(model.error().code == Code::invalid_model);
    CHECK_THAT(model.error().message, Catch::Contains(row.error));
  }
}

TEST_CASE("subgraphs and types that stand too deep in each other are refused") {
  std::string graph = bytes_field(1, bytes_field(4, "Neg"));
  for (int depth = 0; depth < 100; ++depth) {
    const std::string attribute = bytes_field(1, "g") + number_field(20, 5) + bytes_field(6, graph);
    graph = bytes_field(1, bytes_field(4, "If") + bytes_field(5, attribute));
  }
  const auto nested = read_bytes(number_field(1, 10) + bytes_field(7, graph));
  REQUIRE(!nested);
  CHECK(nested.error().code == Code::unsupported);
  CHECK_THAT(nested.error().message, Catch::Contains("more than 64 deep"));

  std::string type;
  for (int depth = 0; depth < 5000; ++depth) type = bytes_field(4, bytes_field(1, type));
  const auto typed = read_bytes(bytes_field(7, bytes_field(11, bytes_field(1, "x") + bytes_field(2, type))));
  REQUIRE(!typed);
  CHECK_THAT(typed.error().message, Catch::Contains("types in types too deep"));
}

TEST_CASE("memory that a model asks for is bounded") {
  const std::string graph = "initializer { name: 'w' data_type: 7 dims: 1000 int64_data: " + [] {
    std::string numbers = "1";
    for (int i = 1; i < 1000; ++i) numbers += " int64_data: 1";
    return numbers;
  }() + " }" + ends + "node { op_type: 'Neg' input: 'x' output: 'y' }";
  CHECK(read_bytes(model_bytes(graph), {.memory_limit_bytes = 8000}));
  const auto refused = read_bytes(model_bytes(graph), {.memory_limit_bytes = 7999});
  REQUIRE(!refused);
  CHECK(refused.error().code == Code::out_of_memory);
  CHECK_THAT(refused.error().message, Catch::Contains("tensor 'w'"));
}

TEST_CASE("a file over 2 GiB is told to use external data") {
  const ScratchFolder folder("huge");
  const auto path = folder.write("huge.onnx", "\x08\x0A");
  std::filesystem::resize_file(path, (size_t{2} << 30) + 100);  // sparse: takes no room
  const auto model = read_model(path);
  REQUIRE(!model);
  CHECK(model.error().code == Code::unsupported);
  CHECK_THAT(model.error().message, Catch::Contains("external data") && Catch::Contains(path.string()));
}

TEST_CASE("a model that is cut anywhere gives an error or a model, never a crash") {
  const std::string bytes = rich_model();
  REQUIRE(read_bytes(bytes));
  for (size_t size = 0; size < bytes.size(); ++size) {
    const auto model = read_bytes(bytes.substr(0, size));
    if (model) print(*model->graph);  // cut between two fields of the model
  }
}

TEST_CASE("altered models give an error or a model, never a crash") {
  std::vector<std::string> models = {rich_model()};
  if (const auto suite = suite_folder()) {
    for (const char* name :
         {"node/test_if_seq", "node/test_loop13_seq", "node/test_constant", "node/test_sequence_map_add_2_sequences",
          "node/test_optional_get_element_sequence", "node/test_strnormalizer_nostopwords_nochangecase"}) {
      const auto path = *suite / name / "model.onnx";
      REQUIRE(std::filesystem::exists(path));
      std::ifstream stream(path, std::ios::binary);
      models.emplace_back(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
    }
  }
  uint64_t state = 42;
  const auto random = [&](size_t below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<size_t>(state >> 33) % below;
  };
  int read_count = 0;
  for (int round = 0; round < 6000; ++round) {
    std::string bytes = models[random(models.size())];
    const size_t changes = 1 + random(3);
    for (size_t change = 0; change < changes; ++change) {
      switch (random(4)) {
        case 0:
          bytes[random(bytes.size())] ^= static_cast<char>(1 << random(8));
          break;
        case 1:
          bytes[random(bytes.size())] = static_cast<char>(random(256));
          break;
        case 2:
          bytes.erase(random(bytes.size()), 1 + random(4));
          break;
        default:
          bytes.insert(random(bytes.size()), 1 + random(4), static_cast<char>(random(256)));
          break;
      }
    }
    const auto model = read_bytes(bytes, {.memory_limit_bytes = size_t{64} << 20});
    if (!model) continue;
    ++read_count;
    print(*model->graph);
  }
  CHECK(read_count > 100);
}

TEST_CASE("SHA-1 of known texts (FIPS 180-4, examples)") {
  const auto of = [](const std::string& text) {
    return onnx_file::sha1_hex(std::as_bytes(std::span(text.data(), text.size())));
  };
  CHECK(of("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  CHECK(of("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d");
  CHECK(of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") == "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  CHECK(of(std::string(1000000, 'a')) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}
