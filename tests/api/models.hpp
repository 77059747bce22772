// Models for the tests of heed.h, as bytes of ONNX files.
#pragma once

#include <google/protobuf/text_format.h>
#include <onnx/onnx_pb.h>

#include <catch2/catch.hpp>
#include <string>

#include "heed/heed.hpp"

namespace heed::test {

template <class T>
T take(Result<T> result) {
  if (!result) FAIL(result.error().message);
  return std::move(*result);
}
inline void take(Result<void> result) {
  if (!result) FAIL(result.error().message);
}

// Around a graph in protobuf's text, opset 21.
inline std::string model_bytes(const std::string& graph, const std::string& more = "") {
  onnx::ModelProto proto;
  REQUIRE(google::protobuf::TextFormat::ParseFromString(
      "ir_version: 10 opset_import { version: 21 } graph { name: 'g' " + graph + "} " + more, &proto));
  return proto.SerializeAsString();
}

// "input { name: 'x' type { tensor_type { elem_type: 1 shape { dim { dim_param: 'n' } } } } }"; dims are names or
// numbers.
inline std::string value_text(const std::string& kind, const std::string& name, int type,
                              const std::vector<std::string>& dims) {
  std::string text =
      kind + " { name: '" + name + "' type { tensor_type { elem_type: " + std::to_string(type) + " shape { ";
  for (const auto& dim : dims)
    text += std::isdigit(static_cast<unsigned char>(dim[0])) ? "dim { dim_value: " + dim + " } "
                                                             : "dim { dim_param: '" + dim + "' } ";
  return text + "} } } } ";
}

inline std::string node_text(const std::string& op_type, const std::vector<std::string>& inputs,
                             const std::vector<std::string>& outputs, const std::string& more = "") {
  std::string text = "node { op_type: '" + op_type + "' name: '" + outputs[0] + "_of' ";
  for (const auto& input : inputs) text += "input: '" + input + "' ";
  for (const auto& output : outputs) text += "output: '" + output + "' ";
  return text + more + "} ";
}

// y = Relu(a + b) over [batch, 3].
inline std::string sum_model() {
  return model_bytes(node_text("Add", {"a", "b"}, {"sum"}) + node_text("Relu", {"sum"}, {"y"}) +
                         value_text("input", "a", 1, {"batch", "3"}) + value_text("input", "b", 1, {"3"}) +
                         value_text("output", "y", 1, {"batch", "3"}),
                     "metadata_props { key: 'author' value: 'a test' }");
}

// total' = total + x: a state where the caller says so.
inline std::string running_sum_model() {
  return model_bytes(node_text("Add", {"total", "x"}, {"next"}) + node_text("Neg", {"next"}, {"y"}) +
                     value_text("input", "total", 1, {"2"}) + value_text("input", "x", 1, {"2"}) +
                     value_text("output", "y", 1, {"2"}) + value_text("output", "next", 1, {"2"}));
}

// A Loop of `count` iterations over x = x * 1.
inline std::string loop_model() {
  const std::string body = "attribute { name: 'body' type: GRAPH g { name: 'b' " +
                           node_text("Identity", {"go"}, {"go_on"}) + node_text("Sin", {"v"}, {"w"}) +
                           value_text("input", "i", 7, {}) + value_text("input", "go", 9, {}) +
                           value_text("input", "v", 1, {"4"}) + value_text("output", "go_on", 9, {}) +
                           value_text("output", "w", 1, {"4"}) + "} } ";
  return model_bytes(node_text("Loop", {"count", "", "x"}, {"y"}, body) + value_text("input", "count", 7, {}) +
                     value_text("input", "x", 1, {"4"}) + value_text("output", "y", 1, {"4"}));
}

inline Model load(const std::string& bytes, ModelOptions options = {}) {
  if (options.device == "auto") options.device = "cpu";
  auto owner = std::make_shared<const std::string>(bytes);
  return take(Model::load(std::as_bytes(std::span(*owner)), owner, options));
}

}  // namespace heed::test
