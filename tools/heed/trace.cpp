// A Chrome/Perfetto trace of a session's steps.
#include "trace.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace heed::tool {

void Trace::watch(Session& session) {
  session.observe(
      [](void* context, const Plan& plan, uint32_t step, int64_t begin_ns, int64_t end_ns) {
        static_cast<Trace*>(context)->steps_.push_back({&plan, step, begin_ns, end_ns});
      },
      this);
}

Result<void> Trace::write(const std::string& path) const {
  nlohmann::json events = nlohmann::json::array();
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
                      {"tid", step.kind == StepKind::gpu ? 2 : 1}});
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
