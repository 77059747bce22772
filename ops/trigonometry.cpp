// Tan, Asin, Acos, Atan, Sinh, Cosh, Asinh, Acosh, Atanh: y = f(x), one number at a time. Sin and Cos, which models are
// made of, are in elementwise_unary.cpp.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Operator function(std::string_view op_type, std::vector<int32_t> versions, std::string_view expression) {
  return {.op_type = op_type,
          .versions = std::move(versions),
          .inputs = {{"input", "T"}},
          .outputs = {{"output", "T"}},
          .types = {{"T", any_float}},
          .expression = expression,
          .infer = [](Inference& node) { return like_input(node); }};
}

}  // namespace

extern const Operator tan_of = function("Tan", {22, 7}, "tan(input)");
extern const Operator asin_of = function("Asin", {22, 7}, "asin(input)");
extern const Operator acos_of = function("Acos", {22, 7}, "acos(input)");
extern const Operator atan_of = function("Atan", {22, 7}, "atan(input)");
extern const Operator sinh_of = function("Sinh", {22, 9}, "sinh(input)");
extern const Operator cosh_of = function("Cosh", {22, 9}, "cosh(input)");
extern const Operator asinh_of = function("Asinh", {22, 9}, "asinh(input)");
extern const Operator acosh_of = function("Acosh", {22, 9}, "acosh(input)");
extern const Operator atanh_of = function("Atanh", {22, 9}, "atanh(input)");

}  // namespace heed::ops
