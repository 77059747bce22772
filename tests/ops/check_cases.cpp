// Tables of cases as tests: each row on every kernel of every device that is here.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>
#include <optional>

#include "built_in.hpp"
#include "graph/parse.hpp"
#include "rows.hpp"
#include "run_case.hpp"

namespace heed::test {
namespace {

Result<void> run_once(std::string_view op_type, const Case& row, Sizes sizes, const ModelOptions& options) {
  HEED_ASSIGN(auto file, model_of(op_type, row, sizes));
  HEED_ASSIGN(auto model, Model::load(std::move(file), registry(), options));
  // Kept until the next one on that device is there, which finds the pipelines they share.
  static auto* const last_on_gpu = new std::map<decltype(options.kernel_options), std::shared_ptr<const Model>>;
  if (options.device != "cpu") (*last_on_gpu)[options.kernel_options] = model;
  return check_row(model, row, sizes);
}

struct Place {
  std::string name;  // "cpu scalar", "vulkan"
  ModelOptions options;
  std::optional<size_t> lesser = {};  // which of lesser_devices
};

// Devices as there are: the one here, without something. What it lacks then goes another way, or to the CPU.
struct LesserDevice {
  const char *what, *option, *value;
};
constexpr const char* threads_of_a_gpu = "threads of a GPU";
constexpr LesserDevice lesser_devices[] = {{"no 16-bit numbers", "vulkan.mask", "float16,int16,storage_16bit"},
                                           {"no 8-bit numbers", "vulkan.mask", "int8,storage_8bit,integer_dot"},
                                           {"no 64-bit numbers", "vulkan.mask", "int64,float64"},
                                           {"no subgroups", "vulkan.mask", "subgroup_arithmetic,subgroup_shuffle"},
                                           {"memory of its own", "vulkan.mask", "unified_memory"},
                                           {"small workgroups", "vulkan.max_workgroup_size", "128"},
                                           {"small shared memory", "vulkan.max_shared_bytes", "16384"},
                                           {threads_of_a_gpu, "vulkan.mask", "cpu_threads"}};

// Operators that run otherwise where the device is a CPU: all their rows run on both, in fixed sizes.
constexpr std::string_view differing[] = {"MatMul",         "Gemm",        "heed.Attention", "heed.FusedMatMul",
                                           "ConvInteger",    "QLinearConv"};

// All rows of a table run on a lesser device under HEED_TEST_FULL, otherwise one, another on each.
bool is_skipped(std::string_view op_type, const Place& place, size_t row, size_t row_count, Sizes sizes) {
  static const bool full = std::getenv("HEED_TEST_FULL") != nullptr;
  if (!place.lesser || full) return false;
  if (lesser_devices[*place.lesser].what == threads_of_a_gpu &&
      std::find(std::begin(differing), std::end(differing), op_type) != std::end(differing))
    return sizes != Sizes::fixed;
  return row != (*place.lesser * 7 + 3) % row_count;
}

// Every kernel of the operator, on every device that is here.
std::vector<Place> places_of(std::string_view op_type, int32_t opset) {
  const auto [domain, name] = split_domain(op_type);
  const auto* contract = registry().find_operator(domain, name);
  REQUIRE(contract != nullptr);
  const auto version = contract->version_at(domain.empty() || domain == "ai.onnx.ml" ? opset : 1);
  INFO(op_type << " at opset " << opset);
  REQUIRE(version.has_value());
  std::vector<Place> places;
  ModelOptions options;
  options.device = "cpu";
  options.thread_count = 2;
  options.rewrite = false;
  options.fold = false;
  options.kernel_options = {{"session.fill", "nan"}};
  const auto kernels = registry().cpu_kernels(domain, name, *version);
  REQUIRE(kernels.has_value());
  for (const auto* kernel : *kernels) {
    const std::string kernel_name(kernel->c->name.data, kernel->c->name.size);
    places.push_back({"cpu " + kernel_name, options});
    places.back().options.kernel_options.emplace_back("kernel", kernel_name);
  }
  const auto gpu_kernels = registry().gpu_kernels(domain, name, *version);
  REQUIRE(gpu_kernels.has_value());
  const bool has_expression = contract->c->expression.size > 0;
  // Made of other operators by a rewrite: on the best kernels of those, and on the plainest.
  const bool is_lowered = kernels->empty() && gpu_kernels->empty() && !has_expression && !contract->has_body() &&
                          !contract->is(HEED_CONTROL);
  options.rewrite = options.fold = is_lowered;
  if (kernels->empty()) places.push_back({"cpu", options});  // a control kernel, a body, or a rewrite
  if (is_lowered) {
    places.push_back({"cpu, scalar", options});
    places.back().options.kernel_options.emplace_back("cpu.isa", "scalar");
  }
  for (const bool is_fused : {false, true}) {
    if (is_fused ? !has_expression : gpu_kernels->empty() && !is_lowered) continue;
    places.push_back({is_fused ? "vulkan, as a fused node" : "vulkan", options});
    places.back().options.device = "vulkan";
    places.back().options.rewrite = is_fused || is_lowered;
    const Place whole = places.back();
    for (size_t i = 0; i < std::size(lesser_devices); ++i) {
      const auto& [what, option, value] = lesser_devices[i];
      places.push_back({whole.name + ", " + what, whole.options, i});
      places.back().options.kernel_options.emplace_back(option, value);
    }
  }
  return places;
}

}  // namespace

void run_cases(std::string_view op_type, const std::vector<Case>& cases) {
  for (size_t i = 0; i < cases.size(); ++i) {
    const Case& row = cases[i];
    for (const auto& place : places_of(op_type, row.opset)) {
      for (const auto sizes : {Sizes::fixed, Sizes::symbols, Sizes::constants, Sizes::no_ranks}) {
        if (sizes == Sizes::constants && row.inputs.size() < 2) continue;
        if (sizes == Sizes::no_ranks && place.options.device != "cpu") continue;
        if (is_skipped(op_type, place, i, cases.size(), sizes)) continue;
        const auto result = run_once(op_type, row, sizes, place.options);
        // A kernel may decline what only the run tells.
        if (sizes == Sizes::no_ranks && !result && result.error().code == Code::unsupported) continue;
        count_row(result.has_value());
        if (!result)
          FAIL_CHECK(op_type << ", " << row.what << ", " << place.name << ", " << name_of(sizes) << ": "
                             << result.error().message);
      }
    }
  }
}

void check_refused(std::string_view op_type, const Case& row, std::string_view part) {
  ModelOptions options;
  options.device = "cpu";
  options.fold = options.rewrite = false;
  const auto result = run_once(op_type, row, Sizes::constants, options);
  count_row(!result.has_value());
  INFO(op_type << ", " << row.what);
  REQUIRE_FALSE(result.has_value());
  CHECK_THAT(result.error().message, Catch::Contains(std::string(part)));
}

namespace {

Result<Tensors> run_with(std::string_view text, const Tensors& inputs, ModelOptions options) {
  HEED_ASSIGN(auto file, parse_model(text));
  options.kernel_options.emplace_back("session.fill", "nan");
  options.thread_count = 2;
  std::vector<std::string> names;
  for (const auto id : file.graph->inputs) names.push_back(file.graph->values[id].name);
  HEED_ASSIGN(auto model, Model::load(std::move(file), registry(), options));
  HEED_ASSIGN(auto session, Session::create(model));
  Session::NamedValues given;
  for (size_t i = 0; i < inputs.size(); ++i) {
    HostValue value;
    value.tensor = inputs[i];
    given.emplace_back(names[i], std::move(value));
  }
  HEED_ASSIGN(const auto outputs, session->run(given));
  Tensors tensors;
  for (const auto& [name, value] : outputs) tensors.push_back(value.tensor);
  return tensors;
}

}  // namespace

Result<Tensors> run_text(std::string_view text, const Tensors& inputs, std::string_view device,
                         std::vector<std::pair<std::string, std::string>> lessening) {
  ModelOptions options;
  options.device = device;
  options.require_gpu = device != "cpu" && lessening.empty();
  options.kernel_options = std::move(lessening);
  return run_with(text, inputs, options);
}

void check_on_vulkan(std::string_view text, const Tensors& inputs, double tolerance,
                     std::vector<std::pair<std::string, std::string>> lessening) {
  ModelOptions options;
  options.device = "vulkan";
  options.require_gpu = true;
  options.kernel_options = std::move(lessening);
  const auto expected = run_text(text, inputs), actual = run_with(text, inputs, options);
  INFO(text);
  const bool ran = expected && actual;
  if (!ran) FAIL_CHECK((expected ? actual : expected).error().message);
  std::string wrong = ran ? "" : "no run";
  for (size_t i = 0; ran && wrong.empty() && i < expected->size(); ++i)
    wrong = difference((*actual)[i], (*expected)[i], tolerance);
  count_row(wrong.empty());
  CHECK(wrong == "");
}

void check_equal(const Tensor& actual, const Tensor& expected, double tolerance) {
  CHECK(difference(actual, expected, tolerance) == "");
}

}  // namespace heed::test
