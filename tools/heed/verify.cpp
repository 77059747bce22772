// heed verify: run every ONNX test-data case that is found, and compare by ONNX's rules.
#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "compare_values.hpp"
#include "files/npz.hpp"
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
  std::vector<fs::path> data_sets;  // folders, or .npz files
  Tolerance tolerance;
  fs::path light_output;  // expected output 0; the inputs are arange(n).reshape(shape) / n
};

struct Outcome {
  std::string status = "passed", reason;
  std::map<std::string, int64_t> steps = {{"cpu", 0}, {"vulkan", 0}};
  double seconds = 0;
};

// NAME_0.pb, NAME_1.pb ... of a data set, of these types.
Result<std::vector<HostValue>> numbered_values(const fs::path& folder, const std::string& name,
                                               std::span<const ValueType> types) {
  std::vector<HostValue> values;
  for (size_t i = 0;; ++i) {
    const fs::path path = folder / (name + "_" + std::to_string(i) + ".pb");
    if (!fs::exists(path)) return values;
    HEED_ASSIGN(HostValue value, read_value(path, i < types.size() ? types[i] : ValueType{}));
    values.push_back(std::move(value));
  }
}

// Integers where a network takes floats, and pixels in one row where it takes images, become what it takes.
Result<Tensor> fitted(Tensor row, const ValueType& type) {
  if (row.type == DataType::i32 && type.element == DataType::f32) {
    HEED_ASSIGN(Tensor floats, Tensor::allocate(DataType::f32, row.dims));
    const auto* from = reinterpret_cast<const int32_t*>(row.data);
    std::copy_n(from, row.element_count(), reinterpret_cast<float*>(floats.writable()));
    row = std::move(floats);
  }
  if (!type.dims) return row;
  std::vector<int64_t> dims;
  int64_t count = 1;
  for (const Dim dim : *type.dims) dims.push_back(dim.is_number() ? dim.number() : 1), count *= dims.back();
  if (row.dims.size() < dims.size() && count == row.element_count()) row.dims = std::move(dims);
  return row;
}

// The rows of the arrays "inputs" and "outputs" of an .npz file: a data set of the model zoo's first years.
Result<std::vector<HostValue>> rows_of_npz(const fs::path& path, const std::string& name,
                                           std::span<const ValueType> types) {
  HEED_ASSIGN(const Tensor rows, read_npz(path, name + "s"));
  if (rows.dims.empty()) return Error{Code::invalid_argument, path.string() + ": '" + name + "s' has no rows"};
  std::vector<HostValue> values(static_cast<size_t>(rows.dims[0]));
  const size_t row_bytes = values.empty() ? 0 : rows.size_bytes / values.size();
  for (size_t i = 0; i < values.size(); ++i) {
    HEED_ASSIGN(Tensor row, Tensor::allocate(rows.type, {rows.dims.begin() + 1, rows.dims.end()}));
    std::copy_n(rows.data + i * row_bytes, row_bytes, row.writable());
    HEED_ASSIGN(values[i].tensor, name == "input" && i < types.size() ? fitted(std::move(row), types[i])
                                                                       : Result<Tensor>(std::move(row)));
  }
  return values;
}

// Classes that stand beside a network's scores, a one among zeros: the place of the greatest is compared.
std::optional<std::string> class_difference(const Tensor& scores, const Tensor& classes) {
  if (scores.element_count() != classes.element_count())
    return std::to_string(scores.element_count()) + " scores; expected " + std::to_string(classes.element_count());
  const auto* met = reinterpret_cast<const float*>(scores.data);
  const auto* expected = reinterpret_cast<const int32_t*>(classes.data);
  const auto place = std::max_element(met, met + scores.element_count()) - met;
  const auto wanted = std::max_element(expected, expected + classes.element_count()) - expected;
  if (place == wanted) return std::nullopt;
  return "class " + std::to_string(place) + " is the likeliest; expected class " + std::to_string(wanted);
}

Result<std::vector<HostValue>> values_in(const fs::path& data_set, const std::string& name,
                                         std::span<const ValueType> types) {
  return data_set.extension() == ".npz" ? rows_of_npz(data_set, name, types) : numbered_values(data_set, name, types);
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
    if (entry.is_directory() ? file_name.starts_with("test_data_set_")
                             : file_name.starts_with("test_data_") && entry.path().extension() == ".npz")
      found.data_sets.push_back(entry.path());
    const bool is_model = entry.path().extension() == ".onnx" || file_name == "model.pb";  // as the zoo had it at first
    if (entry.is_regular_file() && is_model && (file_name == "model.onnx" || found.model.empty()))
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
  std::vector<ValueType> input_types, output_types;
  for (const SlotId input : plan.inputs) input_types.push_back(plan.slots[input].type);
  for (const ValueId output : plan.graph->outputs) output_types.push_back(plan.graph->values[output].type);
  std::vector<HostValue> given, expected;
  if (data_set) {
    HEED_ASSIGN(given, values_in(*data_set, "input", input_types));
    HEED_ASSIGN(expected, values_in(*data_set, "output", output_types));
  } else {
    for (const ValueType& type : input_types) {
      HEED_ASSIGN(given.emplace_back(), light_input(type));
    }
    HEED_ASSIGN(expected.emplace_back(), read_value(tested.light_output, output_types[0]));
  }
  if (given.size() < inputs.size())
    return Error{Code::io, data_set->string() + ": there is no input_" + std::to_string(given.size()) + ".pb"};
  for (size_t i = 0; i < inputs.size(); ++i) {
    HEED_ASSIGN(inputs[i], to_run_value(given[i]));
  }
  HEED_TRY(session.run(inputs, outputs));
  for (size_t i = 0; i < std::min(outputs.size(), expected.size()); ++i) {
    HEED_ASSIGN(const HostValue met, to_host_value(*outputs[i].get()));
    const bool are_classes = met.kind == Kind::tensor && met.tensor.type == DataType::f32 &&
                             expected[i].kind == Kind::tensor && expected[i].tensor.type == DataType::i32;
    if (const auto text = are_classes ? class_difference(met.tensor, expected[i].tensor)
                                      : difference(met, expected[i], tested.tolerance))
      return std::optional("output '" + plan.graph->values[plan.graph->outputs[i]].name + "': " + *text);
  }
  if (expected.size() > outputs.size())
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
