// DynamicQuantizeLinear-11: scale = (max(x, 0) - min(x, 0)) / 255, zero_point = saturate(round(-min(x, 0) / scale)), and y =
// saturate(round(x / scale) + zero_point), all as u8.
#include "shapes.hpp"

namespace heed::ops {

extern const Operator dynamic_quantize_linear{
    .op_type = "DynamicQuantizeLinear", .versions = {11},
    .inputs = {{"x", "T1"}}, .outputs = {{"y", "T2"}, {"y_scale", "tensor(float)"}, {"y_zero_point", "T2"}},
    .types = {{"T1", {DataType::f32}}, {"T2", {DataType::u8}}, {"tensor(float)", {DataType::f32}}},
    .infer = [](Inference& node) -> Result<void> {
      HEED_TRY(node.set_output(1, DataType::f32, Dims{}));
      HEED_TRY(node.set_output(2, DataType::u8, Dims{}));
      return like_input(node, DataType::u8);
    }};

}  // namespace heed::ops
