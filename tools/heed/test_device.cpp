// heed devices --test: the kernels' own tables of cases on a device, and its quarantine.
#include "test_device.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "open_model.hpp"
#include "session/gpu.hpp"
#include "table.hpp"
#include "tests/ops/run_case.hpp"
#include "tests/ops/tables/tables.hpp"
#include "vulkan/device.hpp"

namespace heed::tool {
namespace {

using test::Case;
using test::Sizes;
using vulkan::Device;
using vulkan::Quarantined;

// Rows that would begin later are left out: the whole is promised in 20 s.
constexpr std::chrono::seconds most_time{18};

struct Outcome {
  int64_t passed = 0, failed = 0;
  int64_t declined = 0;  // by the kernel, with a reason of its own: these run on the CPU
  std::string first_failure;
};

struct DeviceReport {
  std::string selector, name, driver;
  std::map<std::string, Outcome> operators = {};
  std::vector<Quarantined> quarantined = {};
  int64_t left_out = 0;
  double seconds = 0;
  std::filesystem::path file = {};

  int64_t sum(int64_t Outcome::*member) const {
    int64_t all = 0;
    for (const auto& [op_type, outcome] : operators) all += outcome.*member;
    return all;
  }
};

// The library beside the program, as it is installed and as it is built.
Result<std::vector<test::Table>> open_tables() {
  std::error_code failure;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failure);
  const auto path = program.parent_path().parent_path() / HEED_CASES_FOLDER / "heed_cases.so";
  void* library = failure ? nullptr : dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);  // stays open: tables are its memory
  void* symbol = library ? dlsym(library, heed_case_tables_symbol) : nullptr;
  if (!symbol)
    return Error{Code::io,
                 "the kernels' tables of cases, " + path.string() + ", are not there: install Heed as a whole"};
  auto tables = *reinterpret_cast<heed_case_tables_function>(symbol)();
  std::sort(tables.begin(), tables.end(), [](const auto& a, const auto& b) { return a.op_type < b.op_type; });
  return tables;
}

// "vulkan:0" and so on: those of --device.
Result<std::vector<std::string>> selectors_of(const RunOptions& options) {
  if (options.device == "cpu") return Error{Code::invalid_argument, "--test is for Vulkan devices; --device is cpu"};
  if (options.device != "auto") return std::vector<std::string>{options.device};
  HEED_ASSIGN(const auto found, Device::list());
  std::vector<std::string> selectors;
  for (const auto& device : found)
    if (device.unsuitable.empty()) selectors.push_back("vulkan:" + std::to_string(device.index));
  if (selectors.empty()) return Error{Code::unsupported, "there is no Vulkan device that Heed can use"};
  return selectors;
}

class DeviceTest {
 public:
  DeviceTest(const Registry& registry, const ModelOptions& options, DeviceReport& report)
      : registry_(registry), options_(options), report_(report) {
    options_.thread_count = 1;
    options_.fold = false;
    options_.use_quarantine = false;
  }

  // All rows with their sizes fixed, then with all inputs but the first as constants, which kernels may pack.
  void run(const std::vector<test::Table>& tables) {
    const auto begin = std::chrono::steady_clock::now();
    for (const auto sizes : {Sizes::fixed, Sizes::constants})
      for (const auto& table : tables)
        for (const auto& row : table.rows()) {
          if (sizes == Sizes::constants && row.inputs.size() < 2) continue;
          if (std::chrono::steady_clock::now() - begin > most_time)
            ++report_.left_out;
          else
            run_row(table.op_type, row, sizes);
        }
    report_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

 private:
  void run_row(std::string_view op_type, const Case& row, Sizes sizes) {
    const auto [domain, name] = test::split_domain(op_type);
    const auto* contract = registry_.find_operator(domain, name);
    const auto version = contract ? contract->version_at(domain.empty() ? row.opset : 1) : std::nullopt;
    if (!version) return;
    const auto kernels = registry_.gpu_kernels(domain, name, *version);
    const bool as_expression = kernels && kernels->empty() && contract->c->expression.size > 0;
    if (!kernels || (kernels->empty() && !as_expression)) return;
    Outcome& outcome = report_.operators[std::string(op_type)];
    options_.rewrite = as_expression;
    auto file = test::model_of(op_type, row, sizes);
    auto model = file ? Model::load(std::move(*file), registry_, options_)
                      : Result<std::shared_ptr<const Model>>(std::move(file).error());
    const Step* step = nullptr;
    if (model)
      for (const Step& each : (*model)->plan().steps)
        if (each.kind == StepKind::gpu && (!step || each.computes)) step = &each;
    if (model && !step) {
      ++outcome.declined;
      return;
    }
    const auto checked = model ? test::check_row(*model, row, sizes) : Result<void>(model.error());
    if (model) last_ = *model;
    ++(checked ? outcome.passed : outcome.failed);
    if (checked) return;
    const std::string reason = row.what + ": " + checked.error().message;
    if (outcome.first_failure.empty()) outcome.first_failure = reason;
    const std::string variants = as_expression ? std::string(expression_variant)
                                 : step        ? names_of(step->variants)
                                               : "*";
    const std::string element(row.inputs.empty() ? "" : name_of(row.inputs[0].type));
    if (!vulkan::find_quarantined(report_.quarantined, domain, name, variants, element))
      report_.quarantined.push_back({std::string(domain), std::string(name), variants, element, reason});
  }

  const Registry& registry_;
  ModelOptions options_;
  DeviceReport& report_;
  std::shared_ptr<const Model> last_;  // kept until the next one is there, which finds the pipelines they share
};

Result<DeviceReport> test_device(const std::string& selector, const Registry& registry, const ModelOptions& options,
                                 const std::vector<test::Table>& tables) {
  HEED_ASSIGN(const auto device, open_device(selector, /*real_gpus_only=*/false, options.kernel_options));
  DeviceReport report{.selector = "vulkan:" + std::to_string(device->info().index),
                      .name = device->info().name,
                      .driver = device->info().driver};
  ModelOptions of_device = options;
  of_device.device = selector;
  DeviceTest(registry, of_device, report).run(tables);
  report.file = device->quarantine_file().path();
  if (!report.quarantined.empty() || !report.file.empty())
    HEED_TRY(device->quarantine_file().write(report.quarantined));
  return report;
}

std::string full_name(const Quarantined& kernel) {
  return (kernel.domain.empty() ? "" : kernel.domain + ".") + kernel.op_type + " " + kernel.element + ", " +
         kernel.variants;
}

nlohmann::json json_of(const DeviceReport& report) {
  nlohmann::json json = {{"device", report.selector},
                         {"name", report.name},
                         {"driver", report.driver},
                         {"passed", report.sum(&Outcome::passed)},
                         {"failed", report.sum(&Outcome::failed)},
                         {"declined", report.sum(&Outcome::declined)},
                         {"left_out", report.left_out},
                         {"seconds", report.seconds},
                         {"file", report.file.string()},
                         {"operators", nlohmann::json::object()},
                         {"quarantined", nlohmann::json::array()}};
  for (const auto& [op_type, outcome] : report.operators)
    json["operators"][op_type] = {
        {"passed", outcome.passed}, {"failed", outcome.failed}, {"declined", outcome.declined}};
  for (const auto& kernel : report.quarantined)
    json["quarantined"].push_back({{"domain", kernel.domain},
                                   {"op_type", kernel.op_type},
                                   {"variants", kernel.variants},
                                   {"element", kernel.element},
                                   {"reason", kernel.reason}});
  return json;
}

void print(const DeviceReport& report) {
  std::cout << report.selector << "  " << report.name << ", " << report.driver << "\n";
  Table table({Table::Align::left, Table::Align::right, Table::Align::right, Table::Align::right, Table::Align::left});
  table.add({"operator", "passed", "failed", "declined", ""});
  for (const auto& [op_type, outcome] : report.operators)
    table.add({op_type, std::to_string(outcome.passed), outcome.failed ? std::to_string(outcome.failed) : "",
               outcome.declined ? std::to_string(outcome.declined) : "", cut(outcome.first_failure, 62)});
  table.print(std::cout);
  char line[200];
  std::snprintf(line, sizeof line, "%lld rows passed, %lld failed, %lld declined by their kernels, in %.1f s",
                static_cast<long long>(report.sum(&Outcome::passed)),
                static_cast<long long>(report.sum(&Outcome::failed)),
                static_cast<long long>(report.sum(&Outcome::declined)), report.seconds);
  std::cout << line;
  if (report.left_out) std::cout << "; " << report.left_out << " were left out for want of time";
  std::cout << "\n";
  for (const auto& kernel : report.quarantined) std::cout << "quarantined: " << full_name(kernel) << "\n";
  if (!report.quarantined.empty())
    std::cout << "models use other kernels in their place until the driver or Heed changes, or --test --forget\n";
}

}  // namespace

int test_devices(const RunOptions& options, bool json) {
  const auto selectors = selectors_of(options);
  if (!selectors) return report(selectors.error());
  const auto tables = open_tables();
  if (!tables) return report(tables.error());
  const auto registry = open_registry(options);
  if (!registry) return report(registry.error());
  const auto model_options = options.model_options();
  if (!model_options) return report(model_options.error());
  bool failed = false;
  nlohmann::json all = nlohmann::json::array();
  for (const auto& selector : *selectors) {
    const auto tested = test_device(selector, **registry, *model_options, *tables);
    if (!tested) return report(tested.error());
    failed |= tested->sum(&Outcome::failed) > 0;
    json ? all.push_back(json_of(*tested)) : print(*tested);
  }
  if (json) std::cout << all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
  return failed ? failure : success;
}

int forget_quarantine(const RunOptions& options, bool json) {
  const auto selectors = selectors_of(options);
  if (!selectors) return report(selectors.error());
  const auto model_options = options.model_options();
  if (!model_options) return report(model_options.error());
  nlohmann::json all = nlohmann::json::array();
  for (const auto& selector : *selectors) {
    const auto device = open_device(selector, /*real_gpus_only=*/false, model_options->kernel_options);
    if (!device) return report(device.error());
    const size_t count = (*device)->quarantined().size();
    if (!(*device)->quarantine_file().path().empty())
      if (auto done = (*device)->quarantine_file().write({}); !done) return report(done.error());
    const std::string name = "vulkan:" + std::to_string((*device)->info().index);
    if (json)
      all.push_back({{"device", name}, {"forgotten", count}});
    else
      std::cout << name << "  " << count << (count == 1 ? " kernel" : " kernels") << " released\n";
  }
  if (json) std::cout << all.dump(2) << "\n";
  return success;
}

}  // namespace heed::tool
