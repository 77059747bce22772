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
constexpr Types any_computed = any_number | Types{DataType::boolean};

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

// Cephes: sinhf, coshf, asinhf, acoshf, atanhf. Above 88 e^x is out of range before its half is.
constexpr std::string_view hyperbolic_functions = R"(
float heed_half_exp(float a) {
  float h = heed_exp(a > 88.0 ? 0.5 * a : a);
  return a > 88.0 ? 0.5 * h * h : 0.5 * h;
}
float heed_sinh(float x) {
  float a = abs(x), z = x * x;
  if (a <= 1.0) return ((2.03721912945e-4 * z + 8.33028376239e-3) * z + 1.66667160211e-1) * z * x + x;
  float half_exp = heed_half_exp(a);
  float y = half_exp - 0.25 / half_exp;
  return x < 0.0 ? -y : y;
}
float heed_cosh(float x) {
  float half_exp = heed_half_exp(abs(x));
  return half_exp + 0.25 / half_exp;
}
float heed_asinh(float x) {
  float a = abs(x), z = x * x;
  if (a < 0.5)
    return (((2.0122003309e-2 * z - 4.2699340972e-2) * z + 7.4847586088e-2) * z - 1.6666288134e-1) * z * x + x;
  float y = a > 1500.0 ? heed_log(a) + 0.693147180559945 : heed_log(a + sqrt(z + 1.0));
  return x < 0.0 ? -y : y;
}
float heed_acosh(float x) {
  if (x > 1500.0) return heed_log(x) + 0.693147180559945;
  float z = x - 1.0;
  if (z >= 0.5) return heed_log(x + sqrt(z * (x + 1.0)));
  return ((((1.7596881071e-3 * z - 7.5272886713e-3) * z + 2.6454905019e-2) * z - 1.1784741703e-1) * z + 1.4142135263) * sqrt(z);
}
float heed_atanh(float x) {
  float a = abs(x), z = x * x;
  if (a < 0.5)
    return ((((1.81740078349e-1 * z + 8.24370301058e-2) * z + 1.46691431730e-1) * z + 1.99782164500e-1) * z + 3.33337300303e-1) * z * x + x;
  float y = a == 1.0 ? uintBitsToFloat(0x7F800000u) : 0.5 * heed_log((1.0 + a) / (1.0 - a));
  return x < 0.0 ? -y : y;
}
)";

// Of floats of one type. A quotient near a whole number may come out on its other side: the remainder tells.
constexpr std::string_view float_functions = R"(
NUMBER heed_min(NUMBER a, NUMBER b) { return b < a || isnan(b) ? b : a; }
NUMBER heed_max(NUMBER a, NUMBER b) { return b > a || isnan(b) ? b : a; }
NUMBER heed_sign(NUMBER a) { return a > NUMBER(0) ? NUMBER(1) : a < NUMBER(0) ? NUMBER(-1) : a; }
NUMBER heed_abs(NUMBER a) { return abs(a); }
NUMBER heed_fmod(NUMBER a, NUMBER b) {
  if (isinf(b) && !isinf(a)) return a;
  NUMBER size = abs(b);
  precise NUMBER rest = fma(-trunc(abs(a) / size), size, abs(a));
  if (rest < NUMBER(0)) rest += size;
  if (rest >= size) rest -= size;
  return a < NUMBER(0) ? -rest : rest;
}
NUMBER heed_mod(NUMBER a, NUMBER b) {
  NUMBER rest = heed_fmod(a, b);
  return rest != NUMBER(0) && (rest < NUMBER(0)) != (b < NUMBER(0)) ? rest + b : rest;
}
)";

// A double as a float that rounds on to f16 and bf16 as the double does: what is cut off leaves the last bit set.
constexpr std::string_view double_functions = R"(
float heed_odd(double a) {
  float cut = float(a);
  if (double(cut) == a || isnan(a)) return cut;
  uint bits = floatBitsToUint(cut);
  if (abs(double(cut)) > abs(a)) --bits;
  return uintBitsToFloat(bits | 1u);
}
)";

// Of integers of one type. GLSL's abs has no meaning for the least one, nor has % where a sign is negative.
constexpr std::string_view integer_functions = R"(
NUMBER heed_min(NUMBER a, NUMBER b) { return min(a, b); }
NUMBER heed_max(NUMBER a, NUMBER b) { return max(a, b); }
NUMBER heed_sign(NUMBER a) { return a > NUMBER(0) ? NUMBER(1) : a < NUMBER(0) ? NUMBER(-1) : a; }
NUMBER heed_abs(NUMBER a) { return a < NUMBER(0) ? -a : a; }
NUMBER heed_divide(NUMBER a, NUMBER b) {
  if (b == NUMBER(0)) return NUMBER(0);
  bool negates = IS_SIGNED && b == NUMBER(-1); /* the least one has no other quotient */
  NUMBER quotient = a / (negates ? NUMBER(1) : b);
  return negates ? -a : quotient;
}
NUMBER heed_fmod(NUMBER a, NUMBER b) { return b == NUMBER(0) ? NUMBER(0) : a - heed_divide(a, b) * b; }
NUMBER heed_mod(NUMBER a, NUMBER b) {
  NUMBER rest = heed_fmod(a, b);
  return rest != NUMBER(0) && (rest < NUMBER(0)) != (b < NUMBER(0)) ? rest + b : rest;
}
NUMBER heed_shift_left(NUMBER a, NUMBER b) { return b >= NUMBER(0) && b < NUMBER(BITS) ? a << b : NUMBER(0); }
NUMBER heed_shift_right(NUMBER a, NUMBER b) {
  if (b >= NUMBER(0) && b < NUMBER(BITS)) return a >> b;
  return IS_SIGNED && a < NUMBER(0) ? NUMBER(-1) : NUMBER(0);
}
)";

// How shaders hold a type: in a step, and in memory. `load` and `store` lead from one to the other, with the value in
// the place of $; `wrap` takes a result that may be too large for the type back into it.
struct GlslType {
  DataType type;
  std::string_view step, memory, load, store, wrap;
  std::string_view storage_needs, step_needs;  // capabilities
};
constexpr GlslType glsl_types[] = {
    {DataType::f32, "float", "float", "$", "$", "$", "", ""},
    {DataType::f16, "float", "uint16_t", "unpackHalf2x16(uint($)).x", "uint16_t(heed_f16_bits($))", "$",
     "storage_16bit", ""},
    {DataType::bf16, "float", "uint16_t", "uintBitsToFloat(uint($) << 16)", "uint16_t(heed_bf16_bits($))", "$",
     "storage_16bit", ""},
    {DataType::f64, "double", "double", "$", "$", "$", "float64", "float64"},
    {DataType::boolean, "bool", "uint8_t", "uint($) != 0u", "uint8_t($ ? 1u : 0u)", "$", "storage_8bit", ""},
    {DataType::i8, "int", "int8_t", "int($)", "int8_t($)", "bitfieldExtract($, 0, 8)", "storage_8bit", ""},
    {DataType::i16, "int", "int16_t", "int($)", "int16_t($)", "bitfieldExtract($, 0, 16)", "storage_16bit", ""},
    {DataType::i32, "int", "int", "$", "$", "$", "", ""},
    {DataType::i64, "int64_t", "int64_t", "$", "$", "$", "int64", "int64"},
    {DataType::u8, "uint", "uint8_t", "uint($)", "uint8_t($)", "($) & 0xFFu", "storage_8bit", ""},
    {DataType::u16, "uint", "uint16_t", "uint($)", "uint16_t($)", "($) & 0xFFFFu", "storage_16bit", ""},
    {DataType::u32, "uint", "uint", "$", "$", "$", "", ""},
    {DataType::u64, "uint64_t", "uint64_t", "$", "$", "$", "int64", "int64"},
};
static_assert(std::size(glsl_types) == std::size(expression_types));

const GlslType& glsl_type(DataType type) {
  return *std::find_if(std::begin(glsl_types), std::end(glsl_types),
                       [&](const GlslType& row) { return row.type == type; });
}

std::string filled(std::string_view pattern, const std::string& value) {
  const size_t place = pattern.find('$');
  return std::string(pattern.substr(0, place)) + value + std::string(pattern.substr(place + 1));
}

std::string literal(const ExpressionStep& constant) {
  const std::string_view step = glsl_type(constant.type).step;
  if (constant.type == DataType::boolean) return constant.integer ? "true" : "false";
  if (!is_float(constant.type))
    return std::string(step) + "(" +
           (bits_of(constant.type) == 64 ? std::to_string(static_cast<uint64_t>(constant.integer)) + "ul)"
                                         : std::to_string(static_cast<uint32_t>(constant.integer)) + "u)");
  const double number = constant.number;
  const auto special = [&](std::string_view bits) {
    return std::string(step) + "(uintBitsToFloat(" + std::string(bits) + "))";
  };
  if (number != number) return special("0x7FC00000u");
  if (std::isinf(number)) return special(number > 0 ? "0x7F800000u" : "0xFF800000u");
  std::string text = detail::text_of_number(number, constant.type);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  if (constant.type == DataType::f64) text += "lf";
  return number < 0 ? "(" + text + ")" : text;
}

// A cast of `a`, which is of the type `from`. Floats go to integers by way of signed ones, as far as these reach:
// negative ones wrap around.
std::string cast_of(DataType from, DataType to, const std::string& a) {
  const auto& type = glsl_type(to);
  const std::string step(type.step);
  if (is_computed_as_f32(to)) {
    if (to == DataType::f32) return "float(" + a + ")";
    const std::string single = (from == DataType::f64 ? "heed_odd(" : "float(") + a + ")";
    return filled(type.load, filled(type.store, single));
  }
  if (is_float(to) || !is_float(from)) return filled(type.wrap, step + "(" + a + ")");
  const bool is_wide = bits_of(to) == 64;
  const std::string as_signed = (is_wide ? "int64_t(" : "int(") + a + ")";
  if (to == DataType::u32 || to == DataType::u64)
    return a + " < 0.0 ? " + step + "(" + as_signed + ") : " + step + "(" + a + ")";
  return filled(type.wrap, step + "(" + as_signed + ")");
}

// `first` and `second`: the steps that make a and b, where they are.
std::string glsl_of(const ExpressionStep& step, const std::string& a, const std::string& b, const std::string& c,
                    const ExpressionStep& first, const ExpressionStep& second) {
  const auto is_second = [&](float number) { return second.op == ExpressionOp::constant && second.number == number; };
  const auto call = [&](std::string_view name) {
    return std::string(name) + "(" + a + (b.empty() ? "" : ", " + b) + ")";
  };
  switch (step.op) {
    case ExpressionOp::negative:
      return "-" + a;
    case ExpressionOp::sqrt:
    case ExpressionOp::floor:
    case ExpressionOp::ceil:
      return call(rule_of(step.op).name);
    case ExpressionOp::round:
      return call("roundEven");
    case ExpressionOp::logical_not:
      return "!" + a;
    case ExpressionOp::bit_not:
      return "~" + a;
    case ExpressionOp::bit_and:
      return a + " & " + b;
    case ExpressionOp::bit_or:
      return a + " | " + b;
    case ExpressionOp::bit_xor:
      return a + " ^ " + b;
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
      return cast_of(first.type, step.type, a);
    case ExpressionOp::not_equal:
      if (&first == &second && is_float(first.type)) return "isnan(" + a + ")";
      return a + " != " + b;
    case ExpressionOp::divide:
      if (!is_float(step.type)) return call("heed_divide");
      // Compilers take a division by the literal 0 for undefined.
      if (is_second(0)) return a + " * " + literal({.type = step.type, .number = 1 / second.number});
      [[fallthrough]];
    default:
      return detail::is_infix(step.op) ? a + " " + std::string(rule_of(step.op).name) + " " + b
                                       : call("heed_" + std::string(rule_of(step.op).name));
  }
}

bool is_hyperbolic(const ExpressionStep& step) {
  return step.op >= ExpressionOp::sinh && step.op <= ExpressionOp::atanh;
}

// What GLSL has no function for in f64, or none that is exact.
bool is_of_f32_alone(ExpressionOp op) {
  if (op == ExpressionOp::mod || op == ExpressionOp::fmod) return true;
  return rule_of(op).typing == ExpressionTyping::floats && op != ExpressionOp::sqrt && op != ExpressionOp::floor &&
         op != ExpressionOp::ceil && op != ExpressionOp::round;
}

// Whether the numbers that an operation gives may be too large for their type.
bool is_wrapped(ExpressionOp op) {
  return op == ExpressionOp::negative || op == ExpressionOp::absolute || op == ExpressionOp::add ||
         op == ExpressionOp::subtract || op == ExpressionOp::multiply || op == ExpressionOp::divide ||
         op == ExpressionOp::bit_not || op == ExpressionOp::shift_left;
}

// The functions above for the types that an expression computes with.
std::string functions_of(const Expression& expression) {
  std::vector<std::string_view> known;
  std::string text;
  for (const auto& step : expression.steps()) {
    const auto& type = glsl_type(step.type);
    if (step.type == DataType::boolean || std::count(known.begin(), known.end(), type.step) > 0) continue;
    known.push_back(type.step);
    text += "#define NUMBER " + std::string(type.step) + "\n#define IS_SIGNED " +
            (is_signed_integer(step.type) ? "true" : "false") + "\n#define BITS " +
            (bits_of(step.type) == 64 ? "64" : "32") +
            std::string(is_float(step.type) ? float_functions : integer_functions) +
            "#undef NUMBER\n#undef IS_SIGNED\n#undef BITS\n";
    if (type.step == "float") text += functions;
    if (type.step == "double") text += double_functions;
  }
  const auto& steps = expression.steps();
  if (std::any_of(steps.begin(), steps.end(), is_hyperbolic)) text += hyperbolic_functions;
  return text;
}

// The shader of an expression: each invocation makes elements of the output in turns. The tensors of its walk are the
// inputs, then the output.
std::string shader_of(const Expression& expression, std::span<const DataType> inputs) {
  const size_t count = inputs.size();
  std::string text =
      "#version 450\n#extension GL_EXT_shader_8bit_storage : enable\n#extension GL_EXT_shader_16bit_storage : enable\n"
      "#extension GL_EXT_shader_explicit_arithmetic_types_int64 : enable\n";
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
          "int strides[8 * 9];\n};\n";  // walk.hpp's, of most_inputs and the output
  text += shaders::math_glsl;
  text += shaders::rounding_glsl;
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
    text += "      at" + std::to_string(k) + " += i * strides[axis * 9 + " + std::to_string(k) + "];\n";
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
      value = filled(glsl_type(step.type).load, "input" + n + "[at" + n + "]");
    } else {
      const int32_t argument_count = rule_of(step.op).argument_count;
      const auto name = [&](int32_t k) { return k < argument_count ? names[step.arguments[k]] : std::string(); };
      value = glsl_of(step, name(0), name(1), name(2), steps[step.arguments[0]], steps[step.arguments[1]]);
      if (is_wrapped(step.op)) value = filled(glsl_type(step.type).wrap, value);
    }
    names[i] = "t" + std::to_string(i);
    text += "    " + std::string(glsl_type(step.type).step) + " " + names[i] + " = " + value + ";\n";
  }
  const std::string result = filled(glsl_type(expression.type()).store, names[expression.result()]);
  return text + "    result[at" + std::to_string(count) + "] = " + result + ";\n  }\n}\n";
}

// Declines where the device lacks a type that is in memory, or computed with.
Result<void> check_types(const Planning& node, const Expression& expression, std::span<const DataType> in_memory) {
  for (const DataType type : in_memory) HEED_TRY(check_capability(node, glsl_type(type).storage_needs, type));
  for (const auto& step : expression.steps()) {
    HEED_TRY(check_capability(node, glsl_type(step.type).step_needs, step.type));
    if (step.type == DataType::f64 && is_of_f32_alone(step.op))
      return decline("the GPU kernel has no " + std::string(rule_of(step.op).name) + " of f64");
  }
  return {};
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
    plan.bindings.push_back(in_windows(read(k)));
  }
  plan.bindings.push_back(in_windows(write(0)));
  node.give_strided(0);
  HEED_TRY(check_types(node, expression, types));
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
  const int64_t most_bytes = most_binding_bytes(node);
  const bool windowed =
      !std::all_of(tensors.begin(), tensors.end(), [&](const TensorView& x) { return fits_binding(x, most_bytes); });
  Launch launch;
  HEED_TRY(add_walk(launch, node, 0, walk, tensors, windowed, workgroup_size));
  return launch;
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
