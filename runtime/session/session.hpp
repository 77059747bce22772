// Session: one run at a time over a Model: its arena and its states. Many per Model, each for one thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/memory_budget.hpp"
#include "base/stop.hpp"
#include "graph/host_value.hpp"
#include "session/frame.hpp"
#include "session/loop_sharing.hpp"
#include "session/model.hpp"

namespace heed {

class GpuStream;

struct SessionOptions {
  uint64_t seed = 0;       // of random operators without a seed of their own
  bool use_states = true;  // inputs that are not given come from the run before
  // Of symbols, by name, that no input tells: the capacity of caches that are written in place.
  std::vector<std::pair<std::string, int64_t>> sizes = {};
  StopLimits limits = {};  // of each run; steps are those of the plan, those of each iteration of a loop too
};

class Session {
 public:
  static Result<std::unique_ptr<Session>> create(std::shared_ptr<const Model> model,
                                                 const SessionOptions& options = {});
  ~Session();
  Session(const Session&) = delete;

  const Model& model() const { return *model_; }

  // Whether a run goes without this input: it is a state, or has a default that the model brings.
  bool may_be_left_out(size_t input) const;

  // One run. inputs: one per input of the model, in its order; an empty one is a state, or an input with a default that
  // the model brings. outputs: one per output, in its order; a value that is given is written into (a host tensor of
  // the right type and shape), an empty one receives a new value. Outputs that are states of inputs that were not given
  // stay empty: they live on in the session. Fails with an Error that names the input, or the node; after a failure in
  // the middle of a run the states are reset.
  Result<void> run(std::span<const SharedValue> inputs, std::span<SharedValue> outputs);

  // The same by name: everything that is not given must be a state or have a default. Gives all outputs that are no
  // states, with their names, in the model's order.
  using NamedValues = std::vector<std::pair<std::string, HostValue>>;
  Result<NamedValues> run(const NamedValues& inputs);

  // Asks a run in another thread to stop at its next step, or where it waits for the device.
  void cancel() { stop_.request(); }

  // States as they were before the first run.
  void reset_states();
  // Forgets all but the first `length` entries along the growing axes. Fails where a state does not grow, or is
  // shorter.
  Result<void> truncate_states(int64_t length);
  // How many entries the growing states hold; 0 before the first run.
  int64_t state_length() const;
  size_t state_bytes() const;
  // What a run of these sizes needs, by the names of symbols; nothing runs. Growing states count at their capacity.
  // Fails where a size that inputs tell is not given, with its name. Not during a run.
  struct Need : MemoryNeed {
    size_t state_bytes = 0;
    size_t device_bytes = 0;       // of arenas there
    size_t device_peak_bytes = 0;  // of all that this process takes of the device, loading included
  };
  Result<Need> measure(const std::vector<std::pair<std::string, int64_t>>& sizes);

  const FrameCounts& counts() const { return frame_->counts(); }
  size_t arena_bytes() const { return frame_->arena_bytes(); }
  int64_t submission_count() const;  // to the device
  int64_t recorded_count() const;    // of these, those that were recorded anew
  int64_t dispatch_count() const;
  int64_t barrier_count() const;
  int64_t upload_count() const;  // of tensors that crossed, each way
  int64_t download_count() const;
  // Called for each step of a run that is no view, those of bodies too; for GPU steps when the device is waited for. Null:
  // not at all.
  void observe(StepObserver observer);
  // Called after each step of a run, those of bodies too, with copies of its outputs on the host (those that are not
  // there are empty tensors); each step then waits for the device. Null: not at all.
  void observe_values(std::function<void(const Plan& plan, uint32_t step, std::span<const HostValue> outputs)> observer);

 private:
  struct State;
  Session(std::shared_ptr<const Model> model, const SessionOptions& options);
  Result<void> run_steps();
  Result<void> run_once(std::span<const SharedValue> inputs, std::span<SharedValue> outputs);
  Result<void> lend_states(std::span<const SharedValue> inputs, std::span<const SharedValue> outputs);
  Result<SharedValue> zeros(DataType element, std::span<const int64_t> dims, Location location);
  Result<std::vector<int64_t>> state_dims(const Slot& state, std::span<const SharedValue> inputs) const;
  Result<void> make_room();
  Result<void> fetch(const heed_value& result, SharedValue& output);

  std::shared_ptr<const Model> model_;
  SessionOptions options_;
  Stop stop_;
  std::shared_ptr<MemoryBudget> budget_;  // null: no limit
  RandomSeeds seeds_;
  CpuRun cpu_run_;
  LoopSharing sharing_;
  std::unique_ptr<GpuStream> gpu_;
  RunContext context_;
  std::unique_ptr<Frame> frame_;
  std::vector<std::unique_ptr<State>> states_;
  std::vector<heed_value*> arguments_;
  std::vector<Frame::KnownSymbol> told_, known_;  // by the options; and by the states
  std::vector<SharedValue> results_;
  std::vector<SharedValue> defaults_;  // of inputs, in the model's order; empty where there is none
  bool frame_started_ = false;  // by the run under way: states may be half written
};

// Between a run's values and what files hold; both copy no more than they must.
Result<SharedValue> to_run_value(const HostValue& value);
Result<HostValue> to_host_value(const heed_value& value);

}  // namespace heed
