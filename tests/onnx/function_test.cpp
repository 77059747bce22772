// Model-local functions, with the fields that Debian's generated classes lack. onnx.proto, FunctionProto.
#include "graph/print.hpp"
#include "model_text.hpp"

using namespace heed;

namespace {

constexpr int attribute_proto = 11, value_info = 12, overload = 13;

std::string function_bytes(const std::string& text, const std::string& newer_fields = "") {
  return proto_of<onnx::FunctionProto>(text).SerializeAsString() + newer_fields;
}

std::string model_with(std::initializer_list<std::string> functions, const std::string& nodes) {
  std::string bytes =
      model_bytes(nodes + "input { name: 'x' } output { name: 'y' }", "opset_import { domain: 'l' version: 1 }");
  for (const std::string& function : functions) bytes += bytes_field(25, function);
  return bytes;
}

const std::string call = "node { op_type: 'f' domain: 'l' input: 'x' output: 'y' }";

}  // namespace

TEST_CASE("a function's attributes, defaults, overload, opsets and types") {
  const std::string defaults = proto_of<onnx::AttributeProto>("name: 'alpha' type: FLOAT f: 0.5").SerializeAsString();
  const std::string types =
      proto_of<onnx::ValueInfoProto>("name: 'c' type { tensor_type { elem_type: 1 shape { dim { dim_param: 'N' } } } }")
          .SerializeAsString();
  const ModelFile model =
      model_of(model_with({function_bytes(R"(name: 'f' domain: 'l' input: 'a' input: 'b' output: 'r' attribute: 'axis'
      opset_import { version: 13 }
      node { op_type: 'Constant' output: 'c' attribute { name: 'value_float' type: FLOAT ref_attr_name: 'alpha' } }
      node { op_type: 'Concat' input: 'a' input: 'c' output: 'r' attribute { name: 'axis' type: INT ref_attr_name: 'axis' } })",
                                          bytes_field(attribute_proto, defaults) + bytes_field(value_info, types) +
                                              bytes_field(overload, "v2"))},
                          call));
  const Function& function = *model.functions.at({"l", "f", "v2"});
  CHECK(function.inputs == std::vector<std::string>{"a", "b"});
  CHECK(function.outputs == std::vector<std::string>{"r"});
  CHECK(function.attributes == std::vector<std::string>{"axis"});
  CHECK(std::get<float>(function.defaults.at("alpha").content) == 0.5f);
  CHECK(function.opsets.at("") == 13);
  CHECK(function.opsets.at("l") == 1);
  const Graph& body = *function.body;
  CHECK(body.nodes[0].opset == 13);
  const auto& reference = std::get<Attribute::Reference>(body.nodes[0].attributes.at("value_float").content);
  CHECK(reference.name == "alpha");
  CHECK(reference.kind == HEED_ATTRIBUTE_FLOAT);
  // Symbols of a function are not those of the graph that calls it: only what they do not touch is kept.
  CHECK(to_string(body.values[*body.find_value("c")].type) == "f32");
}

TEST_CASE("functions with subgraphs that refer to attributes, and functions that call functions") {
  const ModelFile model = model_of(
      model_with({function_bytes(R"(name: 'f' domain: 'l' input: 'a' output: 'r' opset_import { domain: 'l' version: 1 }
        node { op_type: 'g' domain: 'l' input: 'a' output: 'r' })"),
                  function_bytes(R"(name: 'g' domain: 'l' input: 'a' output: 'r' attribute: 'k'
        node { op_type: 'If' input: 'a' output: 'r' attribute { name: 'then_branch' type: GRAPH g { name: 's'
          node { op_type: 'F' input: 'a' output: 'p' attribute { name: 'k' type: INT ref_attr_name: 'k' } } output { name: 'p' } } } })")},
                 call));
  CHECK(model.functions.size() == 2);
  const auto subgraph = subgraphs_of(model.functions.at({"l", "g", ""})->body->nodes[0])[0];
  CHECK(std::holds_alternative<Attribute::Reference>(subgraph->nodes[0].attributes.at("k").content));
  CHECK(model.functions.at({"l", "g", ""})->body->nodes[0].opset == 21);
}

TEST_CASE("functions that cannot be") {
  struct Row {
    std::vector<std::string> functions;
    const char* error;
  };
  const std::string calls_itself =
      "name: 'f' domain: 'l' input: 'a' output: 'r' node { op_type: 'f' domain: 'l' input: 'a' output: 'r' }";
  const std::string plain =
      "name: 'f' domain: 'l' input: 'a' output: 'r' node { op_type: 'Neg' input: 'a' output: 'r' }";
  const Row rows[] = {
      {{function_bytes(calls_itself)}, "functions call each other in a circle: 'l.f' -> 'l.f'"},
      {{function_bytes(plain), function_bytes(plain)}, "function 'f' of domain 'l' is defined twice"},
      {{function_bytes("name: 'f' domain: 'l' input: 'a' output: 'r'")},
       "function 'f': output 'r' of the graph: no node makes it"},
      {{function_bytes("name: 'f' domain: 'l' output: 'r' node { op_type: 'Neg' input: 'x' output: 'r' }")},
       "function 'f': node 'Neg_0' (Neg) reads, as input 0, 'x'"},
  };
  for (const Row& row : rows) {
    INFO(row.error);
    std::string bytes = model_with({}, call);
    for (const std::string& function : row.functions) bytes += bytes_field(25, function);
    const auto model = read_bytes(bytes);
    REQUIRE(!model);
    CHECK_THAT(model.error().message, Catch::Contains(row.error));
  }
}

TEST_CASE("an attribute cannot refer to a function's where there is none") {
  const auto model = read_bytes(
      model_bytes(R"(node { op_type: 'F' input: 'x' output: 'y' attribute { name: 'a' type: INT ref_attr_name: 'b' } }
    input { name: 'x' } output { name: 'y' })"));
  REQUIRE(!model);
  CHECK_THAT(model.error().message,
             Catch::Contains("node 0 (F): attribute 'a' refers to the attribute 'b' of a function"));
}
