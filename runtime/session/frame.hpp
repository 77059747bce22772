// Frame: one plan being run: its sizes as numbers, its arenas, its values. A session owns the outermost one; control
// steps own one for each of their bodies.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/stop.hpp"
#include "graph/host_value.hpp"
#include "plan/place_tensors.hpp"
#include "registry/cpu_run.hpp"
#include "session/gpu.hpp"
#include "session/prepare.hpp"

namespace heed {

class Registry;
class ThreadPool;

// What all frames of a session share.
struct RunContext {
  const Registry* registry = nullptr;
  ThreadPool* threads = nullptr;
  RandomSeeds* seeds = nullptr;
  CpuRun* cpu_run = nullptr;
  GpuStream* gpu = nullptr;  // null: no device
  Stop* stop = nullptr;
  size_t memory_limit_bytes = SIZE_MAX;
  bool spoils_memory = false;  // before each run, so that who reads what nobody wrote shows
  StepObserver observe;        // called after each step where set: for profiles
  // Called after each step where set, with copies of its outputs: for comparing devices.
  std::function<void(const Plan& plan, uint32_t step, std::span<const HostValue> outputs)> observe_values;
};

// How often the costly parts of binding ran; for tests and benchmarks.
struct FrameCounts {
  int64_t runs = 0, binds = 0, placements = 0;
};

// What the tensors of one run take, apart from weights, states, inputs and the graph's outputs.
struct MemoryNeed {
  size_t host_bytes = 0;
  std::vector<size_t> device_buffers;   // bytes of each
  std::vector<size_t> parameter_sizes;  // of the dispatches, in bytes
  bool is_bound = false;                // sizes that only the run tells count with what they cannot pass
  std::vector<std::string> unbounded;   // values whose size nothing bounds: they are not counted
};

class BoundNode;

class Frame {
 public:
  Frame(const PreparedPlan& prepared, const RunContext& context);
  ~Frame();
  Frame(const Frame&) = delete;

  // A run is begin, then finish. Inputs are in the plan's order (the graph's inputs, then the captures) and stay the
  // caller's; they must live until finish returns. `known` gives values of symbols that inputs do not tell.
  // Fails where an input's type or sizes do not fit the model's.
  struct KnownSymbol {
    uint32_t symbol;
    int64_t value;
    int64_t bucket_value;  // what to place for: at least `value`
  };
  Result<void> begin(std::span<heed_value* const> inputs, std::span<const KnownSymbol> known = {});
  // A size in numbers, after begin; nullopt where it depends on what is still to run.
  std::optional<int64_t> number_of(Dim dim) const;
  // Another value for an input of the same type and sizes (its strides may differ), and what to place for instead of
  // the symbol's value. Between begin and finish.
  void replace_input(uint32_t input, heed_value* value, uint32_t symbol, int64_t bucket_value);
  // Makes an output land in the caller's memory (a tensor of the right type on the host; strides allowed where the
  // kernel gives strided outputs). Between begin and finish.
  void set_output_memory(uint32_t output, heed_value* value) { output_memory_[output] = value; }
  // Runs all steps. outputs: one reference per output of the plan; those of a body may be its inputs, lent as these
  // are.
  Result<void> finish(std::span<SharedValue> outputs);

  // Nothing runs and nothing is allocated. symbols: by index of the graph's DimPool. Not between begin and finish.
  Result<MemoryNeed> measure(std::vector<std::optional<int64_t>> symbols);

  const FrameCounts& counts() const { return counts_; }
  size_t arena_bytes() const;
  // The symbols' values of the last begin, by index of the graph's DimPool; nullopt: not known.
  const std::vector<std::optional<int64_t>>& symbols() const { return symbols_; }

 private:
  friend class ControlRun;

  struct BoundSlot {
    heed_tensor tensor{};
    std::vector<int64_t> dims, strides;  // tensor points at them
    SharedValue value;                   // dynamic slots and outputs: what holds the memory
    SharedValue spare;                   // of a body's output: that of the run before, to be written next
    heed_value* borrowed = nullptr;      // inputs and constants
    size_t size_bytes = 0;
  };
  struct BoundStep {
    std::unique_ptr<BoundNode> node;
    heed_arguments arguments{};
    std::vector<heed_tensor> inputs, outputs;
    std::vector<CpuInput> input_values;
    std::vector<CpuOutput> output_values;
    size_t scratch_bytes = 0;
    SharedValue gpu_scratch;  // in the arena; empty where the step asks for none
    uint32_t error_word = no_id;
    int64_t bytes = 0, operation_count = 0;  // of a GPU step, about: as when it was placed
    bool is_open = false;                    // the plan knows nothing of an input's shape
    std::vector<int64_t> checked_shapes;     // then: those that its contract accepted last
    std::vector<std::unique_ptr<Frame>> bodies;
  };
  struct BoundSegment {
    std::vector<int64_t> numbers;                    // of the segment's program
    std::optional<std::vector<int64_t>> bound_for;   // the symbols' values of the last bind; null: it failed
    std::optional<std::vector<int64_t>> placed_for;  // those of the last placement, likewise
    std::vector<SlotId> roots;                       // that lie in the arena, and then the scratch of steps
    std::vector<uint32_t> scratch_steps, gpu_steps;
    Placement placement;
    std::shared_ptr<void> arena;
    size_t arena_size_bytes = 0;
    std::shared_ptr<void> gpu_arena;
  };

  Result<void> bind_input(uint32_t position, heed_value* value);
  Result<void> bind_segment(uint32_t index);
  Result<void> fill_sizes(uint32_t index, const std::vector<int64_t>& symbol_values);
  bool fill_strides(SlotId id);
  Result<void> check_view(SlotId id, int64_t offset) const;
  struct Lifetimes {
    std::vector<Lifetime> host, device;  // one per root of the segment, then the scratch of its CPU or GPU steps
  };
  Result<Lifetimes> find_lifetimes(uint32_t index);
  Result<void> place(uint32_t index);
  Result<void> spoil_arenas(uint32_t index);
  // Under AddressSanitizer: of the arenas a step may touch its own inputs, outputs and scratch alone; and all again.
  void fence_arenas(const BoundStep& step) const;
  void open_arenas() const;
  void point_slots(uint32_t index);
  bool is_open(uint32_t step) const;
  Result<void> check_contract(uint32_t step);
  Result<bool> take_output_memory(SlotId id);
  Result<void> make_outputs(uint32_t index);
  void point_arguments(uint32_t index);
  Result<void> run_segment(uint32_t index);
  Result<void> run_cpu(uint32_t step);
  Result<void> run_control(uint32_t step);
  Result<void> bind_gpu(uint32_t step);
  Result<void> run_gpu(uint32_t step);
  Result<void> run_transfer(uint32_t step);
  Result<void> take_results(uint32_t step);
  int64_t bytes_of(const Step& step) const;
  Result<void> show_time(uint32_t step, int64_t begin_ns);
  Result<void> show_values(uint32_t step);
  Result<HostValue> host_copy(SlotId slot);
  bool is_on_device(SlotId slot) const;
  // A reference to what a slot holds, for control kernels; arena memory is lent for the step.
  Result<SharedValue> value_in(SlotId slot);
  std::string name_of_node(const Step& step) const;
  Error explain(Error error, uint32_t step) const;
  Error explain_slot(Error error, SlotId slot) const;
  void set_tensor(SlotId slot, const heed_value& value);

  const PreparedPlan& prepared_;
  const Plan& plan_;
  const RunContext& context_;
  std::vector<BoundSlot> slots_;
  std::vector<BoundStep> steps_;
  std::vector<BoundSegment> segments_;
  std::vector<std::optional<int64_t>> symbols_;
  std::vector<int64_t> symbol_values_, bucket_values_;
  std::vector<heed_value*> output_memory_;
  FrameCounts counts_;
};

}  // namespace heed
