// The one sink, and what passes to it.
#include "base/log.hpp"

#include <atomic>
#include <mutex>

namespace heed {
namespace {

struct Sink {
  LogSink function;
  void* context;
};

// A replaced sink may still be in use by another thread, so the few that are ever set are kept until the process ends.
struct Installed {
  Sink sink;
  Installed* previous;
};

std::atomic<Installed*> installed{nullptr};
std::atomic<int32_t> least_level{static_cast<int32_t>(Level::error) + 1};
std::mutex install_mutex;

}  // namespace

void set_log_sink(LogSink sink, void* context, Level least) {
  const std::lock_guard lock(install_mutex);
  // Silence first: a level is never met without the sink that it was set for.
  least_level.store(static_cast<int32_t>(Level::error) + 1, std::memory_order_release);
  if (sink == nullptr) return;
  Installed* newest = installed.load(std::memory_order_relaxed);
  if (newest == nullptr || newest->sink.function != sink || newest->sink.context != context) {
    installed.store(new Installed{{sink, context}, newest}, std::memory_order_release);
  }
  least_level.store(static_cast<int32_t>(least), std::memory_order_release);
}

bool log_enabled(Level level) { return static_cast<int32_t>(level) >= least_level.load(std::memory_order_acquire); }

void log(Level level, std::string_view text) {
  if (!log_enabled(level)) return;
  const Sink sink = installed.load(std::memory_order_acquire)->sink;
  sink.function(sink.context, level, text);
}

}  // namespace heed
