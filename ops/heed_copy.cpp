// heed.Copy: the same elements elsewhere; it reads and writes strided tensors. The plan puts it where a kernel needs a
// dense tensor and gets another.
#include "shapes.hpp"
#include "strided_copy.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  HEED_TRY(like_input(node));
  pass_elements(node);
  return {};
}

Result<GpuPlan> plan(Planning& node) {
  HEED_ASSIGN(auto copy, copy_variant(node, node.input(0)));
  node.take_strided(0);
  node.give_strided(0);
  return GpuPlan{.variants = {std::move(copy)}, .bindings = {in_windows(read(0)), in_windows(write(0))}};
}

Result<Launch> bind(const Binding& node) {
  Launch launch;
  HEED_TRY(add_copy(launch, node, 0, node.input(0), node.output(0)));
  return launch;
}

}  // namespace

extern const Operator heed_copy{.domain = "heed",
                                .op_type = "Copy",
                                .role = "copy",
                                .flags = HEED_COPIES,
                                .inputs = {{"input", "T"}},
                                .outputs = {{"output", "T"}},
                                .types = {{"T", any_type}},
                                .infer = infer,
                                .plan = plan,
                                .bind = bind};

}  // namespace heed::ops
