// heed run: run a model once.
#include <cmath>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "compare_values.hpp"
#include "files/npy.hpp"
#include "inputs.hpp"
#include "onnx/read_value.hpp"
#include "open_model.hpp"
#include "plan/explain.hpp"
#include "trace.hpp"

namespace heed::tool {
namespace {

constexpr size_t shown_elements = 8;

// The first elements, and what all of them span.
std::string shown(const HostValue& value) {
  if (value.kind != Kind::tensor) {
    if (!value.present) return "empty";
    std::string text = std::to_string(value.elements.size()) + " elements";
    for (size_t i = 0; i < std::min(value.elements.size(), shown_elements); ++i)
      text += "\n    [" + std::to_string(i) + "] " + shown(value.elements[i]);
    return text;
  }
  const Tensor& tensor = value.tensor;
  std::string text = to_string(tensor) + "  ";
  if (tensor.type == DataType::string) {
    for (size_t i = 0; i < std::min(tensor.texts().size(), shown_elements); ++i)
      text += (i ? ", '" : "'") + std::string(tensor.texts()[i].data, tensor.texts()[i].size) + "'";
    return text;
  }
  const auto numbers = to_doubles(tensor);
  char number[40];
  double low = INFINITY, high = -INFINITY;
  for (const double n : numbers) low = std::min(low, n), high = std::max(high, n);
  for (size_t i = 0; i < std::min(numbers.size(), shown_elements); ++i) {
    std::snprintf(number, sizeof number, "%s%.6g", i ? ", " : "", numbers[i]);
    text += number;
  }
  if (numbers.size() > shown_elements) {
    std::snprintf(number, sizeof number, "  from %.6g to %.6g", low, high);
    text += ", ..." + std::string(number);
  }
  return text;
}

// A name that is safe as a file's: no separators.
std::string file_name(std::string name) {
  for (char& c : name)
    if (c == '/' || c == '\\' || c == '\0' || c == ':') c = '_';
  return name.empty() || name[0] == '.' ? "_" + name : name;
}

Result<void> write_outputs(const std::string& folder, const Session::NamedValues& outputs) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return Error{Code::io, folder + ": " + error.message()};
  for (const auto& [name, value] : outputs) {
    const auto path = std::filesystem::path(folder) / file_name(name);
    if (value.kind == Kind::tensor && value.tensor.type != DataType::string) {
      HEED_TRY(write_npy(path.string() + ".npy", value.tensor));
    } else {
      HEED_TRY(write_value(path.string() + ".pb", value, name));
    }
  }
  return {};
}

struct Options {
  std::string model, output;
  InputRequest inputs;
  bool json = false;
};

Result<void> run_once(Options& options, const RunOptions& run_options) {
  HEED_ASSIGN(options.inputs.dims, run_options.dim_values());
  HEED_ASSIGN(const auto path, find_model(options.model));
  ModelSource source(options.model, run_options);
  HEED_ASSIGN(auto model, source.open());
  HEED_ASSIGN(const auto inputs, make_inputs(*model, options.inputs, path.parent_path()));
  HEED_ASSIGN(auto session, Session::create(model, {.limits = run_options.run_limits()}));
  Trace trace;
  if (!run_options.profile.empty()) trace.watch(*session);
  auto outputs = session->run(inputs);
  while (!outputs) {
    session.reset();
    model.reset();
    trace.clear();
    HEED_ASSIGN(model, source.reopen(std::move(outputs).error()));
    HEED_ASSIGN(session, Session::create(model, {.limits = run_options.run_limits()}));
    if (!run_options.profile.empty()) trace.watch(*session);
    outputs = session->run(inputs);
  }
  if (!run_options.profile.empty()) HEED_TRY(trace.write(run_options.profile));
  if (!options.output.empty()) HEED_TRY(write_outputs(options.output, *outputs));
  if (options.json) {
    nlohmann::json report = {{"outputs", nlohmann::json::array()}};
    for (const auto& [name, value] : *outputs)
      report["outputs"].push_back(
          {{"name", name},
           {"type", to_string(value.tensor)},
           {"values", value.kind == Kind::tensor ? to_doubles(value.tensor) : std::vector<double>()}});
    const PlanCounts counts = count_steps(model->plan());
    report["steps"] = {{"cpu", counts.cpu}, {"vulkan", counts.vulkan}};
    std::cout << report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
  } else {
    for (const auto& [name, value] : *outputs) std::cout << name << "  " << shown(value) << "\n";
  }
  return {};
}

}  // namespace

int run_model(const Arguments& arguments) {
  Options options;
  RunOptions run_options;
  po::options_description all("options");
  all.add_options()("model", po::value(&options.model)->required()->value_name("MODEL"),
                    "an .onnx file or a model folder")(
      "output", po::value(&options.output)->value_name("DIR"), "write the outputs there, as .npy")(
      "json", po::bool_switch(&options.json), "report as JSON");
  all.add(options.inputs.described()).add(run_options.described());
  if (const auto status = read_command_line(arguments, "run", "MODEL [OPTION]...",
                                            "Runs a model once and shows what comes out.", all, {"model"}))
    return *status;
  if (auto done = run_once(options, run_options); !done) return report(done.error());
  return success;
}

}  // namespace heed::tool
