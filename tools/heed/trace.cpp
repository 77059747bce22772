// A Chrome/Perfetto trace of a session's steps.
#include "trace.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "session/gpu.hpp"

namespace heed::tool {

namespace {

// What a step moved and computed, and how fast.
nlohmann::json measures_of(const StepTime& time, double bytes_per_second) {
  const double seconds = 1e-9 * static_cast<double>(std::max<int64_t>(time.end_ns - time.begin_ns, 1));
  const double speed = static_cast<double>(time.bytes) / seconds;
  nlohmann::json measures{{"bytes", time.bytes}, {"GB/s", speed / 1e9}};
  if (time.operation_count) {
    measures["operations"] = time.operation_count;
    measures["Goperations/s"] = static_cast<double>(time.operation_count) / seconds / 1e9;
  }
  if (bytes_per_second > 0) measures["share of the device's bandwidth"] = speed / bytes_per_second;
  return measures;
}

}  // namespace

void Trace::watch(Session& session) {
  device_ = session.model().device();
  session.observe([this](const StepTime& time) { steps_.push_back(time); });
}

Result<void> Trace::write(const std::string& path) const {
  double bytes_per_second = 0;
  if (device_) {
    HEED_ASSIGN(bytes_per_second, measure_bandwidth(device_));
  }
  nlohmann::json events = nlohmann::json::array();
  for (const auto& [thread, name] : {std::pair(1, "cpu"), std::pair(2, "vulkan")})
    events.push_back({{"name", "thread_name"}, {"ph", "M"}, {"pid", 1}, {"tid", thread}, {"args", {{"name", name}}}});
  for (const auto& traced : steps_) {
    const Step& step = traced.plan->steps[traced.step];
    const bool transfer = step.node == no_id;
    const std::string name =
        transfer ? (step.kind == StepKind::upload ? "upload" : "download") : traced.plan->graph->nodes[step.node].name;
    events.push_back({{"name", name},
                      {"cat", transfer ? "transfer" : traced.plan->graph->nodes[step.node].op_type},
                      {"ph", "X"},
                      {"ts", static_cast<double>(traced.begin_ns) / 1000.0},
                      {"dur", static_cast<double>(traced.end_ns - traced.begin_ns) / 1000.0},
                      {"pid", 1},
                      {"tid", step.kind == StepKind::gpu ? 2 : 1},
                      {"args", measures_of(traced, step.kind == StepKind::gpu ? bytes_per_second : 0)}});
  }
  const std::string unfinished = path + ".unfinished";
  {
    std::ofstream file(unfinished);
    file << nlohmann::json{{"traceEvents", std::move(events)}, {"displayTimeUnit", "ns"}}.dump(
        -1, ' ', false, nlohmann::json::error_handler_t::replace);
    if (!file.flush()) return Error{Code::io, path + ": cannot be written"};
  }
  std::error_code error;
  std::filesystem::rename(unfinished, path, error);
  if (error) return Error{Code::io, path + ": " + error.message()};
  return {};
}

}  // namespace heed::tool
