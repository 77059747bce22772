// heed.FusedElementwise: y = expression(x0, x1, ...), element by element after broadcasting; the language is that of
// heed/expression.hpp. Fusion makes these nodes of whatever publishes an expression. The GPU half writes its shader.
#include "heed/expression.hpp"
#include "shaders.hpp"
#include "shapes.hpp"
#include "walk.hpp"

namespace heed::ops {
namespace {

constexpr int32_t most_inputs = 8;
constexpr uint32_t workgroup_size = 128;  // every device takes so many
constexpr Types any_computed{DataType::f32, DataType::boolean, DataType::i32, DataType::i64};

Result<void> infer(Inference& node) {
  const auto expression = fused_expression_of(node);
  if (!expression) return Error{Code::invalid_model, expression.error().message};
  Dims dims;
  for (int32_t i = 0; i < node.input_count(); ++i) {
    if (!node.input(i).has_rank()) return node.set_output(0, expression->type());
    HEED_ASSIGN(dims, checked_broadcast(node, dims, node.input(i).dims()));
  }
  return node.set_output(0, expression->type(), dims);
}

// ---- GLSL
// ---------------------------------------------------------------------------------------------------------------

// Beside math.glsl: what GLSL leaves undefined for some numbers, and what Vulkan allows to be loose (sin and cos 2^-11,
// atan 4096 ulp). Polynomials are those of Cephes: sinf, cosf, atanf, asinf.
constexpr std::string_view functions = R"(
float heed_min(float a, float b) { return b < a || isnan(b) ? b : a; }
float heed_max(float a, float b) { return b > a || isnan(b) ? b : a; }
float heed_sign(float a) { return a > 0.0 ? 1.0 : a < 0.0 ? -1.0 : a; }
float heed_abs(float a) { return abs(a); }
float heed_sigmoid(float a) { return 1.0 / (1.0 + heed_exp(-a)); }
// The sine of x + quarter * pi/2, to about 2 ulp up to |x| = 8192.
float heed_sine(float x, int quarter) {
  precise float n = roundEven(x * 0.636619772367581343);
  precise float r = x - n * 1.5703125;
  r = r - n * 4.837512969970703e-4;
  r = r - n * 7.549789948768648e-8;
  float z = r * r;
  int q = (int(n) + quarter) & 3;
  float s = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * r + r;
  float c = ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2) * z * z - 0.5 * z + 1.0;
  float y = (q & 1) == 0 ? s : c;
  return (q & 2) == 0 ? y : -y;
}
float heed_sin(float x) { return heed_sine(x, 0); }
float heed_cos(float x) { return heed_sine(x, 1); }
float heed_tan(float x) { return heed_sine(x, 0) / heed_sine(x, 1); }
float heed_atan(float x) {
  float a = abs(x), y = 0.0;
  if (a > 2.414213562373095) {
    y = 1.5707963267948966;
    a = -1.0 / a;
  } else if (a > 0.4142135623730950) {
    y = 0.7853981633974483;
    a = (a - 1.0) / (a + 1.0);
  }
  float z = a * a;
  y += (((8.05374449538e-2 * z - 1.38776856032e-1) * z + 1.99777106478e-1) * z - 3.33329491539e-1) * z * a + a;
  return x < 0.0 ? -y : y;
}
float heed_asin(float x) {
  float a = abs(x);
  bool is_far = a > 0.5;
  float z = is_far ? 0.5 * (1.0 - a) : a * a;
  float r = is_far ? sqrt(z) : a;
  float y = ((((4.2163199048e-2 * z + 2.4181311049e-2) * z + 4.5470025998e-2) * z + 7.4953002686e-2) * z + 1.6666752422e-1) * z * r + r;
  if (is_far) y = 1.5707963267948966 - 2.0 * y;
  return x < 0.0 ? -y : y;
}
float heed_acos(float x) { return x > 0.5 ? 2.0 * heed_asin(sqrt(0.5 * (1.0 - x))) : 1.5707963267948966 - heed_asin(x); }
// Where the base is negative only whole exponents have a power.
float heed_pow(float a, float b) {
  if (b == 0.0 || a == 1.0) return 1.0;
  if (b == 2.0) return a * a;
  float size = pow(abs(a), b);
  if (a >= 0.0) return size;
  if (floor(b) != b) return isinf(a) ? size : uintBitsToFloat(0x7FC00000u);
  return mod(b, 2.0) == 0.0 ? size : -size;
}
)";

// min and max of integers are GLSL's; abs is not: it has no meaning for the least one.
constexpr std::string_view integer_functions = R"(
INTEGER heed_min(INTEGER a, INTEGER b) { return min(a, b); }
INTEGER heed_max(INTEGER a, INTEGER b) { return max(a, b); }
INTEGER heed_sign(INTEGER a) { return a > INTEGER(0) ? INTEGER(1) : a < INTEGER(0) ? INTEGER(-1) : a; }
INTEGER heed_abs(INTEGER a) { return a < INTEGER(0) ? -a : a; }
)";

// How shaders hold a type: in a step, and in memory.
struct GlslType {
  std::string_view step, memory;
};
GlslType glsl_type(DataType type) {
  switch (type) {
    case DataType::boolean:
      return {"bool", "uint8_t"};
    case DataType::i32:
      return {"int", "int"};
    case DataType::i64:
      return {"int64_t", "int64_t"};
    default:
      return {"float", "float"};
  }
}

std::string literal(const ExpressionStep& constant) {
  if (constant.type == DataType::boolean) return constant.integer ? "true" : "false";
  if (constant.type == DataType::i32) return "int(" + std::to_string(static_cast<uint32_t>(constant.integer)) + "u)";
  if (constant.type == DataType::i64)
    return "int64_t(" + std::to_string(static_cast<uint64_t>(constant.integer)) + "ul)";
  const float number = constant.number;
  if (number != number) return "uintBitsToFloat(0x7FC00000u)";
  if (std::isinf(number)) return number > 0 ? "uintBitsToFloat(0x7F800000u)" : "uintBitsToFloat(0xFF800000u)";
  std::string text = detail::text_of_number(number);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return number < 0 ? "(" + text + ")" : text;
}

// `second`: the step that makes b, where there is one.
std::string glsl_of(const ExpressionStep& step, const std::string& a, const std::string& b, const std::string& c,
                    const ExpressionStep& second) {
  const auto is_second = [&](float number) { return second.op == ExpressionOp::constant && second.number == number; };
  const auto call = [&](std::string_view name) {
    return std::string(name) + "(" + a + (b.empty() ? "" : ", " + b) + ")";
  };
  switch (step.op) {
    case ExpressionOp::negative:
      return "-" + a;
    case ExpressionOp::absolute:
      return call("heed_abs");
    case ExpressionOp::sign:
      return call("heed_sign");
    case ExpressionOp::exp:
      return call("heed_exp");
    case ExpressionOp::tanh:
      return call("heed_tanh");
    case ExpressionOp::sigmoid:
      return call("heed_sigmoid");
    case ExpressionOp::erf:
      return call("heed_erf");
    case ExpressionOp::sin:
      return call("heed_sin");
    case ExpressionOp::cos:
      return call("heed_cos");
    case ExpressionOp::tan:
      return call("heed_tan");
    case ExpressionOp::asin:
      return call("heed_asin");
    case ExpressionOp::acos:
      return call("heed_acos");
    case ExpressionOp::atan:
      return call("heed_atan");
    case ExpressionOp::round:
      return call("roundEven");
    case ExpressionOp::logical_not:
      return "!" + a;
    case ExpressionOp::min:
      return call("heed_min");
    case ExpressionOp::max:
      return call("heed_max");
    case ExpressionOp::pow:
      if (is_second(2)) return a + " * " + a;
      if (is_second(3)) return a + " * " + a + " * " + a;
      if (is_second(0.5f)) return "sqrt(" + a + ")";
      return call("heed_pow");
    case ExpressionOp::logical_and:
      return a + " && " + b;
    case ExpressionOp::logical_or:
      return a + " || " + b;
    case ExpressionOp::select:
      return a + " ? " + b + " : " + c;
    case ExpressionOp::cast:
      return call(glsl_type(step.type).step);
    case ExpressionOp::divide:  // compilers take a division by the literal 0 for undefined
      if (is_second(0)) return a + " * " + literal({.number = 1 / second.number});
      [[fallthrough]];
    default:
      return detail::is_infix(step.op) ? a + " " + std::string(rule_of(step.op).name) + " " + b
                                       : call(rule_of(step.op).name);
  }
}

bool has_type(const Expression& expression, DataType type) {
  const auto& steps = expression.steps();
  return std::any_of(steps.begin(), steps.end(), [&](const ExpressionStep& step) { return step.type == type; });
}

// The functions above for the integers that an expression computes with.
std::string functions_of(const Expression& expression) {
  std::string text(functions);
  for (const DataType type : {DataType::i32, DataType::i64})
    if (has_type(expression, type))
      text +=
          "#define INTEGER " + std::string(glsl_type(type).step) + std::string(integer_functions) + "#undef INTEGER\n";
  return text;
}

// The shader of an expression: each invocation makes elements of the output in turns. The tensors of its walk are the
// inputs, then the output.
std::string shader_of(const Expression& expression, std::span<const DataType> inputs) {
  const size_t count = inputs.size();
  const bool has_bytes =
      expression.type() == DataType::boolean || std::count(inputs.begin(), inputs.end(), DataType::boolean) > 0;
  const bool has_i64 =
      has_type(expression, DataType::i64) || std::count(inputs.begin(), inputs.end(), DataType::i64) > 0;
  std::string text = "#version 450\n";
  if (has_bytes) text += "#extension GL_EXT_shader_8bit_storage : require\n";
  if (has_i64) text += "#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require\n";
  text += "layout(local_size_x = " + std::to_string(workgroup_size) + ") in;\n";
  const auto binding = [](size_t n) { return "layout(set = 0, binding = " + std::to_string(n) + ", std430) "; };
  for (size_t k = 0; k < count; ++k) {
    const std::string n = std::to_string(k);
    text += binding(k) + "readonly buffer Input" + n + " { " + std::string(glsl_type(inputs[k]).memory) + " input" + n +
            "[]; };\n";
  }
  text += binding(count) + "writeonly buffer Output { " + std::string(glsl_type(expression.type()).memory) +
          " result[]; };\n";
  text += binding(count + 1) +
          "readonly buffer Parameters {\n  uint count;\n  uint rank;\n  uint dims[8];\n  int offsets[9];\n  "
          "int strides[72];\n};\n";
  text += shaders::math_glsl;
  text += functions_of(expression);
  text +=
      "void main() {\n  for (uint index = gl_GlobalInvocationID.x; index < count; index += gl_NumWorkGroups.x * "
      "gl_WorkGroupSize.x) {\n";
  for (size_t k = 0; k <= count; ++k)
    text += "    int at" + std::to_string(k) + " = offsets[" + std::to_string(k) + "];\n";
  text +=
      "    uint rest = index;\n    for (int axis = int(rank) - 1; axis >= 0; --axis) {\n"
      "      uint outer = axis == 0 ? 0u : rest / dims[axis];\n      int i = int(rest - outer * dims[axis]);\n      "
      "rest = outer;\n";
  for (size_t k = 0; k <= count; ++k)
    text += "      at" + std::to_string(k) + " += i * strides[" + std::to_string(k) + " + axis * 9];\n";
  text += "    }\n";

  const auto& steps = expression.steps();
  std::vector<std::string> names(steps.size());
  for (size_t i = 0; i < steps.size(); ++i) {
    const auto& step = steps[i];
    if (step.op == ExpressionOp::constant) {
      names[i] = literal(step);
      continue;
    }
    std::string value;
    if (step.op == ExpressionOp::input) {
      const std::string n = std::to_string(step.arguments[0]);
      value = "input" + n + "[at" + n + "]";
      if (step.type == DataType::boolean) value = "uint(" + value + ") != 0u";
    } else {
      const int32_t argument_count = rule_of(step.op).argument_count;
      const auto name = [&](int32_t k) { return k < argument_count ? names[step.arguments[k]] : std::string(); };
      value = glsl_of(step, name(0), name(1), name(2), steps[step.arguments[1]]);
    }
    names[i] = "t" + std::to_string(i);
    text += "    " + std::string(glsl_type(step.type).step) + " " + names[i] + " = " + value + ";\n";
  }
  std::string result = names[expression.result()];
  if (expression.type() == DataType::boolean) result = "uint8_t(" + result + " ? 1u : 0u)";
  return text + "    result[at" + std::to_string(count) + "] = " + result + ";\n  }\n}\n";
}

Result<GpuPlan> plan(Planning& node) {
  const int32_t count = node.input_count();
  if (count > most_inputs) return decline("more than " + std::to_string(most_inputs) + " inputs");
  const auto y = node.output(0);
  if (!y.has_rank() || y.rank() > most_axes)
    return decline("more than " + std::to_string(most_axes) + " axes, or not known how many");
  HEED_ASSIGN(const auto expression, fused_expression_of(node));
  GpuPlan plan;
  std::vector<DataType> types{expression.type()};  // that are in memory: the output's, then the inputs'
  for (int32_t k = 0; k < count; ++k) {
    node.take_strided(k);
    const auto x = node.input(k);
    types.push_back(x.element());
    if (x.has_rank() && std::equal(x.dims().begin(), x.dims().end(), y.dims().begin(), y.dims().end()))
      node.in_place(k, 0);
    plan.bindings.push_back(read(k));
  }
  plan.bindings.push_back(write(0));
  node.give_strided(0);
  const bool has_bytes = std::count(types.begin(), types.end(), DataType::boolean) > 0;
  if (has_bytes && !node.capability("storage_8bit"))
    return decline("booleans are a byte each, and the device does not address single bytes");
  const bool has_i64 = std::count(types.begin(), types.end(), DataType::i64) > 0 || has_type(expression, DataType::i64);
  if (has_i64 && !node.capability("int64")) return decline("the device does not compute with 64-bit integers");
  // The text is copied before it goes.
  static thread_local std::string text;
  text = shader_of(expression, std::span(types).subspan(1));
  plan.variants.push_back(
      {.name = std::to_string(expression.operation_count()) + " operations", .shader = {.glsl = text}});
  return plan;
}

Result<Launch> bind(const Binding& node) {
  const auto y = node.output(0);
  if (y.count() == 0) return Launch{};
  std::vector<TensorView> tensors;
  for (int32_t k = 0; k < node.input_count(); ++k) tensors.push_back(node.input(k));
  tensors.push_back(y);
  HEED_ASSIGN(const auto walk, walk_over<most_inputs + 1>(y, tensors));
  return Launch{.dispatches = {{0, bytes_of(walk), {workgroups_for(walk.count, workgroup_size), 1, 1}}}};
}

}  // namespace

extern const Operator fused_elementwise{.domain = "heed",
                                        .op_type = "FusedElementwise",
                                        .role = "fused_elementwise",
                                        .inputs = {{"x", "T", HEED_VARIADIC | HEED_HETEROGENEOUS}},
                                        .outputs = {{"y", "U"}},
                                        .types = {{"T", any_computed}, {"U", any_computed}},
                                        .attributes = {required("expression", HEED_ATTRIBUTE_STRING)},
                                        .infer = infer,
                                        .plan = plan,
                                        .bind = bind};

}  // namespace heed::ops
