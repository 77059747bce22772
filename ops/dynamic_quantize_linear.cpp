// DynamicQuantizeLinear-11: scale = (max(x, 0) - min(x, 0)) / 255, zero_point = saturate(round(-min(x, 0) / scale)), and y =
// saturate(round(x / scale) + zero_point), all as u8.
#include "dynamic_quantize_linear.hpp"

#include "launch.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

// Mirrors shaders/dynamic_quantize_linear.comp.
struct Parameters {
  uint32_t count, part_count = 0;
  int32_t x_offset, parts_offset, codes_offset, scale_offset, zero_point_offset;
};
constexpr int64_t workgroup_size = 128;
// A workgroup folds so many elements by itself.
constexpr int64_t most_folded_at_once = 32 * workgroup_size;

Result<void> infer(Inference& node) {
  HEED_TRY(node.set_output(1, DataType::f32, Dims{}));
  HEED_TRY(node.set_output(2, DataType::u8, Dims{}));
  return like_input(node, DataType::u8);
}

Result<GpuPlan> plan(Planning&) {
  return GpuPlan{.variants = dynamic_quantize_variants({read(0), scratch(), write(0), write(1), write(2)}), .bindings = {}};
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(0), y = node.output(0);
  HEED_TRY(check_addressable(x, "the input"));
  HEED_ASSIGN(const uint32_t codes, word_offset_of(y));
  HEED_ASSIGN(const uint32_t zero_point, word_offset_of(node.output(2)));
  Launch launch;
  launch.scratch_bytes = dynamic_parts_bytes;
  add_dynamic_quantize(launch, 0,
                       {.count = x.count(),
                        .x_offset = offset_of(x),
                        .codes_offset = static_cast<int32_t>(codes),
                        .scale_offset = offset_of(node.output(1)),
                        .zero_point_offset = static_cast<int32_t>(zero_point)});
  return launch;
}

}  // namespace

std::vector<Variant> dynamic_quantize_variants(const std::vector<heed_binding>& bindings) {
  const auto variant = [&](const char* name, uint32_t folds_parts) {
    return Variant{.name = name,
                   .shader = shaders::dynamic_quantize_linear,
                   .constants = {{0, folds_parts}},
                   .bindings = bindings};
  };
  return {variant("the range", 1), variant("the codes", 0)};
}

void add_dynamic_quantize(Launch& launch, int32_t first_variant, const DynamicQuantization& q) {
  Parameters p{.count = static_cast<uint32_t>(q.count),
               .x_offset = q.x_offset,
               .parts_offset = q.parts_offset,
               .codes_offset = q.codes_offset,
               .scale_offset = q.scale_offset,
               .zero_point_offset = q.zero_point_offset};
  if (q.count > most_folded_at_once) {
    const int64_t parts = std::min<int64_t>(ceil_divide(q.count, most_folded_at_once), workgroup_size);
    launch.dispatches.push_back({first_variant, bytes_of(p), {static_cast<uint32_t>(parts), 1, 1}});
    p.part_count = static_cast<uint32_t>(parts);
  }
  const uint32_t workgroups = workgroups_for(std::max<int64_t>(q.count, 1), 4 * workgroup_size);
  launch.dispatches.push_back({first_variant + 1, bytes_of(p), {workgroups, 1, 1}});
}

extern const Operator dynamic_quantize_linear{
    .op_type = "DynamicQuantizeLinear", .versions = {11},
    .inputs = {{"x", "T1"}}, .outputs = {{"y", "T2"}, {"y_scale", "tensor(float)"}, {"y_zero_point", "T2"}},
    .types = {{"T1", {DataType::f32}}, {"T2", {DataType::u8}}, {"tensor(float)", {DataType::f32}}},
    .infer = infer, .plan = plan, .bind = bind};

}  // namespace heed::ops
