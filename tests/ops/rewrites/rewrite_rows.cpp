// Loads graphs with and without their rewrites, and runs both.
#include "ops/rewrites/rewrite_rows.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

#include "built_in.hpp"
#include "graph/parse.hpp"
#include "ops/cases.hpp"
#include "rows.hpp"
#include "session/session.hpp"

namespace heed::test {
namespace {

constexpr double gpu_tolerance = 2e-5;

std::shared_ptr<const Model> load(const RewriteRow& row, bool rewritten, const char* device) {
  auto file =
      parse_model("<ir_version: 10, opset_import: [\"\" : " + std::to_string(row.opset) +
                  ", \"com.microsoft\" : 1]> g (" + row.inputs + ") => (" + row.outputs + ") { " + row.nodes + " }");
  CHECK((file ? "" : file.error().message) == "");
  if (!file) return nullptr;
  ModelOptions options;
  options.device = device;
  options.rewrite = rewritten;
  auto model = Model::load(std::move(*file), registry(), options);
  CHECK((model ? "" : model.error().message) == "");
  return model ? *model : nullptr;
}

// " Op<k = v>" of each node, with its domain; then " fired NAME" of each rewrite.
std::string listed(const Model& model) {
  std::string text;
  for (const Node& node : model.plan().graph->nodes) {
    text += " " + (node.domain.empty() ? "" : node.domain + ".") + node.op_type;
    for (const auto& [name, attribute] : node.attributes) {
      text += (text.back() == '>' ? "" : "<") + name + " = ";
      if (const auto* i = std::get_if<int64_t>(&attribute.content)) text += std::to_string(*i);
      if (const auto* f = std::get_if<float>(&attribute.content)) text += std::to_string(*f);
      if (const auto* s = std::get_if<std::string>(&attribute.content)) text += *s;
      if (const auto* list = std::get_if<std::vector<int64_t>>(&attribute.content)) {
        for (size_t k = 0; k < list->size(); ++k) text += (k ? ", " : "[") + std::to_string((*list)[k]);
        text += "]";
      }
      text += ">";
    }
    text += "\n";
  }
  for (const auto& [name, count] : model.rewrites())
    if (count) text += " fired " + name + "\n";
  return text;
}

Tensors run(const std::shared_ptr<const Model>& model, const Session::NamedValues& inputs) {
  auto session = Session::create(model);
  REQUIRE(session.has_value());
  auto outputs = (*session)->run(inputs);
  CHECK((outputs ? "" : outputs.error().message) == "");
  Tensors tensors;
  if (outputs)
    for (auto& [name, value] : *outputs) tensors.push_back(value.tensor);
  return tensors;
}

bool is_as_wanted(const RewriteRow& row, const std::string& list) {
  for (const char* wanted : row.wanted)
    if (list.find(wanted) == list.npos) return false;
  for (const char* unwanted : row.unwanted) {
    const bool is_whole = unwanted[0] == ' ' || std::string_view(unwanted).find('.') != std::string_view::npos;
    const std::string name = is_whole ? unwanted : " " + std::string(unwanted);
    if (list.find(name + "<") != list.npos || list.find(name + "\n") != list.npos) return false;
  }
  return true;
}

Session::NamedValues random_inputs(const Model& model, int64_t seq, int64_t past) {
  Session::NamedValues inputs;
  for (const ValueId id : model.plan().graph->inputs) {
    const Value& value = model.plan().graph->values[id];
    std::vector<int64_t> dims;
    for (const Dim dim : *value.type.dims) {
      const std::string name = to_string(dim);
      dims.push_back(dim.is_number()   ? dim.number()
                     : name == "batch" || name == "texts" ? 2
                     : name == "heads" ? 6
                     : name == "seq"   ? seq
                     : name == "past" || name == "before" ? past
                                       : seq + past);
    }
    HostValue host;
    if (value.type.element == DataType::i64) {
      host.tensor = random(dims, 0, value.name == "padding" ? 1.999 : 7, DataType::i64);
    } else if (value.type.element == DataType::boolean) {
      host.tensor = random(dims, 0, 1.999, DataType::boolean);
    } else {
      host.tensor = random(dims, -2, 2 + 0.01 * static_cast<double>(inputs.size()), *value.type.element);
    }
    inputs.emplace_back(value.name, std::move(host));
  }
  return inputs;
}

// Whether both give the same on these devices.
void check_row(const RewriteRow& row) {
  INFO(row.what);
  const auto after = load(row, true, "cpu"), before = row.runs_as_it_is ? load(row, false, "cpu") : after;
  if (!before || !after) return count_row(false);
  const std::string list = listed(*after);
  INFO(list);
  const bool as_wanted = is_as_wanted(row, list);
  CHECK(as_wanted);
  count_row(as_wanted);

  const auto on_gpu = load(row, true, "vulkan");
  struct Sizes {
    int64_t seq, past;
    std::vector<std::shared_ptr<const Model>> models;
  };
  for (const auto& [seq, past, models] :
       {Sizes{5, 7, {after, on_gpu}}, Sizes{1, 12, {after, on_gpu}}, Sizes{7, 0, {after}}, Sizes{1, 0, {after}}}) {
    INFO("seq " << seq << ", past " << past);
    const auto inputs = random_inputs(*before, seq, past);
    const auto expected = run(before, inputs);
    for (const auto& model : models) {
      if (!model) continue;
      const auto actual = run(model, inputs);
      REQUIRE(expected.size() == actual.size());
      const double tolerance = model == on_gpu ? std::max(row.tolerance, gpu_tolerance) : row.tolerance;
      for (size_t i = 0; i < expected.size(); ++i) check_equal(actual[i], expected[i], tolerance);
    }
  }
}

}  // namespace

void check_rewrites(const std::vector<RewriteRow>& rows) {
  for (const RewriteRow& row : rows) check_row(row);
}

}  // namespace heed::test
