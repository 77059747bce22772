// Every model and every value of ONNX's backend suite, and the real models, are read.
#include "graph/print.hpp"
#include "model_text.hpp"
#include "onnx/read_value.hpp"
#include "suite_data.hpp"

using namespace heed;

namespace {

// The values in the test_data_set_* folders beside a model; how many there are.
int read_values(const std::filesystem::path& folder, const Graph& graph) {
  int count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (entry.path().extension() != ".pb" || entry.path().parent_path() == folder) continue;
    const auto index = static_cast<size_t>(std::stoi(name.substr(name.find('_') + 1)));
    const std::vector<ValueId>& ids = name.starts_with("input") ? graph.inputs : graph.outputs;
    INFO(entry.path());
    REQUIRE(index < ids.size());
    const ValueType& type = graph.values[ids[index]].type;
    const Result<HostValue> value = read_value(entry.path(), type);
    INFO((value ? "" : value.error().message));
    REQUIRE(value);
    if (type.kind == Kind::tensor && type.element) CHECK(value->tensor.type == *type.element);
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("every model and value of the backend suite is read") {
  const auto suite = suite_folder();
  if (!suite) return;
  int model_count = 0, value_count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(*suite)) {
    if (entry.path().extension() != ".onnx") continue;
    const Result<ModelFile> model = read_model(entry.path());
    INFO(entry.path());
    INFO((model ? "" : model.error().message));
    REQUIRE(model);
    CHECK(!model->graph->outputs.empty());
    for (const std::string& warning : model->warnings) CHECK_THAT(warning, Catch::Contains("IR version"));
    print(*model->graph);
    ++model_count;
    if (entry.path().filename() == "model.onnx") value_count += read_values(entry.path().parent_path(), *model->graph);
  }
  CHECK(model_count == 2033);
  CHECK(value_count > 6000);
}

TEST_CASE("real models are read") {
  struct Row {
    const char* path;
    size_t inputs, outputs, nodes;
  };
  const Row rows[] = {
      {"real/onnx-zoo/mnist/model.onnx", 1, 1, 18},
      {"real/onnx-zoo/shufflenet-v2-12-int8/model.onnx", 1, 1, 0},
      {"real/onnx-zoo/super_resolution/model.onnx", 1, 1, 0},
      {"real/silero-vad/model.onnx", 3, 2, 0},
  };
  for (const Row& row : rows) {
    const auto path = test_data(row.path);
    if (!path) continue;
    INFO(row.path);
    const Result<ModelFile> model = read_model(*path);
    INFO((model ? "" : model.error().message));
    REQUIRE(model);
    CHECK(model->graph->inputs.size() == row.inputs);
    CHECK(model->graph->outputs.size() == row.outputs);
    if (row.nodes) CHECK(model->graph->nodes.size() == row.nodes);
    CHECK(read_values(path->parent_path(), *model->graph) > 0);
  }
}
