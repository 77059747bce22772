// Rows of operators that rewrites make of others: each row as a model in text, on both devices.
#pragma once

#include <catch2/catch.hpp>

#include "cases.hpp"

namespace heed::test {

// Runs each row with its lists of integers as constants; but for f64, every computing step of it has to run on Vulkan.
inline void check_lowered(const std::string& op_type, const std::vector<Case>& rows, std::string_view opsets = "") {
  for (const Case& row : rows) {
    INFO(op_type << ", " << row.what);
    std::string declared, statements, given, results, made;
    Tensors inputs;
    const auto dims_of = [](const Tensor& tensor) {
      std::string dims;
      for (const int64_t dim : tensor.dims) dims += (dims.empty() ? "" : ", ") + std::to_string(dim);
      return "[" + dims + "]";
    };
    for (size_t i = 0; i < row.inputs.size(); ++i) {
      const Tensor& input = row.inputs[i];
      const std::string name = "x" + std::to_string(i);
      given += i == 0 ? "" : ", ";
      if (input.type == DataType::undefined) continue;
      given += name;
      const std::string type(name_of(input.type));
      if (input.dims.size() <= 1 && (input.type == DataType::i64 || input.type == DataType::i32)) {
        std::string numbers;
        for (const double value : values_of(input))
          numbers += (numbers.empty() ? "" : ", ") + std::to_string(static_cast<int64_t>(value));
        statements += name + " = Constant<value = " + type + dims_of(input) + " {" + numbers + "}>() ";
        continue;
      }
      declared += (declared.empty() ? "" : ", ") + type + dims_of(input) + " " + name;
      inputs.push_back(input);
    }
    for (size_t i = 0; i < row.outputs.size(); ++i) {
      const std::string name = "y" + std::to_string(i), comma = i == 0 ? "" : ", ";
      made += comma + name;
      results += comma + std::string(name_of(row.outputs[i].type)) + dims_of(row.outputs[i]) + " " + name;
    }
    const std::string attributes = row.attributes.empty() ? "" : "<" + row.attributes + ">";
    const std::string text = "<ir_version: 10, opset_import: [\"\" : " + std::to_string(row.opset) +
                             std::string(opsets) + "]> g (" + declared + ") => (" + results + ") { " + statements + made +
                             " = " + op_type + attributes + "(" + given + ") }";
    INFO(text);
    const auto outputs = run_text(text, inputs);
    REQUIRE((outputs ? "" : outputs.error().message) == "");
    for (size_t i = 0; i < row.outputs.size(); ++i) check_equal((*outputs)[i], row.outputs[i], row.tolerance);
    if (row.outputs[0].type != DataType::f64) check_on_vulkan(text, inputs, row.tolerance);
  }
}

}  // namespace heed::test
