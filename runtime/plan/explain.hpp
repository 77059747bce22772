// What a plan does, told step by step: for `heed explain`, and for whoever wants to see any stage.
#pragma once

#include <string>
#include <vector>

#include "plan/plan.hpp"

namespace heed {

struct ExplainedStep {
  uint32_t step = 0;          // in its plan
  int depth = 0;              // 0: the model; 1: a body of one of its steps, and so on
  std::string node, op_type;  // of uploads and downloads: the value, and what is done
  std::string on;             // cpu, vulkan, control
  std::string kernel;         // "avx512", the first shader variant
  std::string output;         // type of the first output: "f32 [batch, seq, 160]"
  std::string why;            // what it replaced, why not elsewhere, what is written in place
  bool computes = false;
  bool crosses = false;  // upload or download
};

// All steps in the order in which they run, those of bodies after their control step; views are left out.
std::vector<ExplainedStep> explain(const Plan& plan);

struct PlanCounts {
  int64_t cpu = 0, vulkan = 0;  // computing steps
  int64_t transfers = 0, views = 0, copies = 0, segments = 1;
};
PlanCounts count_steps(const Plan& plan);

}  // namespace heed
