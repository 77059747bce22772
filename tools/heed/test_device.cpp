// heed devices --test: the kernels' own tables of cases on a device, and its quarantine.
//
// A driver may crash the process that tests it. So this one never touches Vulkan: children do, which tell what they
// find as lines of JSON, and after a crash another one goes on behind the row that did it.
#include "test_device.hpp"

#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
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
using Json = nlohmann::json;

// Rows that would begin later are left out: the whole is promised in 20 s.
constexpr std::chrono::seconds most_time{18};

struct Outcome {
  int64_t passed = 0, failed = 0;
  int64_t declined = 0;  // by the kernel, with a reason of its own: these run on the CPU
  std::string first_failure;
};

struct DeviceReport {
  std::string selector = {}, name = {}, driver = {};
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

// Runs `work` in a child of this process and hands on what it tells; gives the signal that ended the child, or 0.
// Fails with the Error that the work failed with.
using Tell = std::function<void(const Json& told)>;
Result<int> in_child(const std::function<Result<void>(const Tell& tell)>& work, const Tell& hear) {
  int ends[2];
  std::cout.flush();
  if (pipe(ends) != 0) return Error{Code::io, std::string("pipe: ") + std::strerror(errno)};
  const pid_t child = fork();
  if (child < 0) return Error{Code::io, std::string("fork: ") + std::strerror(errno)};
  if (child == 0) {
    close(ends[0]);
    FILE* const to = fdopen(ends[1], "w");
    const Tell tell = [&](const Json& told) {
      const auto line = told.dump(-1, ' ', false, Json::error_handler_t::replace);
      std::fprintf(to, "%s\n", line.c_str());
      std::fflush(to);
    };
    if (const auto done = work(tell); !done)
      tell({{"error", done.error().message}, {"code", static_cast<int>(done.error().code)}});
    std::_Exit(0);
  }
  close(ends[1]);
  FILE* const from = fdopen(ends[0], "r");
  std::optional<Error> error;
  char* line = nullptr;
  size_t capacity = 0;
  while (getline(&line, &capacity, from) > 0) {
    const Json told = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (told.is_discarded()) continue;  // the last line of a child that crashed
    if (told.contains("error"))
      error = Error{static_cast<Code>(told["code"].get<int>()), told["error"].get<std::string>()};
    else
      hear(told);
  }
  std::free(line);
  std::fclose(from);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (error) return *std::move(error);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

// In the child: the rows behind the first `skipped`, each told as it begins and as it ends.
class DeviceTest {
 public:
  DeviceTest(const Registry& registry, const ModelOptions& options, const Tell& tell)
      : registry_(registry), options_(options), tell_(tell) {
    options_.thread_count = 1;
    options_.fold = false;
    options_.use_quarantine = false;
  }

  // The first row of every table, then every second one, and so on: where time is short, no table is left out as a
  // whole. Each row with its sizes fixed, then with all inputs but the first as constants, which kernels may pack.
  void run(const std::vector<test::Table>& tables, int64_t skipped, std::chrono::steady_clock::time_point begin) {
    int64_t left_out = 0;
    std::vector<std::vector<Case>> rows;
    size_t longest = 0;
    for (const auto& table : tables) longest = std::max(longest, rows.emplace_back(table.rows()).size());
    for (size_t place = 0; place < longest; ++place)
      for (const auto sizes : {Sizes::fixed, Sizes::constants})
        for (size_t k = 0; k < tables.size(); ++k) {
          if (place >= rows[k].size() || (sizes == Sizes::constants && rows[k][place].inputs.size() < 2)) continue;
          if (++row_ <= skipped) continue;
          if (std::chrono::steady_clock::now() - begin > most_time)
            ++left_out;
          else
            run_row(tables[k].op_type, rows[k][place], sizes);
        }
    tell_({{"left_out", left_out}});
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
    Json told = {{"row", row_},
                 {"operator", std::string(op_type)},
                 {"what", row.what},
                 {"domain", std::string(domain)},
                 {"op_type", std::string(name)},
                 {"variants", std::string(as_expression ? expression_variant : "*")},
                 {"element", std::string(row.inputs.empty() ? "" : name_of(row.inputs[0].type))}};
    tell_(told);
    options_.rewrite = as_expression;
    auto file = test::model_of(op_type, row, sizes);
    auto model = file ? Model::load(std::move(*file), registry_, options_)
                      : Result<std::shared_ptr<const Model>>(std::move(file).error());
    const Step* step = nullptr;
    if (model)
      for (const Step& each : (*model)->plan().steps)
        if (each.kind == StepKind::gpu && (!step || each.computes)) step = &each;
    if (model && !step) {
      told["result"] = "declined";
      return tell_(told);
    }
    if (step && !as_expression) {
      told["variants"] = names_of(step->variants);
      tell_(told);
    }
    const auto checked = model ? test::check_row(*model, row, sizes) : Result<void>(model.error());
    if (model) last_ = *model;
    told["result"] = checked ? "passed" : "failed";
    if (!checked) told["reason"] = checked.error().message;
    tell_(told);
  }

  const Registry& registry_;
  ModelOptions options_;
  const Tell& tell_;
  int64_t row_ = 0;                    // counted from 1
  std::shared_ptr<const Model> last_;  // kept until the next one is there, which finds the pipelines they share
};

// A row's end, in the parent.
void add_result(const Json& told, DeviceReport& report) {
  const auto text = [&](const char* member) { return told[member].get<std::string>(); };
  Outcome& outcome = report.operators[text("operator")];
  const std::string result = text("result");
  ++(result == "passed" ? outcome.passed : result == "declined" ? outcome.declined : outcome.failed);
  if (result != "failed") return;
  const std::string reason = text("what") + ": " + text("reason");
  if (outcome.first_failure.empty()) outcome.first_failure = reason;
  Quarantined kernel{text("domain"), text("op_type"), text("variants"), text("element"), reason};
  if (!vulkan::find_quarantined(report.quarantined, kernel.domain, kernel.op_type, kernel.variants, kernel.element))
    report.quarantined.push_back(std::move(kernel));
}

std::string operator_name(const Quarantined& kernel) {
  return (kernel.domain.empty() ? "" : kernel.domain + ".") + kernel.op_type;
}

Result<DeviceReport> test_device(const std::string& selector, const Registry& registry, const ModelOptions& options,
                                 const std::vector<test::Table>& tables) {
  DeviceReport report;
  ModelOptions of_device = options;
  of_device.device = selector;
  const auto begin = std::chrono::steady_clock::now();
  const auto open = [&] { return open_device(selector, /*real_gpus_only=*/false, options.kernel_options); };
  for (int64_t skipped = 0;;) {
    Json row;  // under way
    HEED_ASSIGN(const int signal, in_child(
                                      [&](const Tell& tell) -> Result<void> {
                                        HEED_ASSIGN(const auto device, open());
                                        tell({{"selector", "vulkan:" + std::to_string(device->info().index)},
                                              {"name", device->info().name},
                                              {"driver", device->info().driver},
                                              {"file", device->quarantine_file().path().string()}});
                                        DeviceTest(registry, of_device, tell).run(tables, skipped, begin);
                                        return {};
                                      },
                                      [&](const Json& told) {
                                        if (told.contains("selector")) {
                                          report.selector = told["selector"].get<std::string>();
                                          report.name = told["name"].get<std::string>();
                                          report.driver = told["driver"].get<std::string>();
                                          report.file = told["file"].get<std::string>();
                                        } else if (told.contains("left_out")) {
                                          report.left_out = told["left_out"].get<int64_t>();
                                        } else if (told.contains("result")) {
                                          add_result(told, report);
                                          row = nullptr;
                                        } else {
                                          row = told;
                                        }
                                      }));
    if (signal == 0) break;
    const std::string how = std::string("the process crashed (") + strsignal(signal) + ")";
    if (row.is_null()) return Error{Code::device_failed, selector + ": " + how + " outside of any kernel's test"};
    row["result"] = "failed";
    row["reason"] = how;
    add_result(row, report);
    skipped = row["row"].get<int64_t>();
  }
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (report.quarantined.empty() && report.file.empty()) return report;
  HEED_TRY(in_child(
      [&](const Tell&) -> Result<void> {
        HEED_ASSIGN(const auto device, open());
        auto quarantined = report.quarantined;
        for (const auto& kernel : device->quarantined())
          if (!report.operators.contains(operator_name(kernel))) quarantined.push_back(kernel);
        return device->quarantine_file().write(quarantined);
      },
      [](const Json&) {}));
  return report;
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
               outcome.declined ? std::to_string(outcome.declined) : "", cut(outcome.first_failure, 50)});
  table.print(std::cout);
  char line[200];
  std::snprintf(line, sizeof line, "%lld rows passed, %lld failed, %lld declined by their kernels, in %.1f s",
                static_cast<long long>(report.sum(&Outcome::passed)),
                static_cast<long long>(report.sum(&Outcome::failed)),
                static_cast<long long>(report.sum(&Outcome::declined)), report.seconds);
  std::cout << line;
  if (report.left_out) std::cout << "; " << report.left_out << " were left out for want of time";
  std::cout << "\n";
  for (const auto& kernel : report.quarantined) std::cout << "quarantined: " << operator_name(kernel) << " " << kernel.element << ", " << kernel.variants << "\n";
  if (!report.quarantined.empty())
    std::cout << "models use other kernels in their place until the driver or Heed changes, or --test --forget\n";
}

}  // namespace

int test_devices(const RunOptions& options, const std::vector<std::string>& operators, bool json) {
  std::vector<std::string> selectors;
  const auto listed = in_child(
      [&](const Tell& tell) -> Result<void> {
        HEED_ASSIGN(const auto found, selectors_of(options));
        for (const auto& selector : found) tell({{"selector", selector}});
        return {};
      },
      [&](const Json& told) { selectors.push_back(told["selector"].get<std::string>()); });
  if (!listed) return report(listed.error());
  if (*listed) return report({Code::device_failed, std::string("listing the devices crashed: ") + strsignal(*listed)});
  auto tables = open_tables();
  if (!tables) return report(tables.error());
  for (const auto& name : operators)
    if (std::none_of(tables->begin(), tables->end(), [&](const auto& table) { return table.op_type == name; }))
      return report({Code::invalid_argument, "--operator " + name + ": there are no cases of it; names are as in Trilu "
                                             "and heed.Embedding"});
  std::erase_if(*tables, [&](const auto& table) {
    return !operators.empty() && std::find(operators.begin(), operators.end(), table.op_type) == operators.end();
  });
  const auto registry = open_registry(options);
  if (!registry) return report(registry.error());
  const auto model_options = options.model_options();
  if (!model_options) return report(model_options.error());
  bool failed = false;
  nlohmann::json all = nlohmann::json::array();
  for (const auto& selector : selectors) {
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
