// Which kernel carries out a node, and on what terms.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plan/plan.hpp"
#include "registry/phases.hpp"

namespace heed {

// A kernel's answer to being asked.
struct Choice {
  const heed_cpu_kernel* cpu = nullptr;
  const heed_gpu_kernel* gpu = nullptr;
  const heed_control_kernel* control = nullptr;
  std::vector<KernelVariant> variants;
  std::vector<Declined> declined;
  std::vector<bool> strided_inputs, strided_outputs;
  std::vector<bool> channels_last_inputs, channels_last_outputs;
  std::vector<std::pair<int32_t, int32_t>> in_place;  // input, output
  Dim operation_count = 0;                            // of numbers, as far as the kernel tells
};

// What a node's GPU kernels say: the first that takes it, or why none does.
struct GpuAnswer {
  std::optional<Choice> choice;
  std::vector<Declined> declined;
};

// An option "kernel" names a kernel to be asked first. Fails where a kernel does, not where all decline.
Result<GpuAnswer> ask_gpu_kernels(const Graph& graph, const Node& node, const OperatorEntry& op,
                                  const Registry& registry, const PlanOptions& options);

// A control kernel where the operator has one, else the CPU kernel of the highest score that takes the node; an option
// "kernel" names one to be preferred. Fails where none takes it, with every refusal: `declined` and its own.
// `channels_last`: by value, whether it lies so, as far as is known; null: none does.
Result<Choice> choose_cpu_kernel(const Graph& graph, const Node& node, const OperatorEntry& op,
                                 const Registry& registry, const PlanOptions& options,
                                 const std::vector<bool>* channels_last = nullptr, std::vector<Declined> declined = {});

// How outputs look at input 0, given its strides; nullopt where the operator says that it is no view here.
struct ViewOfSource {
  struct Output {
    std::vector<Dim> strides;
    Dim offset = 0;
  };
  std::vector<Output> outputs;
};
std::optional<ViewOfSource> ask_view(const Graph& graph, const Node& node, const OperatorEntry& op,
                                     std::span<const Dim> source_strides);

}  // namespace heed
