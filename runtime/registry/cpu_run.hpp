// CpuRun: what a CPU kernel may ask for while it runs: threads, room for outputs, values, seeds. Constant folding and
// the session own one each and use it for kernel after kernel.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/memory_budget.hpp"
#include "base/thread_pool.hpp"
#include "heed/plugin.h"
#include "registry/phases.hpp"
#include "registry/registry.hpp"
#include "registry/value.hpp"

namespace heed {

// Seeds for the random nodes of one run: the same ones in the same order for the same start.
struct RandomSeeds {
  uint64_t state = 0;
  uint64_t next();  // SplitMix64
};

// An input as a value, for kernels that ask for it by host->run_input or sequence_copy. Borrowed from the owner.
struct CpuInput {
  heed_value* value = nullptr;  // null: a plain tensor, as it stands in the arguments
  bool last_use = false;        // nobody reads it after this step: sequence_copy may take it, and leaves null here
};

// What a kernel gave for an output that it did not write in place.
struct CpuOutput {
  SharedValue value;                 // by allocate_output or set_output; empty: it lies where the arguments say
  SharedValue before;                // of an earlier execution: allocate_output gives it again where it fits and is free
  std::shared_ptr<TextArena> texts;  // the characters of a string output that lies where the arguments say
};

// One execution of one kernel. `arguments` and both lists are the owner's and may be used again: a step builds them
// once and renews only pointers. An output that is not allocated yet has data null and rank -1 in the arguments; one
// that lies at its place has its dims. The lists may be empty where every input and output is a plain tensor at its
// place.
struct CpuStep {
  heed_arguments* arguments = nullptr;
  std::span<CpuInput> inputs;
  std::span<CpuOutput> outputs;
};

// For one thread at a time. Between run()s nothing is held but copies of inputs that a kernel asked for as values.
class CpuRun final : public heed_run {
 public:
  // Both must outlive it; without a pool everything runs on the calling thread.
  CpuRun(ThreadPool* pool, RandomSeeds* seeds) : pool_(pool), seeds_(seeds) {}

  // Lets go of what the outputs hold, sets arguments->run and calls the kernel, which leaves the arguments as they
  // were: an output that had no place is in step.outputs. Fails with the kernel's text, to which the caller adds the
  // node, and where an output has neither a place nor a value.
  Result<void> run(const heed_cpu_kernel& kernel, const heed_node& node, const CpuStep& step);

  // The same in two halves, for callers that set arguments->run and call the kernel themselves: whatever it asks for is
  // answered from this step until the next one is entered. The owner empties step.outputs. Leaving fails where there was
  // no memory for a text: kernels do not look.
  void enter(const CpuStep& step) { step_ = step; }
  Result<void> leave() {
    if (!copies_.empty()) copies_.clear();
    if (std::exchange(lacks_memory_, false)) [[unlikely]]
      return Error{Code::out_of_memory, "no memory for its texts" + memory_limit_note()};
    return {};
  }

  // Whether the pool's threads take part in loops, from here on; they do at first.
  void share_loops(bool is_shared) { shares_loops_ = is_shared; }

  void parallel_for(int64_t count, int64_t grain, heed_loop function, void* context) override;
  int32_t thread_count() const override;
  int32_t allocate_output(int32_t output, const int64_t* dims, int32_t rank, heed_tensor* tensor) override;
  heed_text store_text(int32_t output, heed_text bytes) override;
  uint64_t random_seed() override;
  heed_value* input(int32_t input) override;
  int32_t set_output(int32_t output, heed_value* value) override;
  heed_value* sequence_copy(int32_t input) override;

 private:
  CpuOutput* output_slot(int32_t output);

  ThreadPool* pool_;
  RandomSeeds* seeds_;
  CpuStep step_;
  bool lacks_memory_ = false;
  bool shares_loops_ = true;
  std::vector<std::pair<int32_t, SharedValue>> copies_;  // of plain inputs, by input
};

}  // namespace heed
