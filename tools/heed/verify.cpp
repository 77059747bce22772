// heed verify: run every ONNX test-data case that is found, and compare by ONNX's rules.
#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "compare_values.hpp"
#include "onnx/read_value.hpp"
#include "open_model.hpp"
#include "plan/explain.hpp"
#include "session/session.hpp"

namespace heed::tool {
namespace {

namespace fs = std::filesystem;

// A model with data sets beside it, or with one whose inputs are computed (ONNX's "light" networks).
struct Case {
  std::string name;
  fs::path model;
  std::vector<fs::path> data_sets;
  Tolerance tolerance;
  fs::path light_output;  // expected output 0; the inputs are arange(n).reshape(shape) / n
};

struct Outcome {
  std::string status = "passed", reason;
  std::map<std::string, int64_t> steps = {{"cpu", 0}, {"vulkan", 0}};
  double seconds = 0;
};

// NAME_0.pb, NAME_1.pb ... of a data set.
std::vector<fs::path> numbered_files(const fs::path& folder, const std::string& name) {
  std::vector<fs::path> files;
  for (size_t i = 0; fs::exists(folder / (name + "_" + std::to_string(i) + ".pb")); ++i)
    files.push_back(folder / (name + "_" + std::to_string(i) + ".pb"));
  return files;
}

Result<void> read_settings(const fs::path& folder, Case& found) {
  std::ifstream file(folder / "data.json");
  if (!file) return {};
  const auto settings = nlohmann::json::parse(file, nullptr, false);
  if (!settings.is_object()) return Error{Code::io, (folder / "data.json").string() + ": no JSON object"};
  found.tolerance.relative = settings.value("rtol", found.tolerance.relative);
  found.tolerance.absolute = settings.value("atol", found.tolerance.absolute);
  const fs::path url = settings.value("url", std::string());
  if (found.model.empty() && !url.empty()) {
    const fs::path light = folder.parent_path().parent_path() / "light" / url.filename();
    found.model = light;
    found.light_output = light.parent_path() / (light.stem().string() + "_output_0.pb");
  }
  return {};
}

// A folder is a case where it holds a model and data sets, or data.json with a url.
Result<std::optional<Case>> case_in(const fs::path& folder) {
  Case found;
  found.name = folder.filename().string();
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const auto file_name = entry.path().filename().string();
    if (entry.is_directory() && file_name.starts_with("test_data_set_")) found.data_sets.push_back(entry.path());
    if (entry.is_regular_file() &&
        (file_name == "model.onnx" || (found.model.empty() && entry.path().extension() == ".onnx")))
      found.model = entry.path();
  }
  std::sort(found.data_sets.begin(), found.data_sets.end());
  HEED_TRY(read_settings(folder, found));
  if (found.model.empty() || (found.data_sets.empty() && found.light_output.empty())) return std::optional<Case>();
  return std::optional(std::move(found));
}

Result<std::vector<Case>> find_cases(const std::vector<std::string>& paths) {
  std::vector<Case> cases;
  for (const auto& path : paths) {
    if (!fs::is_directory(path))
      return Error{Code::io, path + ": no such folder; verify takes folders with model.onnx beside test_data_set_*"};
    std::vector<fs::path> folders = {path};
    std::error_code error;
    for (auto it = fs::recursive_directory_iterator(path, fs::directory_options::skip_permission_denied, error);
         it != fs::recursive_directory_iterator(); it.increment(error))
      if (!error && it->is_directory() && !it->path().filename().string().starts_with("test_data_set_"))
        folders.push_back(it->path());
    std::sort(folders.begin(), folders.end());
    for (const auto& folder : folders) {
      HEED_ASSIGN(auto found, case_in(folder));
      if (found) cases.push_back(std::move(*found));
    }
  }
  return cases;
}

// arange(n).reshape(shape) / n
Result<HostValue> light_input(const ValueType& type) {
  std::vector<int64_t> dims;
  for (const Dim dim : *type.dims) dims.push_back(dim.is_number() ? dim.number() : 1);
  HEED_ASSIGN(Tensor tensor, Tensor::allocate(DataType::f32, dims));
  const int64_t count = tensor.element_count();
  auto* data = reinterpret_cast<float*>(tensor.writable());
  for (int64_t i = 0; i < count; ++i) data[i] = static_cast<float>(i) / static_cast<float>(count);
  HostValue value;
  value.tensor = std::move(tensor);
  return value;
}

Result<std::optional<std::string>> run_set(Session& session, const Model& model, const Case& tested,
                                           const fs::path* data_set) {
  const Plan& plan = model.plan();
  std::vector<SharedValue> inputs(plan.inputs.size()), outputs(plan.outputs.size());
  const auto input_files = data_set ? numbered_files(*data_set, "input") : std::vector<fs::path>();
  for (size_t i = 0; i < inputs.size(); ++i) {
    const ValueType& type = plan.slots[plan.inputs[i]].type;
    if (data_set && i >= input_files.size())
      return Error{Code::io, data_set->string() + ": there is no input_" + std::to_string(i) + ".pb"};
    HEED_ASSIGN(const HostValue value, data_set ? read_value(input_files[i], type) : light_input(type));
    HEED_ASSIGN(inputs[i], to_run_value(value));
  }
  HEED_TRY(session.run(inputs, outputs));
  auto output_files = data_set ? numbered_files(*data_set, "output") : std::vector<fs::path>{tested.light_output};
  for (size_t i = 0; i < std::min(outputs.size(), output_files.size()); ++i) {
    HEED_ASSIGN(const HostValue met, to_host_value(*outputs[i].get()));
    const auto& declared = plan.graph->values[plan.graph->outputs[i]];
    HEED_ASSIGN(const HostValue expected, read_value(output_files[i], declared.type));
    if (const auto text = difference(met, expected, tested.tolerance))
      return std::optional("output '" + declared.name + "': " + *text);
  }
  if (output_files.size() > outputs.size())
    return std::optional<std::string>("the model gives fewer outputs than the data has");
  return std::optional<std::string>();
}

Outcome run_case(const Case& tested, const Registry& registry, const RunOptions& options) {
  Outcome outcome;
  const auto begin = std::chrono::steady_clock::now();
  const auto attempt = [&]() -> Result<void> {
    HEED_ASSIGN(const ModelOptions model_options, options.model_options());
    HEED_ASSIGN(auto model, Model::load(tested.model, registry, model_options));
    const PlanCounts counts = count_steps(model->plan());
    outcome.steps = {{"cpu", counts.cpu}, {"vulkan", counts.vulkan}};
    std::vector<const fs::path*> sets;
    for (const auto& set : tested.data_sets) sets.push_back(&set);
    if (sets.empty()) sets.push_back(nullptr);
    for (const auto* set : sets) {
      HEED_ASSIGN(auto session, Session::create(model, {.use_states = false, .limits = options.run_limits()}));
      HEED_ASSIGN(const auto wrong, run_set(*session, *model, tested, set));
      if (!wrong) continue;
      outcome.status = "failed";
      outcome.reason = (set ? set->filename().string() + ": " : "") + *wrong;
      break;
    }
    return {};
  };
  if (auto done = attempt(); !done) {
    outcome.status = "failed";
    outcome.reason = std::string(name_of(done.error().code)) + ": " + done.error().message;
  }
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return outcome;
}

// "case NAME" lines, one a case, that are expected to fail.
std::set<std::string> read_list(const std::string& path) {
  std::set<std::string> names;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (!line.empty() && line[0] != '#') names.insert(line.substr(0, line.find_first_of(" \t")));
  return names;
}

}  // namespace

int verify(const Arguments& arguments) {
  std::vector<std::string> paths;
  std::string skip_list, filter;
  bool json = false, quiet = false;
  RunOptions run_options;
  po::options_description all("options");
  all.add_options()("path", po::value(&paths)->required()->value_name("PATH"), "folders that are searched for cases")(
      "filter", po::value(&filter)->value_name("TEXT"), "only cases whose name contains it")(
      "skip-list", po::value(&skip_list)->value_name("FILE"), "cases that are skipped: a name a line, then the reason")(
      "quiet", po::bool_switch(&quiet), "only the failures and the last line")("json", po::bool_switch(&json),
                                                                               "one JSON object a case");
  all.add(run_options.described());
  if (const auto status = read_command_line(arguments, "verify", "PATH...",
                                            "Runs every ONNX test-data case that is found.", all, {"path"}))
    return *status;
  const auto registry = open_registry(run_options);
  if (!registry) return report(registry.error());
  const auto cases = find_cases(paths);
  if (!cases) return report(cases.error());
  const auto skipped_names = skip_list.empty() ? std::set<std::string>() : read_list(skip_list);
  size_t passed = 0, failed = 0, skipped = 0;
  for (const auto& tested : *cases) {
    if (tested.name.find(filter) == std::string::npos) continue;
    Outcome outcome;
    if (skipped_names.count(tested.name)) {
      outcome.status = "skipped";
      outcome.reason = "on the skip list";
    } else {
      outcome = run_case(tested, **registry, run_options);
    }
    ++(outcome.status == "passed" ? passed : outcome.status == "failed" ? failed : skipped);
    if (json) {
      std::cout << nlohmann::json{{"case", tested.name},
                                  {"status", outcome.status},
                                  {"reason", outcome.reason},
                                  {"steps", outcome.steps},
                                  {"seconds", outcome.seconds}}
                       .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
                << "\n";
    } else if (outcome.status != "passed" || !quiet) {
      std::cout << outcome.status << "  " << tested.name << (outcome.reason.empty() ? "" : "  " + outcome.reason)
                << "\n";
    }
  }
  std::cout << passed << " passed, " << failed << " failed, " << skipped << " skipped" << std::endl;
  if (passed + failed + skipped == 0)
    return report({Code::io, "no case was found: a case is a folder with model.onnx and test_data_set_*"});
  return failed ? failure : success;
}

}  // namespace heed::tool
