// Optional, OptionalHasElement, OptionalGetElement: values handed on by reference.
#include "heed/plugin.hpp"

namespace heed::cpu {
namespace {

Result<void> run_optional(Running& run) { return run.set_output(0, run.new_optional(run.input_value(0))); }

Result<void> run_has(Running& run) {
  const auto value = run.input_value(0);
  const bool has = value && (value.kind() != HEED_OPTIONAL || value.content());
  *run.output(0).data<uint8_t>() = has;
  return {};
}

Result<void> run_get(Running& run) {
  const auto value = run.input_value(0);
  if (!value) return Error{Code::invalid_argument, "the input is absent"};
  if (value.kind() != HEED_OPTIONAL) return run.set_output(0, value);
  auto content = value.content();
  if (!content) return Error{Code::invalid_argument, "the optional is empty"};
  return run.set_output(0, std::move(content));
}

}  // namespace

extern const CpuKernel optional_of{.op_type = "Optional", .run = run_optional};
extern const CpuKernel optional_has_element{.op_type = "OptionalHasElement", .run = run_has};
extern const CpuKernel optional_get_element{.op_type = "OptionalGetElement", .run = run_get};

}  // namespace heed::cpu
