// Range-11: start, start + delta, ... as long as they lie before limit: max(0, ceil((limit - start) / delta)) numbers.
// A delta that is absent, as com.microsoft's may be, is 1.
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto element = node.input(0).element();
  const Dim one = 1;
  const auto start = node.elements(0), limit = node.elements(1);
  const auto delta = node.has_input(2) ? node.elements(2) : Elements({&one, 1});
  if (!is_integer(element) || !start || !limit || !delta || start->size() != 1 || limit->size() != 1 ||
      delta->size() != 1)
    return node.set_output(0, element, Dims{node.fresh_symbol("range")});
  const Dim first = (*start)[0], step = (*delta)[0];
  if (step.is_number(0)) return Error{Code::invalid_model, "delta is 0"};
  Dim count = max(0, ceil_divide((*limit)[0] - first, step));
  if (count.is_unknown()) count = node.fresh_symbol("range");
  HEED_TRY(node.set_output(0, element, Dims{count}));
  if (!count.is_number() || count.number() > 1024) return {};
  Dims elements;
  for (int64_t i = 0; i < count.number(); ++i) elements.push_back(first + step * i);
  node.set_elements(0, elements);
  return {};
}

// Mirrors shaders/range.comp.
struct Parameters {
  uint32_t count, has_delta;
  int32_t start_offset, delta_offset, y_offset;
};

Result<GpuPlan> plan(Planning& node) {
  if (!is_integer(node.input(0).element()) || !node.elements(0) || !node.elements(1) ||
      (node.has_input(2) && !node.elements(2)))
    return decline("how many numbers there are is known to the run alone");
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::range));
  return GpuPlan{.variants = {{.name = "a thread a number", .shader = shader}},
                 .bindings = {read(0), read(node.has_input(2) ? 2 : 0), write(0)}};
}

Result<Launch> bind(const Binding& node) {
  const auto start = node.input(0), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(y, "the output"));
  const bool has_delta = node.has_input(2);
  const Parameters p{static_cast<uint32_t>(y.count()), has_delta, offset_of(start),
                     has_delta ? offset_of(node.input(2)) : 0, offset_of(y)};
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(y.count(), 64), 1, 1}}}};
}

}  // namespace

extern const Operator range{.op_type = "Range",
                            .versions = {27, 11},
                            .inputs = {{"start", "T", HEED_SHAPE_DATA},
                                       {"limit", "T", HEED_SHAPE_DATA},
                                       {"delta", "T", HEED_SHAPE_DATA | HEED_OPTIONAL_PARAMETER}},
                            .outputs = {{"output", "T"}},
                            .types = {{"T", any_number}},
                            .attributes = {optional("stash_type", HEED_ATTRIBUTE_INT)},
                            .infer = infer,
                            .plan = plan,
                            .bind = bind};

}  // namespace heed::ops
