// What becomes of a sound model: opsets, names, defaults, types, attributes, subgraphs.
#include "onnx/read_model.hpp"

#include "graph/print.hpp"
#include "model_text.hpp"

using namespace heed;

namespace {

constexpr const char* float_x = "input { name: 'x' type { tensor_type { elem_type: 1 } } } ";
constexpr const char* output_y = "output { name: 'y' } ";
constexpr const char* relu = "node { op_type: 'Relu' input: 'x' output: 'y' } ";

std::string graph_text(const std::string& nodes) { return nodes + float_x + output_y; }

const Value& value_of(const Graph& graph, std::string_view name) {
  return graph.values[graph.find_value(name).value()];
}

}  // namespace

TEST_CASE("a model's properties") {
  const ModelFile model =
      model_of(model_bytes(graph_text(relu), R"(producer_name: 'p' producer_version: '2' doc_string: 'd'
    metadata_props { key: 'k' value: 'v' } opset_import { domain: 'com.acme' version: 3 })"));
  CHECK(model.ir_version == 10);
  CHECK(model.producer == "p");
  CHECK(model.producer_version == "2");
  CHECK(model.doc == "d");
  CHECK(model.metadata.at("k") == "v");
  CHECK(model.opsets.at("") == 21);
  CHECK(model.opsets.at("com.acme") == 3);
  CHECK(model.warnings.empty());
  CHECK(model.graph->nodes[0].opset == 21);
  CHECK(model.graph->nodes[0].name == "Relu_0");
}

TEST_CASE("unknown versions are warned of and tried") {
  struct Row {
    const char* model;
    const char* warning;
    int32_t opset;
  };
  const Row rows[] = {
      {"ir_version: 99 opset_import { version: 21 }", "IR version 99 is newer than 14", 21},
      {"ir_version: 10 opset_import { version: 99 }", "opset 99 is newer than 28", 99},
      {"ir_version: 10 opset_import { domain: 'ai.onnx' version: 7 } training_info { }",
       "training information is ignored", 7},
      {"ir_version: 2", "IR version 2 is older than 3", 1},
      {"ir_version: 10", "it imports no opset", 1},
      {"opset_import { version: 5 }", "IR version 0 is older", 5},
  };
  for (const Row& row : rows) {
    INFO(row.model);
    const std::string text = std::string(row.model) + " graph { " + graph_text(relu) + "}";
    const ModelFile model = model_of(proto_of<onnx::ModelProto>(text).SerializeAsString());
    REQUIRE(model.warnings.size() == 1);
    CHECK_THAT(model.warnings[0], Catch::Contains(row.warning));
    CHECK(model.graph->nodes[0].opset == row.opset);
  }
}

TEST_CASE("an initializer that is also an input is a constant unless it is declared overridable") {
  const std::string bytes = model_bytes(R"(
    node { op_type: 'Add' input: 'x' input: 'w' output: 'y' }
    initializer { name: 'w' data_type: 1 dims: 2 float_data: 1 float_data: 2 }
    input { name: 'w' type { tensor_type { elem_type: 1 shape { dim { dim_param: 'K' } } } } })" +
                                        std::string(float_x) + output_y);
  const ModelFile model = model_of(bytes);
  REQUIRE(model.graph->inputs.size() == 1);
  CHECK(model.graph->values[model.graph->inputs[0]].name == "x");
  CHECK(!value_of(*model.graph, "w").is_input);
  CHECK(to_string(value_of(*model.graph, "w").type) == "f32 [2]");
  CHECK(model.defaulted_inputs == std::vector<std::string>{"w"});

  const ModelFile overridable = model_of(bytes, {.overridable = {"w"}});
  REQUIRE(overridable.graph->inputs.size() == 2);
  CHECK(value_of(*overridable.graph, "w").is_input);
  CHECK(value_of(*overridable.graph, "w").constant);
  CHECK(to_string(value_of(*overridable.graph, "w").type) == "f32 [K]");
  CHECK(overridable.defaulted_inputs.empty());

  const auto unknown = read_bytes(bytes, {.overridable = {"x"}});
  REQUIRE(!unknown);
  CHECK(unknown.error().code == Code::invalid_argument);
}

TEST_CASE("types of values: sizes, symbols, expressions, containers") {
  const ModelFile model = model_of(model_bytes(R"(
    node { op_type: 'F' input: 'x' input: 's' input: 'o' input: 'm' input: 'q' output: 'y' output: 'z' output: 'u' }
    input { name: 'x' type { tensor_type { elem_type: 1 shape {
        dim { dim_param: 'N' } dim { dim_value: 3 } dim { dim_param: 'past + 1' } dim { } dim { dim_value: -1 }
        dim { dim_param: '?' } dim { dim_param: '?' } } } } }
    input { name: 's' type { sequence_type { elem_type { tensor_type { elem_type: 7 } } } } }
    input { name: 'o' type { optional_type { elem_type { sequence_type { elem_type { tensor_type { elem_type: 8 } } } } } } }
    input { name: 'm' type { map_type { key_type: 7 value_type { tensor_type { elem_type: 1 } } } } }
    input { name: 'q' type { sequence_type { elem_type { map_type { key_type: 7 value_type { tensor_type { elem_type: 1 } } } } } } }
    output { name: 'y' type { tensor_type { elem_type: 1 shape { } } } }
    output { name: 'z' type { tensor_type { shape { dim { } dim { dim_value: 2 } } } } }
    value_info { name: 'u' type { tensor_type { elem_type: 26 shape { dim { dim_param: 'N' } } } } }
    value_info { name: 'nowhere' type { tensor_type { elem_type: 1 } } })"));
  const Graph& graph = *model.graph;
  const ValueType& x = value_of(graph, "x").type;
  REQUIRE(x.dims);
  REQUIRE(x.dims->size() == 7);
  CHECK(to_string((*x.dims)[0]) == "N");
  CHECK((*x.dims)[1] == Dim(3));
  CHECK((*x.dims)[2] == graph.dims().symbol("past") + 1);
  CHECK((*x.dims)[3] != (*x.dims)[4]);
  CHECK((*x.dims)[5] != (*x.dims)[6]);
  CHECK(to_string(value_of(graph, "s").type) == "sequence(i64)");
  CHECK(to_string(value_of(graph, "o").type) == "optional(sequence(string))");
  CHECK(to_string(value_of(graph, "m").type) == "map(f32)");
  CHECK(to_string(value_of(graph, "q").type) == "sequence(?)");
  CHECK(to_string(value_of(graph, "y").type) == "f32 []");
  CHECK(to_string(value_of(graph, "z").type) == "?");
  CHECK(to_string(value_of(graph, "u").type) == "i2 [N]");
  CHECK(!graph.find_value("nowhere"));
}

TEST_CASE("attributes of every kind") {
  const ModelFile model = model_of(model_bytes(graph_text(R"(node { op_type: 'F' input: 'x' output: 'y'
    attribute { name: 'f' type: FLOAT f: 1.5 } attribute { name: 'i' type: INT i: -3 } attribute { name: 's' type: STRING s: 'text' }
    attribute { name: 'i0' type: INT }
    attribute { name: 'fs' type: FLOATS floats: 1 floats: 2 } attribute { name: 'is' type: INTS ints: 1 ints: -2 }
    attribute { name: 'ss' type: STRINGS strings: 'a' strings: 'b' } attribute { name: 'none' type: INTS }
    attribute { name: 't' type: TENSOR t { data_type: 7 dims: 1 int64_data: 9 } }
    attribute { name: 'ts' type: TENSORS tensors { data_type: 1 float_data: 1 } tensors { data_type: 6 int32_data: 2 } }
    attribute { name: 'sp' type: SPARSE_TENSOR sparse_tensor { dims: 3 values { data_type: 1 dims: 1 float_data: 4 }
                                                               indices { data_type: 7 dims: 1 int64_data: 1 } } }
    attribute { name: 'tp' type: TYPE_PROTO tp { tensor_type { elem_type: 1 } } }
    attribute { name: 'g' type: GRAPH g { name: 'sub' node { op_type: 'Neg' input: 'x' output: 'p' } output { name: 'p' } } }
    attribute { name: 'old' ints: 4 ints: 5 } })")));
  CHECK(
      print(*model.graph, model.graph->nodes[0]) ==
      "y = F<f = 1.5, fs = [1.0, 2.0], g = sub () => (p) {\n  p = Neg(x)\n}, i = -3, i0 = 0, is = [1, -2], none = [], "
      "old = [4, 5], s = \"text\", sp = f32 [3] {0.0, 4.0, 0.0}, ss = [\"a\", \"b\"], t = i64 [1] {9}, tp = f32, "
      "ts = [f32 [] {1.0}, i32 [] {2}]>(x)");
}

TEST_CASE("node names are made unique, and made up where there is none") {
  const ModelFile model = model_of(model_bytes(graph_text(R"(
    node { name: 'n' op_type: 'Neg' input: 'x' output: 'a' } node { name: 'n' op_type: 'Neg' input: 'a' output: 'b' }
    node { op_type: 'Abs' input: 'b' output: 'c' } node { name: 'n_2' op_type: 'Abs' input: 'c' output: 'y' })")));
  std::vector<std::string> names;
  for (const Node& node : model.graph->nodes) names.push_back(node.name);
  CHECK(names == std::vector<std::string>{"n", "n_2", "Abs_2", "n_2_2"});
}

TEST_CASE("the overload of a node, which older protobuf classes do not know") {
  onnx::ModelProto proto = proto_of<onnx::ModelProto>("ir_version: 10 opset_import { version: 21 }");
  const std::string node =
      proto_of<onnx::NodeProto>("op_type: 'F' domain: 'd' input: 'x' output: 'y'").SerializeAsString() +
      bytes_field(8, "fast");
  const std::string graph =
      bytes_field(1, node) + proto_of<onnx::GraphProto>(std::string(float_x) + output_y).SerializeAsString();
  const ModelFile model = model_of(proto.SerializeAsString() + bytes_field(7, graph));
  CHECK(model.graph->nodes[0].overload == "fast");
  CHECK(model.graph->nodes[0].domain == "d");
  CHECK(model.graph->nodes[0].opset == 1);
}

TEST_CASE("absent inputs and outputs, unsorted nodes, an output that is an input") {
  const ModelFile model = model_of(model_bytes(R"(
    node { op_type: 'Neg' input: 'a' output: 'y' } node { op_type: 'Clip' input: 'x' input: '' input: 'x' output: 'a' output: '' }
    output { name: 'y' } output { name: 'x' } output { name: 'y' })" +
                                               std::string(float_x)));
  const Graph& graph = *model.graph;
  CHECK(graph.nodes[0].op_type == "Clip");
  CHECK(graph.nodes[0].inputs[1] == no_id);
  CHECK(graph.nodes[0].outputs[1] == no_id);
  CHECK(graph.outputs.size() == 3);
  CHECK(graph.outputs[1] == graph.inputs[0]);
  CHECK(graph.outputs[0] == graph.outputs[2]);
}

TEST_CASE("a subgraph's own names hide those around it; its initializers are its constants") {
  const ModelFile model = model_of(model_bytes(graph_text(R"(node { op_type: 'If' input: 'x' output: 'y'
    attribute { name: 'then_branch' type: GRAPH g { name: 's' node { op_type: 'Neg' input: 'x' output: 'p' }
       initializer { name: 'x' data_type: 1 float_data: 1 } output { name: 'p' } } } })")));
  const auto subgraphs = subgraphs_of(model.graph->nodes[0]);
  REQUIRE(subgraphs.size() == 1);
  CHECK(value_of(*subgraphs[0], "x").constant);
  CHECK(value_of(*subgraphs[0], "x").captured == no_id);
  CHECK(subgraphs[0]->nodes[0].opset == 21);
}

TEST_CASE("a sparse initializer") {
  const ModelFile model = model_of(model_bytes(graph_text(R"(node { op_type: 'Add' input: 'x' input: 'w' output: 'y' }
    sparse_initializer { dims: 4 values { name: 'w' data_type: 1 dims: 1 float_data: 4 } indices { data_type: 7 dims: 1 int64_data: 2 } })")));
  CHECK(print_elements(*value_of(*model.graph, "w").constant) == "{0.0, 0.0, 4.0, 0.0}");
}

TEST_CASE("a model without nodes passes its input through; one without outputs is warned of") {
  CHECK(model_of(model_bytes(std::string(float_x) + "output { name: 'x' }")).graph->nodes.empty());
  const ModelFile empty = model_of(model_bytes(""));
  REQUIRE(empty.warnings.size() == 1);
  CHECK_THAT(empty.warnings[0], Catch::Contains("no outputs"));
}

TEST_CASE("a file, mapped or read, gives the same as memory") {
  const ScratchFolder folder("read_model");
  const auto path = folder.write("m.onnx", model_bytes(graph_text(relu)));
  for (const bool map : {true, false}) {
    const Result<ModelFile> model = read_model(path, {.map = map});
    REQUIRE(model);
    CHECK(model->path == path.string());
    CHECK(print(*model->graph) == print(*model_of(model_bytes(graph_text(relu))).graph));
  }
  const auto missing = read_model(folder.path() / "none.onnx");
  REQUIRE(!missing);
  CHECK(missing.error().code == Code::io);
}
