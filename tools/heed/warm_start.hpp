// WarmStart: something that works on the CPU at once, until the same on a device is ready.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <utility>

#include "heed/result.hpp"

namespace heed::tool {

// T is opened on the CPU, and meanwhile, by a thread of its own, on the device. Its destructor waits for that thread:
// the pipelines that were built by then serve the next start. For one thread.
template <class T>
class WarmStart {
 public:
  using Open = std::function<Result<std::unique_ptr<T>>()>;

  // Returns when `on_cpu` has; fails where it does. `on_device` runs in the other thread.
  static Result<WarmStart> begin(const Open& on_cpu, Open on_device) {
    WarmStart started;
    started.on_device_ = std::async(std::launch::async, std::move(on_device));
    HEED_ASSIGN(started.current_, on_cpu());
    return started;
  }

  // What to take for the next piece of work, borrowed until the next call: the device's as soon as it is ready, and
  // from then on. Fails once where the device's could not be opened.
  Result<T*> next() {
    if (on_device_.valid() && on_device_.wait_for(std::chrono::seconds(0)) == std::future_status::ready) {
      HEED_ASSIGN(auto ready, on_device_.get());
      current_ = std::move(ready);
    }
    return current_.get();
  }

 private:
  std::unique_ptr<T> current_;
  std::future<Result<std::unique_ptr<T>>> on_device_;
};

}  // namespace heed::tool
