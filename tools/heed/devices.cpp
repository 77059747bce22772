// heed devices: the processors and GPUs that are here.
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/thread_pool.hpp"
#include "options.hpp"
#include "table.hpp"
#include "vulkan/device.hpp"

namespace heed::tool {

int devices(const Arguments& arguments) {
  bool json = false;
  po::options_description all("options");
  all.add_options()("json", po::bool_switch(&json), "report as JSON");
  if (const auto status =
          read_command_line(arguments, "devices", "", "Shows the processors and GPUs that are here.", all, {}))
    return *status;
  const int threads = ThreadPool::default_thread_count();
  const auto found = vulkan::Device::list();
  if (json) {
    nlohmann::json report = {{"cpu", {{"threads", threads}}}, {"vulkan", nlohmann::json::array()}};
    if (found) {
      for (const auto& device : *found)
        report["vulkan"].push_back({{"index", device.index},
                                    {"name", device.name},
                                    {"kind", name_of(device.kind)},
                                    {"driver", device.driver},
                                    {"api_version", device.api_version},
                                    {"memory_bytes", device.memory_bytes},
                                    {"unsuitable", device.unsuitable}});
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
  if (!found) std::cout << "no vulkan: " << found.error().message << "\n";
  return success;
}

}  // namespace heed::tool
