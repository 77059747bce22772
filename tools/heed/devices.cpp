// heed devices: the processors and GPUs that are here, and what the GPUs can do.
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/thread_pool.hpp"
#include "options.hpp"
#include "table.hpp"
#include "test_device.hpp"
#include "vulkan/device.hpp"

namespace heed::tool {
namespace {

using vulkan::CapabilityKind;

nlohmann::json report_of(const vulkan::DeviceInfo& device) {
  nlohmann::json capabilities;
  for (const auto& [name, value, kind] : vulkan::capability_entries) {
    if (kind == CapabilityKind::feature)
      capabilities[name] = device.capabilities.*value != 0;
    else
      capabilities[name] = device.capabilities.*value;
  }
  return {{"index", device.index},
          {"name", device.name},
          {"kind", name_of(device.kind)},
          {"driver", device.driver},
          {"api_version", device.api_version},
          {"memory_bytes", device.memory_bytes},
          {"unsuitable", device.unsuitable},
          {"capabilities", capabilities}};
}

// One row a capability, one column a device.
void print_capabilities(const std::vector<vulkan::DeviceInfo>& devices) {
  if (devices.empty()) return;
  std::vector<Table::Align> columns(devices.size() + 1, Table::Align::right);
  columns.front() = Table::Align::left;
  Table table(columns);
  std::vector<std::string> head = {""};
  for (const auto& device : devices) head.push_back("vulkan:" + std::to_string(device.index));
  table.add(std::move(head));
  for (const auto& [name, value, kind] : vulkan::capability_entries) {
    std::vector<std::string> row = {std::string(name)};
    for (const auto& device : devices) {
      const uint64_t number = device.capabilities.*value;
      row.push_back(kind != CapabilityKind::feature ? std::to_string(number) : number ? "yes" : "no");
    }
    table.add(std::move(row));
  }
  std::cout << "\n";
  table.print(std::cout, "");
}

}  // namespace

int devices(const Arguments& arguments) {
  bool json = false, test = false, forget = false;
  RunOptions run_options;
  po::options_description all("options");
  all.add_options()("json", po::bool_switch(&json), "report as JSON")(
      "test", po::bool_switch(&test),
      "run the kernels' own tables of cases on each GPU, or on that of --device; a kernel that fails is put in "
      "quarantine: models on this device use others from then on, until its driver or Heed changes")(
      "forget", po::bool_switch(&forget), "with --test: release what is in quarantine, and test nothing");
  po::options_description of_test("what --test runs");
  std::vector<std::string> operators;
  of_test.add_options()("operator", po::value(&operators)->composing()->value_name("NAME"),
                        "this operator alone, and others that are named so")("device", po::value(&run_options.device)->value_name("vulkan[:N]"), "one device alone")(
      "plugin", po::value(&run_options.plugins)->composing()->value_name("LIB"), "with a plugin's kernels")(
      "option", po::value(&run_options.options)->composing()->value_name("NAME=VALUE"),
      "vulkan.cache=FOLDER (where the quarantine lies), vulkan.mask=int64");
  all.add(of_test);
  if (const auto status = read_command_line(
          arguments, "devices", "[--test [--forget]]",
          "Shows the processors and GPUs that are here, or tests whether the GPUs compute what they should.", all, {}))
    return *status;
  if (forget && !test) {
    std::cerr << "error: --forget goes with --test\n";
    return usage_error;
  }
  if (test) return forget ? forget_quarantine(run_options, json) : test_devices(run_options, operators, json);
  const int threads = ThreadPool::default_thread_count();
  const auto found = vulkan::Device::list();
  if (json) {
    nlohmann::json report = {{"cpu", {{"threads", threads}}}, {"vulkan", nlohmann::json::array()}};
    if (found) {
      for (const auto& device : *found) report["vulkan"].push_back(report_of(device));
    } else {
      report["notice"] = found.error().message;
    }
    std::cout << report.dump(2) << "\n";
    return success;
  }
  Table table({Table::Align::left, Table::Align::left, Table::Align::left, Table::Align::left});
  table.add({"cpu", std::to_string(threads) + (threads == 1 ? " thread" : " threads"), "", ""});
  if (found)
    for (const auto& device : *found)
      table.add({"vulkan:" + std::to_string(device.index), device.name,
                 std::string(name_of(device.kind)) + ", " + size_text(static_cast<double>(device.memory_bytes)),
                 device.unsuitable.empty() ? "Vulkan " + device.api_version + ", " + device.driver
                                           : "not usable: " + device.unsuitable});
  table.print(std::cout, "");
  if (found)
    print_capabilities(*found);
  else
    std::cout << "no vulkan: " << found.error().message << "\n";
  return success;
}

}  // namespace heed::tool
