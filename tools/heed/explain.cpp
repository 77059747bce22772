// heed explain: each step of a model's plan: where it runs and why, shapes, memory, rewrites that fired.
#include "plan/explain.hpp"

#include <iostream>
#include <nlohmann/json.hpp>

#include "inputs.hpp"
#include "open_model.hpp"
#include "session/gpu.hpp"
#include "table.hpp"

namespace heed::tool {
namespace {

// What a run of the sizes of --dim needs; fails where they leave a size open.
Result<Session::Need> measure(const std::shared_ptr<const Model>& model, const RunOptions& options) {
  HEED_ASSIGN(const auto dims, options.dim_values());
  HEED_ASSIGN(const auto session, Session::create(model));
  return session->measure(dims);
}

constexpr size_t line_width = 120;

Result<void> explain_model(const std::string& name, bool json, const RunOptions& options) {
  HEED_ASSIGN(const auto model, open_model(name, options));
  const auto memory = measure(model, options);
  const Plan& plan = model->plan();
  const auto steps = heed::explain(plan);
  const PlanCounts counts = count_steps(plan);
  const std::string device = model->device() ? device_name(*model->device()) : "cpu";
  if (json) {
    nlohmann::json report = {{"device", device},
                             {"weight_bytes", model->weight_bytes()},
                             {"segments", counts.segments},
                             {"steps_on", {{"cpu", counts.cpu}, {"vulkan", counts.vulkan}}},
                             {"transfers", counts.transfers},
                             {"views", counts.views},
                             {"copies", counts.copies}};
    if (memory)
      report["memory"] = {{"host_arena_bytes", memory->host_bytes},
                          {"device_arena_bytes", memory->device_bytes},
                          {"device_peak_bytes", memory->device_peak_bytes},
                          {"state_bytes", memory->state_bytes},
                          {"is_bound", memory->is_bound},
                          {"unbounded", memory->unbounded}};
    report["steps"] = nlohmann::json::array();
    for (const auto& step : steps)
      report["steps"].push_back({{"step", step.step},
                                 {"depth", step.depth},
                                 {"node", step.node},
                                 {"op_type", step.op_type},
                                 {"on", step.on},
                                 {"kernel", step.kernel},
                                 {"output", step.output},
                                 {"why", step.why},
                                 {"computes", step.computes}});
    report["rewrites"] = nlohmann::json::object();
    for (const auto& rewrite : model->rewrites()) report["rewrites"][rewrite.name] = rewrite.count;
    std::cout << report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
    return {};
  }
  std::cout << name << ": on " << device << ", weights " << size_text(static_cast<double>(model->weight_bytes()));
  if (memory) {
    std::cout << ", states " << size_text(static_cast<double>(memory->state_bytes)) << ", arena "
              << (memory->is_bound ? "at most " : "") << size_text(static_cast<double>(memory->host_bytes));
    if (model->device())
      std::cout << " and on the device " << size_text(static_cast<double>(memory->device_bytes)) << ", peak there "
                << size_text(static_cast<double>(memory->device_peak_bytes));
  } else {
    std::cout << "\nmemory depends on --dim: " << memory.error().message;
  }
  std::cout << "\n";
  size_t widest_node = 0, widest_op = 0, widest_output = 0;
  for (const auto& step : steps) {
    widest_node = std::max(widest_node, step.node.size() + 2 * static_cast<size_t>(step.depth));
    widest_op = std::max(widest_op, step.op_type.size());
    widest_output = std::max(widest_output, step.output.size());
  }
  widest_node = std::min<size_t>(widest_node, 26);
  widest_output = std::min<size_t>(widest_output, 30);
  Table table({Table::Align::right, Table::Align::left, Table::Align::left, Table::Align::left, Table::Align::left,
               Table::Align::left});
  table.add({"step", "node", "operator", "on", "output", "why"});
  const size_t used = 2 + 4 + 2 + widest_node + 2 + widest_op + 2 + 10 + 2 + widest_output + 2;
  for (const auto& step : steps) {
    const std::string indent(2 * static_cast<size_t>(step.depth), ' ');
    table.add({std::to_string(step.step), indent + cut_front(step.node, widest_node - indent.size()), step.op_type,
               step.on + (step.kernel.empty() || step.on == "vulkan" ? "" : " " + step.kernel),
               cut(step.output, widest_output), cut(step.why, used + 20 < line_width ? line_width - used : 40)});
  }
  table.print(std::cout);
  std::cout << counts.cpu + counts.vulkan << " computing steps: " << counts.cpu << " on the CPU, " << counts.vulkan
            << " on vulkan; " << counts.views << " views cost nothing, " << counts.copies << " copies, "
            << counts.transfers << " transfers";
  if (memory && !memory->unbounded.empty()) {
    const auto& unbounded = memory->unbounded;
    std::cout << "; memory unbounded: value" << (unbounded.size() > 1 ? "s" : "");
    for (size_t i = 0; i < std::min<size_t>(unbounded.size(), 3); ++i) std::cout << (i ? ", " : " ") << unbounded[i];
    if (unbounded.size() > 3) std::cout << " and " << unbounded.size() - 3 << " more";
  }
  if (counts.segments > 1) std::cout << "; " << counts.segments << " segments, as sizes depend on data";
  std::cout << "\n";
  if (!model->rewrites().empty()) {
    std::string line = "rewrites:";
    size_t width = line.size();
    for (const auto& rewrite : model->rewrites()) {
      const std::string text = " " + rewrite.name + " × " + std::to_string(rewrite.count);
      const size_t text_width = text.size() - 1;  // "×" is two bytes of UTF-8
      if (width + text_width > line_width) line += "\n         ", width = 9;
      line += text;
      width += text_width;
    }
    std::cout << line << "\n";
  }
  return {};
}

}  // namespace

int explain(const Arguments& arguments) {
  std::string model;
  bool json = false;
  RunOptions run_options;
  po::options_description all("options");
  all.add_options()("model", po::value(&model)->required()->value_name("MODEL"), "an .onnx file or a model folder")(
      "json", po::bool_switch(&json), "report as JSON");
  all.add(run_options.described());
  if (const auto status = read_command_line(
          arguments, "explain", "MODEL [--dim NAME=SIZE]...",
          "Shows each step: where it runs and why, shapes, memory, rewrites that fired.", all, {"model"}))
    return *status;
  if (auto done = explain_model(model, json, run_options); !done) return report(done.error());
  return success;
}

}  // namespace heed::tool
