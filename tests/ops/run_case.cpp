// One row of a table of cases as a model of one node, run on one kernel.
#include "run_case.hpp"

#include <algorithm>
#include <cmath>

#include "graph/graph_builder.hpp"
#include "graph/parse.hpp"

namespace heed::test {
namespace {

bool is_absent(const Tensor& tensor) { return tensor.type == DataType::undefined; }

std::string name_of_value(const char* prefix, const Tensor& tensor, size_t index) {
  return is_absent(tensor) ? "" : prefix + std::to_string(index);
}

double tolerated(double expected, double tolerance) { return tolerance * (1 + std::abs(expected)); }

}  // namespace

std::pair<std::string_view, std::string_view> split_domain(std::string_view op_type) {
  const auto dot = op_type.rfind('.');
  return dot == op_type.npos ? std::pair(std::string_view(), op_type)
                             : std::pair(op_type.substr(0, dot), op_type.substr(dot + 1));
}

Result<ModelFile> model_of(std::string_view op_type, const Case& row, Sizes sizes) {
  ModelFile file;
  file.opsets = {{"", row.opset}, {"heed", 1}, {"com.microsoft", 1}, {"ai.onnx.ml", row.opset}};
  const auto dims_pool = std::make_shared<DimPool>();
  GraphBuilder builder(dims_pool, GraphBuilder::Scope::complete);
  std::string in, out;
  for (size_t i = 0; i < row.inputs.size(); ++i) {
    const Tensor& tensor = row.inputs[i];
    const auto name = name_of_value("x", tensor, i);
    in += (i ? ", " : "") + (name.empty() ? "\"\"" : name);
    if (name.empty()) continue;
    if (sizes == Sizes::constants && i > 0) {
      HEED_TRY(builder.add_constant(name, tensor));
      continue;
    }
    ValueType type;
    type.element = tensor.type;
    if (sizes != Sizes::no_ranks) type.dims.emplace();
    for (size_t axis = 0; type.dims && axis < tensor.dims.size(); ++axis)
      type.dims->push_back(sizes == Sizes::symbols ? dims_pool->symbol(name + "." + std::to_string(axis))
                                                   : Dim(tensor.dims[axis]));
    HEED_TRY(builder.add_input(name, type));
  }
  for (size_t i = 0; i < row.outputs.size(); ++i) {
    const auto name = name_of_value("y", row.outputs[i], i);
    out += (i ? ", " : "") + (name.empty() ? "\"\"" : name);
    if (!name.empty()) builder.add_output(name, {});
  }
  const auto attributes = row.attributes.empty() ? "" : "<" + row.attributes + ">";
  HEED_ASSIGN(auto statements, parse_statements(out + " = " + std::string(op_type) + attributes + "(" + in + ")"));
  for (auto& statement : statements) HEED_TRY(builder.add_statement(std::move(statement)));
  HEED_ASSIGN(file.graph, std::move(builder).build(file.opsets));
  return file;
}

std::string difference(const Tensor& actual, const Tensor& expected, double tolerance) {
  if (actual.type != expected.type || actual.dims != expected.dims)
    return "got " + to_string(actual) + ", expected " + to_string(expected);
  if (actual.type == DataType::string) {
    for (size_t i = 0; i < actual.texts().size(); ++i) {
      const std::string_view a(actual.texts()[i].data, actual.texts()[i].size),
          e(expected.texts()[i].data, expected.texts()[i].size);
      if (a != e)
        return "element " + std::to_string(i) + " is '" + std::string(a) + "', expected '" + std::string(e) + "'";
    }
    return {};
  }
  const auto a = values_of(actual), e = values_of(expected);
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] == e[i] || (std::isnan(a[i]) && std::isnan(e[i]))) continue;
    if (std::abs(a[i] - e[i]) <= tolerated(e[i], tolerance)) continue;
    char text[128];
    std::snprintf(text, sizeof text, "element %zu of %zu is %.9g, expected %.9g", i, a.size(), a[i], e[i]);
    return text;
  }
  return {};
}

Result<void> check_row(const std::shared_ptr<const Model>& model, const Case& row, Sizes sizes) {
  HEED_ASSIGN(auto session, Session::create(model));
  Session::NamedValues inputs;
  for (size_t i = 0; i < row.inputs.size(); ++i) {
    if (is_absent(row.inputs[i]) || (sizes == Sizes::constants && i > 0)) continue;
    HostValue value;
    value.tensor = row.inputs[i];
    inputs.emplace_back("x" + std::to_string(i), std::move(value));
  }
  for (const char* which : {"first run", "second run"}) {
    HEED_ASSIGN(const auto outputs, session->run(inputs));
    for (size_t i = 0; i < row.outputs.size(); ++i) {
      if (is_absent(row.outputs[i])) continue;
      const auto name = "y" + std::to_string(i);
      const auto found =
          std::find_if(outputs.begin(), outputs.end(), [&](const auto& output) { return output.first == name; });
      if (found == outputs.end()) return Error{Code::invalid_argument, "no output " + name};
      const auto wrong = difference(found->second.tensor, row.outputs[i], row.tolerance);
      if (!wrong.empty()) return Error{Code::invalid_argument, name + ", " + which + ": " + wrong};
    }
  }
  return {};
}

}  // namespace heed::test
