// heed.Copy: the same elements elsewhere; it reads and writes strided tensors. The plan puts it where a kernel needs a
// dense tensor and gets another.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  HEED_TRY(like_input(node));
  pass_elements(node);
  return {};
}

}  // namespace

extern const Operator heed_copy{
    .domain = "heed", .op_type = "Copy", .role = "copy", .flags = HEED_COPIES,
    .inputs = {{"input", "T"}}, .outputs = {{"output", "T"}}, .types = {{"T", any_type}}, .infer = infer};

}  // namespace heed::ops
