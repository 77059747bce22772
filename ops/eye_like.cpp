// EyeLike: a matrix in the shape of the input, 1 on its k-th diagonal (above the main one where k is positive) and 0
// elsewhere.
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  HEED_TRY(node.require_rank(0, 2));
  const int64_t given = node.integer("dtype");
  const auto element = given ? static_cast<DataType>(given) : node.input(0).element();
  if (!(is_integer(element) || is_float(element) || element == DataType::boolean || element == DataType::undefined) ||
      is_packed(element))
    return Error{Code::invalid_model, "there is no matrix of " + std::string(name_of(element))};
  return like_input(node, element);
}

// Mirrors shaders/eye_like.comp.
struct Parameters {
  uint32_t count, column_count;
  int32_t k, y_offset;
  std::array<uint32_t, 2> one = {};
};

Result<GpuPlan> plan(Planning& node) {
  const auto y = node.output(0);
  if (is_float(y.element()) && bits_of(y.element()) == 8)
    return decline("the GPU kernel has no 1 of " + name_in_reason(y));
  HEED_ASSIGN(auto variant, moving_variant(node, y, shaders::eye_like));
  return GpuPlan{.variants = {std::move(variant)}, .bindings = {write(0)}};
}

Result<Launch> bind(const Binding& node) {
  const auto y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(y, "the output"));
  const auto most = static_cast<int64_t>(most_addressed);
  Parameters p{.count = static_cast<uint32_t>(y.count()),
               .column_count = static_cast<uint32_t>(y.dim(1)),
               .k = static_cast<int32_t>(std::clamp(node.integer("k"), -most, most)),
               .y_offset = offset_of(y)};
  const auto write_as = [&](auto one) { std::memcpy(p.one.data(), &one, sizeof one); };
  switch (y.element()) {
    case DataType::f32:
      write_as(1.0f);
      break;
    case DataType::f64:
      write_as(1.0);
      break;
    case DataType::f16:
      write_as(Float16(1.0f));
      break;
    case DataType::bf16:
      write_as(BFloat16(1.0f));
      break;
    default:
      write_as(int64_t{1});
  }
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(y.count(), 64), 1, 1}}}};
}

}  // namespace

extern const Operator eye_like{.op_type = "EyeLike",
                               .versions = {22, 9},
                               .inputs = {{"input", "T1"}},
                               .outputs = {{"output", "T2"}},
                               .types = {{"T1", any_type}, {"T2", any_type}},
                               .attributes = {attribute("k", 0), optional("dtype", HEED_ATTRIBUTE_INT)},
                               .infer = infer,
                               .plan = plan,
                               .bind = bind};

}  // namespace heed::ops
