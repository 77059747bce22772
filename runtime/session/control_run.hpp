// One execution of a control kernel: its values are references, its subgraphs are frames.
#pragma once

#include <vector>

#include "registry/phases.hpp"
#include "session/frame.hpp"

namespace heed {

class ControlRun final : public heed_control {
 public:
  ControlRun(Frame& frame, uint32_t step);

  heed_run* run() override;
  int32_t input_count() const override;
  int32_t output_count() const override;
  heed_value* input(int32_t input) override;
  int32_t read_scalar(heed_value* value, int64_t* i, double* f) override;
  heed_value* scalar(int32_t element, int64_t i) override;
  int32_t call(int32_t subgraph, heed_value* const* arguments, size_t argument_count, heed_value** results,
               size_t result_count) override;
  heed_value* stack(int32_t axis, heed_value* const* values, size_t count, int32_t output) override;
  heed_value* slice(heed_value* value, int32_t axis, int64_t index) override;
  int32_t set_output(int32_t output, heed_value* value) override;

  // Hands what the kernel set to the frame. Fails where it left an output out.
  Result<void> give_outputs();

 private:
  // Null, after a failure that what is given this null fails with.
  heed_value* nothing(Error error);
  // Fails with what failed before where there is no value.
  Result<void> require(const heed_value* value) const;
  Result<void> require_tensor(const heed_value* value) const;
  // A value that outlives this step.
  Result<SharedValue> kept(SharedValue value);
  Result<void> settle_elements(std::vector<heed_value*>& elements);
  Result<SharedValue> on_host(heed_value* value);
  // What the bodies read from around the step, by its place in Step::captured: where `reader`, a body's slot, asks for
  // it.
  Result<SharedValue> captured(size_t place, const Slot& reader);
  struct Stacking {
    DataType element;
    std::vector<int64_t> dims;  // of the whole
    size_t outer = 1;           // how often the values take turns
    int64_t inner_elements = 1;
  };
  Result<SharedValue> stacked_on_host(const Stacking& stacking, std::span<heed_value* const> values);
  Result<SharedValue> stacked_on_device(const Stacking& stacking, std::span<heed_value* const> values);

  Frame& frame_;
  const Step& step_;
  std::vector<std::unique_ptr<Frame>>* bodies_;
  std::vector<CpuOutput>* results_;
  std::vector<SharedValue> inputs_, outputs_;
  std::vector<SharedValue> captured_;  // by place, where they had to move
  std::vector<SharedValue> leaving_;   // of the device: read by outputs_ at the next wait
  std::optional<Error> failed_;        // why the last value that was not made was not
};

}  // namespace heed
