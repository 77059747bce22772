// com.microsoft's operators of quantised tensors: what they do to numbers, done to (code - zero_point) * scale, and the
// result as codes of its own scale and zero point: saturate(round(y / y_scale) + y_zero_point). A zero point that is absent
// is 0. Rewrites lower them: element by element all of it is one chain.
#include "lowering.hpp"
#include "quantized_text.hpp"
#include "shapes.hpp"
#include "windows.hpp"

namespace heed::ops {
namespace {

constexpr std::string_view microsoft = "com.microsoft";
constexpr Types bytes{DataType::i8, DataType::u8};

// ---- codes and numbers, as text
// --------------------------------------------------------------------------------------------------

// y = codes of what `body` makes of the numbers of x.
bool lower_one(Match& match, const std::function<std::string(const std::string& x)>& body) {
  const auto x = match.type("x");
  if (!x || !x->has_rank() || !have_ranks(match, {"x_scale", "x_zero", "y_scale", "y_zero"})) return false;
  match.replace_by("y = " + codes_of(match, body(numbers_of(match, "x", "x_scale", "x_zero")), "y_scale", "y_zero",
                                     x->element()));
  return true;
}

std::vector<Parameter> one_input(uint32_t zero_point_flags = HEED_OPTIONAL_PARAMETER) {
  return {{"X", "T"}, {"X_scale", "TS"}, {"X_zero_point", "T", HEED_OPTIONAL_PARAMETER}, {"Y_scale", "TS"},
          {"Y_zero_point", "T", zero_point_flags}};
}
const std::vector<TypeRule> code_types{{"T", bytes}, {"TS", {DataType::f32}}};

// Scales and zero points for all of a tensor are one.
Result<void> check_single(Inference& node, std::initializer_list<int32_t> inputs) {
  for (const int32_t input : inputs)
    if (node.has_input(input) && node.input(input).has_rank())
      HEED_TRY(node.require_equal(count_of(node.input(input).dims()), 1,
                                  "elements of input " + std::to_string(input) + " and 1"));
  return {};
}

// ---- element by element
// ----------------------------------------------------------------------------------------------------------

Result<void> infer_one(Inference& node) {
  HEED_TRY(check_single(node, {1, 2, 3, 4}));
  return like_input(node);
}

Result<void> infer_two(Inference& node) {
  HEED_TRY(check_single(node, {1, 2, 4, 5, 6, 7}));
  const auto left = node.input(0), right = node.input(3);
  if (!left.has_rank() || !right.has_rank()) return node.set_output(0, left.element());
  HEED_ASSIGN(const auto dims, checked_broadcast(node, left.dims(), right.dims()));
  return node.set_output(0, left.element(), dims);
}

Result<void> infer_where(Inference& node) {
  HEED_TRY(check_single(node, {2, 3, 5, 6, 7, 8}));
  const auto condition = node.input(0), x = node.input(1), y = node.input(4);
  if (!condition.has_rank() || !x.has_rank() || !y.has_rank()) return node.set_output(0, x.element());
  HEED_ASSIGN(const auto numbers, checked_broadcast(node, x.dims(), y.dims()));
  HEED_ASSIGN(const auto dims, checked_broadcast(node, condition.dims(), numbers));
  return node.set_output(0, x.element(), dims);
}

bool lower_two(Match& match, const char* op_type) {
  const auto a = match.type("a"), b = match.type("b");
  if (!a || !b || !a->has_rank() || !b->has_rank() ||
      !have_ranks(match, {"a_scale", "a_zero", "b_scale", "b_zero", "c_scale", "c_zero"}))
    return false;
  const auto sum = std::string(op_type) + "(" + numbers_of(match, "a", "a_scale", "a_zero") + ", " +
                   numbers_of(match, "b", "b_scale", "b_zero") + ")";
  match.replace_by("c = " + codes_of(match, sum, "c_scale", "c_zero", a->element()));
  return true;
}
bool lower_add(Match& match) { return lower_two(match, "Add"); }
bool lower_mul(Match& match) { return lower_two(match, "Mul"); }

bool lower_sigmoid(Match& match) {
  return lower_one(match, [](const std::string& x) { return "Sigmoid(" + x + ")"; });
}
bool lower_leaky_relu(Match& match) {
  match.set("alpha", match.node("y").number("alpha"));
  return lower_one(match, [](const std::string& x) { return "LeakyRelu<alpha = @alpha>(" + x + ")"; });
}

bool lower_where(Match& match) {
  const auto x = match.type("x"), y = match.type("y");
  if (!x || !y || !x->has_rank() || !y->has_rank() ||
      !have_ranks(match, {"x_scale", "x_zero", "y_scale", "y_zero", "z_scale", "z_zero"}))
    return false;
  const auto chosen = "Where(condition, " + numbers_of(match, "x", "x_scale", "x_zero") + ", " +
                      numbers_of(match, "y", "y_scale", "y_zero") + ")";
  match.replace_by("z = " + codes_of(match, chosen, "z_scale", "z_zero", x->element()));
  return true;
}

Operator two_inputs(std::string_view op_type) {
  return {.domain = microsoft,
          .op_type = op_type,
          .inputs = {{"A", "T"}, {"A_scale", "TS"}, {"A_zero_point", "T", HEED_OPTIONAL_PARAMETER}, {"B", "T"},
                     {"B_scale", "TS"}, {"B_zero_point", "T", HEED_OPTIONAL_PARAMETER}, {"C_scale", "TS"},
                     {"C_zero_point", "T", HEED_OPTIONAL_PARAMETER}},
          .outputs = {{"C", "T"}},
          .types = code_types,
          .infer = infer_two};
}

// ---- along axes
// ------------------------------------------------------------------------------------------------------------------

// Before opset 13 over all axes from `axis` on.
bool lower_softmax(Match& match) {
  const auto node = match.node("y");
  const auto x = match.type("x");
  if (!x || !x->has_rank()) return false;
  const int64_t axis = node.integer("axis", -1);
  match.set("axis", axis < 0 ? axis + x->rank() : axis);
  if (node.integer("opset") >= 13) return lower_one(match, [](const std::string& numbers) { return "Softmax<axis = @axis>(" + numbers + ")"; });
  return lower_one(match, [](const std::string& numbers) {
    return "Reshape(Softmax<axis = 1>(Flatten<axis = @axis>(" + numbers + ")), Shape(x))";
  });
}

Result<void> infer_softmax(Inference& node) {
  if (node.input(0).has_rank()) HEED_TRY(node.axis("axis", node.input(0).rank(), -1));
  return infer_one(node);
}

// Tensors in threes: codes, their scale, their zero point.
constexpr int32_t most_concatenated = 32;

Result<void> infer_concat(Inference& node) {
  const int32_t count = (node.input_count() - 2) / 3;
  if (node.input_count() != 2 + 3 * count || count < 1)
    return Error{Code::invalid_model, std::to_string(node.input_count()) +
                                          " inputs; expected a scale, a zero point, and then a tensor, its scale and its "
                                          "zero point for each part"};
  HEED_TRY(check_single(node, {0, 1}));
  for (int32_t part = 0; part < count; ++part) HEED_TRY(check_single(node, {3 + 3 * part, 4 + 3 * part}));
  const auto first = node.input(2);
  if (!first.has_rank()) return node.set_output(0, node.input(1).element());
  HEED_ASSIGN(const int32_t axis, node.axis("axis", first.rank()));
  Dims dims(first.dims().begin(), first.dims().end());
  for (int32_t part = 1; part < count; ++part) {
    const auto next = node.input(2 + 3 * part);
    if (!next.has_rank()) return node.set_output(0, first.element());
    HEED_TRY(node.require_rank(2 + 3 * part, first.rank()));
    for (int32_t k = 0; k < first.rank(); ++k) {
      if (k == axis)
        dims[static_cast<size_t>(k)] += next.dim(k);
      else
        HEED_TRY(node.require_equal(dims[static_cast<size_t>(k)], next.dim(k),
                                    "axis " + std::to_string(k) + " of parts 0 and " + std::to_string(part)));
    }
  }
  return node.set_output(0, first.element(), dims);
}

std::string part_of(const char* name, int32_t part) { return name + std::to_string(part); }

std::vector<std::string_view> concat_patterns() {
  static const std::string text = [] {
    std::string made = "y = com.microsoft.QLinearConcat(y_scale, y_zero";
    for (int32_t part = 0; part < most_concatenated; ++part)
      for (const char* name : {"x", "scale", "zero"}) made += ", " + part_of(name, part);
    return made + ")";
  }();
  return {text};
}

// Parts that have the scale of the whole stay as they are.
bool lower_concat(Match& match) {
  const auto node = match.node("y");
  const int32_t count = (node.input_count() - 2) / 3;
  if (count > most_concatenated || !have_ranks(match, {"y_scale", "y_zero"})) return false;
  std::string parts;
  for (int32_t part = 0; part < count; ++part) {
    const auto x = part_of("x", part), scale = part_of("scale", part), zero = part_of("zero", part);
    if (!match.type(x) || !match.type(x)->has_rank() || !have_ranks(match, {scale, zero})) return false;
    const bool is_same = are_same(match, scale, "y_scale") && are_same(match, zero, "y_zero");
    parts += (part ? ", " : "") +
             (is_same ? x : codes_of(match, numbers_of(match, x, scale, zero), "y_scale", "y_zero", match.type(x)->element()));
  }
  match.set("axis", node.integer("axis"));
  match.replace_by("y = Concat<axis = @axis>(" + parts + ")");
  return true;
}

// ---- pools
// -----------------------------------------------------------------------------------------------------------------------

Result<void> infer_average_pool(Inference& node) {
  HEED_TRY(check_single(node, {1, 2, 3, 4}));
  const auto x = node.input(0);
  const auto kernel = node.integers("kernel_shape");
  if (!x.has_rank()) return node.set_output(0, x.element());
  if (x.rank() < 3)
    return Error{Code::shape_mismatch, "data " + text_of(x.dims()) + "; expected [batch, channel, spatial...]"};
  const bool is_last = node.integer("channels_last") != 0;
  const auto spatial = x.dims().subspan(is_last ? 1 : 2, static_cast<size_t>(x.rank() - 2));
  HEED_ASSIGN(const auto counts, window_counts(node, spatial, Dims(kernel->begin(), kernel->end())));
  Dims dims{x.dim(0)};
  if (!is_last) dims.push_back(x.dim(1));
  dims.insert(dims.end(), counts.begin(), counts.end());
  if (is_last) dims.push_back(x.dim(-1));
  return node.set_output(0, x.element(), dims);
}

bool lower_average_pool(Match& match) {
  const auto node = match.node("y");
  const auto x = match.type("x");
  if (!x || !x->has_rank()) return false;
  return lower_one(match, [&](const std::string& numbers) {
    const bool is_last = node.integer("channels_last") != 0;
    const std::string pool =
        "AveragePool" +
        carried(match, node, {"auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides"}) + "(" +
        (is_last ? channels_second(match, x->rank(), numbers) : numbers) + ")";
    return is_last ? channels_last(match, x->rank(), pool) : pool;
  });
}

Result<void> infer_global_average_pool(Inference& node) {
  HEED_TRY(check_single(node, {1, 2, 3, 4}));
  const auto x = node.input(0);
  if (!x.has_rank()) return node.set_output(0, x.element());
  if (x.rank() < 3)
    return Error{Code::shape_mismatch, "data " + text_of(x.dims()) + "; expected [batch, channel, spatial...]"};
  const int32_t first = node.integer("channels_last") != 0 ? 1 : 2;
  Dims dims(x.dims().begin(), x.dims().end());
  for (int32_t axis = first; axis < first + x.rank() - 2; ++axis) dims[static_cast<size_t>(axis)] = 1;
  return node.set_output(0, x.element(), dims);
}

bool lower_global_average_pool(Match& match) {
  const auto x = match.type("x");
  if (!x || !x->has_rank()) return false;
  std::vector<int64_t> axes;
  const int64_t first = match.node("y").integer("channels_last") != 0 ? 1 : 2;
  for (int64_t axis = first; axis < first + x->rank() - 2; ++axis) axes.push_back(axis);
  match.set("axes", axes);
  return lower_one(match, [](const std::string& numbers) {
    return "ReduceMean<keepdims = 1>(" + numbers + ", Constant<value_ints = @axes>())";
  });
}

// ---- QGemm: y = alpha * a' b' + C, C being codes on the scale of the product
// ------------------------------------------------

enum { gemm_a, gemm_a_scale, gemm_a_zero, gemm_b, gemm_b_scale, gemm_b_zero, gemm_c, gemm_y_scale, gemm_y_zero };

Result<void> infer_qgemm(Inference& node) {
  HEED_TRY(check_single(node, {gemm_a_scale, gemm_a_zero, gemm_y_scale, gemm_y_zero}));
  const DataType element = !node.has_input(gemm_y_scale) ? DataType::f32
                           : node.has_input(gemm_y_zero) ? node.input(gemm_y_zero).element()
                                                         : node.input(gemm_a).element();
  for (const int32_t matrix : {gemm_a, gemm_b}) HEED_TRY(node.require_rank(matrix, 2));
  const auto a = node.input(gemm_a), b = node.input(gemm_b);
  if (!a.has_rank() || !b.has_rank()) return node.set_output(0, element);
  const bool a_is_turned = node.integer("transA") != 0, b_is_turned = node.integer("transB") != 0;
  HEED_TRY(node.require_equal(a.dim(a_is_turned ? 0 : 1), b.dim(b_is_turned ? 1 : 0),
                              "inner sizes of " + text_of(a.dims()) + " and " + text_of(b.dims())));
  const Dims dims{a.dim(a_is_turned ? 1 : 0), b.dim(b_is_turned ? 0 : 1)};
  if (node.has_input(gemm_c) && node.input(gemm_c).has_rank()) {
    HEED_ASSIGN(const auto met, checked_broadcast(node, dims, node.input(gemm_c).dims()));
    if (met.size() != dims.size())
      return Error{Code::shape_mismatch, text_of(node.input(gemm_c).dims()) + " does not broadcast to " + text_of(dims)};
  }
  return node.set_output(0, element, dims);
}

bool lower_qgemm(Match& match) {
  const auto node = match.node("y");
  const auto a = match.type("a"), b_scale = match.type("b_scale");
  if (!a || !b_scale || !b_scale->has_rank() || !have_ranks(match, {"a_scale", "a_zero", "y_scale", "y_zero"})) return false;
  const auto turned = [&](const char* name, const char* attribute) {
    return node.integer(attribute) ? "Transpose<perm = [1, 0]>(" + std::string(name) + ")" : std::string(name);
  };
  std::string text = "scale = Mul(b_scale, " + as_number(match, "a_scale") + ");";
  if (node.number("alpha", 1) != 1) {
    match.set("alpha", node.number("alpha"));
    text = "scale = Mul(Mul(b_scale, " + as_number(match, "a_scale") + "), Constant<value_float = @alpha>());";
  }
  text += "sums = MatMulInteger(" + turned("a", "transA") + ", " + turned("b", "transB") + ", " +
          (match.type("a_zero") ? "a_zero" : "\"\"") + ", " + (match.type("b_zero") ? "b_zero" : "\"\"") + ");";
  // Which sizes are equal may be known to the run alone; y has the shape of the sums.
  const std::string product = "Reshape(Mul(Cast<to = 1>(" + std::string(match.type("c") ? "Add(sums, c)" : "sums") +
                              "), scale), Shape(sums))";
  const DataType type = match.type("y_zero") ? match.type("y_zero")->element() : a->element();
  match.replace_by(text + "y = " +
                   (match.type("y_scale") ? codes_of(match, product, "y_scale", "y_zero", type) : product));
  return true;
}

}  // namespace

extern const Operator qlinear_add = two_inputs("QLinearAdd");
extern const Operator qlinear_mul = two_inputs("QLinearMul");

extern const Operator qlinear_sigmoid{.domain = microsoft, .op_type = "QLinearSigmoid", .inputs = one_input(),
                                      .outputs = {{"Y", "T"}}, .types = code_types, .infer = infer_one};
extern const Operator qlinear_leaky_relu{.domain = microsoft, .op_type = "QLinearLeakyRelu", .inputs = one_input(),
                                         .outputs = {{"Y", "T"}}, .types = code_types,
                                         .attributes = {attribute("alpha", 0.01f)}, .infer = infer_one};
extern const Operator qlinear_softmax{.domain = microsoft, .op_type = "QLinearSoftmax", .inputs = one_input(0),
                                      .outputs = {{"Y", "T"}}, .types = code_types,
                                      .attributes = {attribute("axis", -1), required("opset", HEED_ATTRIBUTE_INT)},
                                      .infer = infer_softmax};
extern const Operator qlinear_where{
    .domain = microsoft,
    .op_type = "QLinearWhere",
    .inputs = {{"condition", "B"}, {"X", "T"}, {"x_scale", "TS"}, {"x_zero_point", "T"}, {"Y", "T"}, {"y_scale", "TS"},
               {"y_zero_point", "T"}, {"z_scale", "TS"}, {"z_zero_point", "T"}},
    .outputs = {{"Z", "T"}},
    .types = {{"T", bytes}, {"TS", {DataType::f32}}, {"B", {DataType::boolean}}},
    .infer = infer_where};
extern const Operator qlinear_concat{
    .domain = microsoft,
    .op_type = "QLinearConcat",
    .inputs = {{"Y_scale", "TS"}, {"Y_zero_point", "T"}, {"inputs", "V", HEED_VARIADIC | HEED_HETEROGENEOUS}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", bytes}, {"TS", {DataType::f32}}, {"V", {DataType::i8, DataType::u8, DataType::f32}}},
    .attributes = {required("axis", HEED_ATTRIBUTE_INT)},
    .infer = infer_concat};
extern const Operator qlinear_average_pool{
    .domain = microsoft, .op_type = "QLinearAveragePool", .inputs = one_input(), .outputs = {{"Y", "T"}}, .types = code_types,
    .attributes = {attribute("auto_pad", "NOTSET"), attribute("ceil_mode", 0), attribute("channels_last", 0),
                   attribute("count_include_pad", 0), required("kernel_shape", HEED_ATTRIBUTE_INTS),
                   optional("pads", HEED_ATTRIBUTE_INTS), optional("strides", HEED_ATTRIBUTE_INTS)},
    .infer = infer_average_pool};
extern const Operator qlinear_global_average_pool{
    .domain = microsoft, .op_type = "QLinearGlobalAveragePool", .inputs = one_input(0), .outputs = {{"Y", "T"}},
    .types = code_types, .attributes = {attribute("channels_last", 0)}, .infer = infer_global_average_pool};
extern const Operator qgemm{
    .domain = microsoft,
    .op_type = "QGemm",
    .inputs = {{"A", "TA"}, {"a_scale", "TS"}, {"a_zero_point", "TA"}, {"B", "TB"}, {"b_scale", "TS"}, {"b_zero_point", "TB"},
               {"C", "TC", HEED_OPTIONAL_PARAMETER}, {"y_scale", "TS", HEED_OPTIONAL_PARAMETER},
               {"y_zero_point", "TY", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"Y", "TY"}},
    .types = {{"TA", bytes}, {"TB", bytes}, {"TC", {DataType::i32}}, {"TS", {DataType::f32}},
              {"TY", {DataType::f32, DataType::i8, DataType::u8}}},
    .attributes = {attribute("alpha", 1.0f), attribute("transA", 0), attribute("transB", 0)},
    .infer = infer_qgemm};

#define ONE_INPUT(op_type) "y = com.microsoft." op_type "(x, x_scale, x_zero, y_scale, y_zero)"
#define TWO_INPUTS(op_type) "c = com.microsoft." op_type "(a, a_scale, a_zero, b, b_scale, b_zero, c_scale, c_zero)"
extern const Rewrite qlinear_add_lowered{
    .name = "qlinear", .patterns = {TWO_INPUTS("QLinearAdd")}, .replacement = "", .accept = lower_add};
extern const Rewrite qlinear_mul_lowered{
    .name = "qlinear", .patterns = {TWO_INPUTS("QLinearMul")}, .replacement = "", .accept = lower_mul};
extern const Rewrite qlinear_sigmoid_lowered{
    .name = "qlinear", .patterns = {ONE_INPUT("QLinearSigmoid")}, .replacement = "", .accept = lower_sigmoid};
extern const Rewrite qlinear_leaky_relu_lowered{
    .name = "qlinear", .patterns = {ONE_INPUT("QLinearLeakyRelu")}, .replacement = "", .accept = lower_leaky_relu};
extern const Rewrite qlinear_softmax_lowered{
    .name = "qlinear", .patterns = {ONE_INPUT("QLinearSoftmax")}, .replacement = "", .accept = lower_softmax};
extern const Rewrite qlinear_where_lowered{
    .name = "qlinear",
    .patterns = {"z = com.microsoft.QLinearWhere(condition, x, x_scale, x_zero, y, y_scale, y_zero, z_scale, z_zero)"},
    .replacement = "",
    .accept = lower_where};
extern const Rewrite qlinear_concat_lowered{
    .name = "qlinear", .patterns = concat_patterns(), .replacement = "", .accept = lower_concat};
extern const Rewrite qlinear_average_pool_lowered{
    .name = "qlinear", .patterns = {ONE_INPUT("QLinearAveragePool")}, .replacement = "", .accept = lower_average_pool};
extern const Rewrite qlinear_global_average_pool_lowered{.name = "qlinear",
                                                         .patterns = {ONE_INPUT("QLinearGlobalAveragePool")},
                                                         .replacement = "",
                                                         .accept = lower_global_average_pool};
extern const Rewrite qgemm_lowered{
    .name = "qgemm",
    .patterns = {"y = com.microsoft.QGemm(a, a_scale, a_zero, b, b_scale, b_zero, c, y_scale, y_zero)"},
    .replacement = "",
    .accept = lower_qgemm};

}  // namespace heed::ops
