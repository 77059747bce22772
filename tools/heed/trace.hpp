// A Chrome/Perfetto trace of a session's steps:
// https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
#pragma once

#include <string>
#include <vector>

#include "session/session.hpp"

namespace heed::tool {

// Notes each step of a session's runs, for as long as both live.
class Trace {
 public:
  void watch(Session& session);
  const std::vector<StepTime>& steps() const { return steps_; }
  void clear() { steps_.clear(); }
  // Whole or not at all.
  Result<void> write(const std::string& path) const;

 private:
  std::vector<StepTime> steps_;
  std::shared_ptr<vulkan::Device> device_;
};

}  // namespace heed::tool
