// The language of element-wise operators (heed_operator.expression): what one element of the output is, given one
// element of each input. Read into straight-line code over f32, printed as text or as GLSL.
//
//   program     statement ';' ... the last statement is the result:   "t = a + b; max(t, 0)"
//   statement   [name '='] expression
//   expression  comparisons (== != < <= > >=) bind less than + -, these less than * /, these less than unary -;
//               parentheses; numbers (1, 0.5, 1e-6, inf, nan); names of inputs and of earlier statements; @name, an
//               attribute of the node (a number); functions:
//   one         abs neg sign sqrt exp log tanh sigmoid erf sin cos tan asin acos atan sinh cosh asinh acosh atanh
//               floor ceil round (half to even) not
//   two         min max pow and or
//   three       select(condition, where it is not 0, where it is 0)
//
// All numbers are f32; truth is 1 or 0. min and max give NaN where either argument is NaN.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "heed/result.hpp"

namespace heed {

enum class ExpressionOp : uint8_t {
  input,
  constant,
  negative,
  absolute,
  sign,
  sqrt,
  exp,
  log,
  tanh,
  sigmoid,
  erf,
  sin,
  cos,
  tan,
  asin,
  acos,
  atan,
  sinh,
  cosh,
  asinh,
  acosh,
  atanh,
  floor,
  ceil,
  round,
  logical_not,
  add,
  subtract,
  multiply,
  divide,
  min,
  max,
  pow,
  less,
  less_equal,
  greater,
  greater_equal,
  equal,
  not_equal,
  logical_and,
  logical_or,
  select
};

struct ExpressionRule {
  std::string_view name;  // as a function, or the sign of an infix operator
  int32_t argument_count;
};

inline constexpr ExpressionRule expression_rules[] = {
    {"", 0},      {"", 0},      {"neg", 1},     {"abs", 1},   {"sign", 1}, {"sqrt", 1},  {"exp", 1},
    {"log", 1},   {"tanh", 1},  {"sigmoid", 1}, {"erf", 1},   {"sin", 1},  {"cos", 1},   {"tan", 1},
    {"asin", 1},  {"acos", 1},  {"atan", 1},    {"sinh", 1},  {"cosh", 1}, {"asinh", 1}, {"acosh", 1},
    {"atanh", 1}, {"floor", 1}, {"ceil", 1},    {"round", 1}, {"not", 1},  {"+", 2},     {"-", 2},
    {"*", 2},     {"/", 2},     {"min", 2},     {"max", 2},   {"pow", 2},  {"<", 2},     {"<=", 2},
    {">", 2},     {">=", 2},    {"==", 2},      {"!=", 2},    {"and", 2},  {"or", 2},    {"select", 3}};
static_assert(std::size(expression_rules) == static_cast<size_t>(ExpressionOp::select) + 1);

constexpr ExpressionRule rule_of(ExpressionOp op) { return expression_rules[static_cast<size_t>(op)]; }

// One step of a program; its result is known by its place. Arguments are earlier steps.
struct ExpressionStep {
  ExpressionOp op = ExpressionOp::constant;
  uint32_t arguments[3] = {0, 0, 0};  // of `input`: which one, in the first place
  float number = 0;                   // of `constant`
};

// What a step gives for numbers; the reference that kernels are compared with.
inline float apply(ExpressionOp op, float a, float b = 0, float c = 0) {
  switch (op) {
    case ExpressionOp::input:
    case ExpressionOp::constant:
      return a;
    case ExpressionOp::negative:
      return -a;
    case ExpressionOp::absolute:
      return std::fabs(a);
    case ExpressionOp::sign:
      return a > 0 ? 1.0f : a < 0 ? -1.0f : a;
    case ExpressionOp::sqrt:
      return std::sqrt(a);
    case ExpressionOp::exp:
      return std::exp(a);
    case ExpressionOp::log:
      return std::log(a);
    case ExpressionOp::tanh:
      return std::tanh(a);
    case ExpressionOp::sigmoid:
      return 1 / (1 + std::exp(-a));
    case ExpressionOp::erf:
      return std::erf(a);
    case ExpressionOp::sin:
      return std::sin(a);
    case ExpressionOp::cos:
      return std::cos(a);
    case ExpressionOp::tan:
      return std::tan(a);
    case ExpressionOp::asin:
      return std::asin(a);
    case ExpressionOp::acos:
      return std::acos(a);
    case ExpressionOp::atan:
      return std::atan(a);
    case ExpressionOp::sinh:
      return std::sinh(a);
    case ExpressionOp::cosh:
      return std::cosh(a);
    case ExpressionOp::asinh:
      return std::asinh(a);
    case ExpressionOp::acosh:
      return std::acosh(a);
    case ExpressionOp::atanh:
      return std::atanh(a);
    case ExpressionOp::floor:
      return std::floor(a);
    case ExpressionOp::ceil:
      return std::ceil(a);
    case ExpressionOp::round:
      return std::nearbyint(a);
    case ExpressionOp::logical_not:
      return a == 0 ? 1.0f : 0.0f;
    case ExpressionOp::add:
      return a + b;
    case ExpressionOp::subtract:
      return a - b;
    case ExpressionOp::multiply:
      return a * b;
    case ExpressionOp::divide:
      return a / b;
    case ExpressionOp::min:
      return b < a || b != b ? b : a;
    case ExpressionOp::max:
      return b > a || b != b ? b : a;
    case ExpressionOp::pow:
      return std::pow(a, b);
    case ExpressionOp::less:
      return a < b;
    case ExpressionOp::less_equal:
      return a <= b;
    case ExpressionOp::greater:
      return a > b;
    case ExpressionOp::greater_equal:
      return a >= b;
    case ExpressionOp::equal:
      return a == b;
    case ExpressionOp::not_equal:
      return a != b;
    case ExpressionOp::logical_and:
      return a != 0 && b != 0;
    case ExpressionOp::logical_or:
      return a != 0 || b != 0;
    case ExpressionOp::select:
      return a != 0 ? b : c;
  }
  return 0;
}

class Expression {
 public:
  // The steps in order; the last one is the result. Equal steps are one, and what depends on constants alone is
  // computed.
  const std::vector<ExpressionStep>& steps() const { return steps_; }
  uint32_t result() const { return result_; }
  // How many steps compute something.
  size_t operation_count() const {
    size_t count = 0;
    for (const auto& step : steps_) count += rule_of(step.op).argument_count > 0;
    return count;
  }

  uint32_t add_input(uint32_t index) { return add({ExpressionOp::input, {index, 0, 0}, 0}); }
  uint32_t add_constant(float number) { return add({ExpressionOp::constant, {0, 0, 0}, number}); }
  uint32_t add_operation(ExpressionOp op, uint32_t a, uint32_t b = 0, uint32_t c = 0) {
    const int32_t count = rule_of(op).argument_count;
    const uint32_t arguments[3] = {a, count > 1 ? b : 0, count > 2 ? c : 0};
    bool constant = true;
    float numbers[3] = {};
    for (int32_t i = 0; i < count; ++i) {
      constant = constant && steps_[arguments[i]].op == ExpressionOp::constant;
      numbers[i] = steps_[arguments[i]].number;
    }
    if (constant) return add_constant(apply(op, numbers[0], numbers[1], numbers[2]));
    return add({op, {arguments[0], arguments[1], arguments[2]}, 0});
  }
  // All of another expression, with these steps in the place of its inputs; gives the step that is its result.
  uint32_t add_expression(const Expression& other, std::span<const uint32_t> inputs) {
    std::vector<uint32_t> places;
    for (const auto& step : other.steps_) {
      if (step.op == ExpressionOp::input)
        places.push_back(inputs[step.arguments[0]]);
      else if (step.op == ExpressionOp::constant)
        places.push_back(add_constant(step.number));
      else
        places.push_back(
            add_operation(step.op, places[step.arguments[0]], places[step.arguments[1]], places[step.arguments[2]]));
    }
    return places[other.result_];
  }
  // Drops what the result does not need.
  void set_result(uint32_t step) {
    std::vector<bool> needed(steps_.size(), false);
    needed[step] = true;
    for (size_t i = steps_.size(); i-- > 0;)
      for (int32_t k = 0; needed[i] && k < rule_of(steps_[i].op).argument_count; ++k)
        needed[steps_[i].arguments[k]] = true;
    std::vector<uint32_t> places(steps_.size(), 0);
    std::vector<ExpressionStep> kept;
    known_.clear();
    for (size_t i = 0; i < steps_.size(); ++i) {
      if (!needed[i]) continue;
      auto moved = steps_[i];
      for (int32_t k = 0; k < rule_of(moved.op).argument_count; ++k) moved.arguments[k] = places[moved.arguments[k]];
      places[i] = static_cast<uint32_t>(kept.size());
      known_.emplace(key_of(moved), places[i]);
      kept.push_back(moved);
    }
    steps_ = std::move(kept);
    result_ = places[step];
  }

  float evaluate(std::span<const float> inputs) const {
    std::vector<float> values;
    for (const auto& step : steps_) {
      if (step.op == ExpressionOp::input)
        values.push_back(inputs[step.arguments[0]]);
      else if (step.op == ExpressionOp::constant)
        values.push_back(step.number);
      else
        values.push_back(
            heed::apply(step.op, values[step.arguments[0]], values[step.arguments[1]], values[step.arguments[2]]));
    }
    return values[result_];
  }

 private:
  using Key = std::tuple<ExpressionOp, uint32_t, uint32_t, uint32_t, uint32_t>;
  static Key key_of(const ExpressionStep& step) {
    uint32_t bits = 0;
    static_assert(sizeof bits == sizeof step.number);
    __builtin_memcpy(&bits, &step.number, sizeof bits);
    return {step.op, step.arguments[0], step.arguments[1], step.arguments[2], bits};
  }
  uint32_t add(const ExpressionStep& step) {
    const auto [place, is_new] = known_.emplace(key_of(step), static_cast<uint32_t>(steps_.size()));
    if (is_new) steps_.push_back(step);
    return result_ = place->second;
  }

  std::vector<ExpressionStep> steps_;
  std::map<Key, uint32_t> known_;
  uint32_t result_ = 0;
};

namespace detail {

// Recursive descent over characters.
class ExpressionParser {
 public:
  using AttributeNumber = std::function<std::optional<float>(std::string_view name)>;

  ExpressionParser(std::string_view text, std::span<const std::string_view> inputs, const AttributeNumber& attribute)
      : text_(text), inputs_(inputs), attribute_(attribute) {}

  Result<Expression> parse() {
    uint32_t result = 0;
    bool any = false;
    while (skip(), position_ < text_.size()) {
      const size_t start = position_;
      std::string name(word());
      skip();
      if (name.empty() || !at('=') || (position_ + 1 < text_.size() && text_[position_ + 1] == '=')) {
        position_ = start;
        name.clear();
      } else {
        ++position_;
      }
      HEED_ASSIGN(result, comparison());
      any = true;
      if (!name.empty() && !names_.emplace(name, result).second) return fail("'" + name + "' is made twice");
      skip();
      if (position_ == text_.size()) break;
      if (!at(';')) return fail(std::string("unexpected '") + text_[position_] + "'");
      ++position_;
    }
    if (!any) return fail("it is empty");
    expression_.set_result(result);
    return std::move(expression_);
  }

 private:
  static constexpr int depth_limit = 200;
  static constexpr size_t step_limit = 4096;

  Error fail(const std::string& what) const {
    return {Code::invalid_argument,
            "expression \"" + std::string(text_) + "\", column " + std::to_string(position_ + 1) + ": " + what};
  }
  void skip() {
    while (position_ < text_.size() &&
           (text_[position_] == ' ' || text_[position_] == '\n' || text_[position_] == '\t'))
      ++position_;
  }
  bool at(char c) const { return position_ < text_.size() && text_[position_] == c; }
  bool take(std::string_view sign) {
    skip();
    if (text_.substr(position_, sign.size()) != sign) return false;
    position_ += sign.size();
    return true;
  }
  static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  std::string_view word() {
    const size_t start = position_;
    if (position_ == text_.size() || !is_letter(text_[position_])) return {};
    while (position_ < text_.size() && (is_letter(text_[position_]) || is_digit(text_[position_]))) ++position_;
    return text_.substr(start, position_ - start);
  }

  Result<uint32_t> comparison() {
    if (++depth_ > depth_limit) return fail("it is nested too deep");
    HEED_ASSIGN(uint32_t left, sum());
    for (;;) {
      ExpressionOp op;
      if (take("=="))
        op = ExpressionOp::equal;
      else if (take("!="))
        op = ExpressionOp::not_equal;
      else if (take("<="))
        op = ExpressionOp::less_equal;
      else if (take(">="))
        op = ExpressionOp::greater_equal;
      else if (take("<"))
        op = ExpressionOp::less;
      else if (take(">"))
        op = ExpressionOp::greater;
      else
        break;
      HEED_ASSIGN(const uint32_t right, sum());
      left = expression_.add_operation(op, left, right);
    }
    --depth_;
    return left;
  }
  Result<uint32_t> sum() {
    HEED_ASSIGN(uint32_t left, product());
    for (;;) {
      const bool plus = take("+");
      if (!plus && !take("-")) return left;
      HEED_ASSIGN(const uint32_t right, product());
      left = expression_.add_operation(plus ? ExpressionOp::add : ExpressionOp::subtract, left, right);
    }
  }
  Result<uint32_t> product() {
    HEED_ASSIGN(uint32_t left, factor());
    for (;;) {
      const bool times = take("*");
      if (!times && !take("/")) return left;
      HEED_ASSIGN(const uint32_t right, factor());
      left = expression_.add_operation(times ? ExpressionOp::multiply : ExpressionOp::divide, left, right);
    }
  }
  Result<uint32_t> factor() {
    if (expression_.steps().size() > step_limit)
      return fail("it has more than " + std::to_string(step_limit) + " steps");
    if (take("-")) {
      if (++depth_ > depth_limit) return fail("it is nested too deep");
      HEED_ASSIGN(const uint32_t operand, factor());
      --depth_;
      return expression_.add_operation(ExpressionOp::negative, operand);
    }
    if (take("(")) {
      HEED_ASSIGN(const uint32_t inner, comparison());
      if (!take(")")) return fail("expected ')'");
      return inner;
    }
    skip();
    if (position_ < text_.size() && (is_digit(text_[position_]) || text_[position_] == '.')) {
      float number = 0;
      const auto [end, error] = std::from_chars(text_.data() + position_, text_.data() + text_.size(), number);
      if (error != std::errc()) return fail("expected a number");
      position_ = static_cast<size_t>(end - text_.data());
      return expression_.add_constant(number);
    }
    const bool is_attribute = take("@");
    const size_t start = position_;
    const std::string_view name = word();
    if (name.empty()) return fail("expected a number, a name or '('");
    if (is_attribute) {
      const auto number = attribute_ ? attribute_(name) : std::nullopt;
      if (number) return expression_.add_constant(*number);
      position_ = start;
      return fail("there is no attribute '" + std::string(name) + "' that is a number");
    }
    if (take("(")) return call(name, start);
    if (const auto made = names_.find(name); made != names_.end()) return made->second;
    for (size_t i = 0; i < inputs_.size(); ++i)
      if (inputs_[i] == name) return expression_.add_input(static_cast<uint32_t>(i));
    if (name == "inf") return expression_.add_constant(std::numeric_limits<float>::infinity());
    if (name == "nan") return expression_.add_constant(std::numeric_limits<float>::quiet_NaN());
    position_ = start;
    return fail("'" + std::string(name) + "' is no input and was not made before");
  }
  Result<uint32_t> call(std::string_view name, size_t start) {
    for (size_t op = static_cast<size_t>(ExpressionOp::negative); op < std::size(expression_rules); ++op) {
      const auto& rule = expression_rules[op];
      if (rule.name != name) continue;
      uint32_t arguments[3] = {};
      for (int32_t i = 0; i < rule.argument_count; ++i) {
        if (i > 0 && !take(","))
          return fail("expected ',': " + std::string(name) + " takes " + std::to_string(rule.argument_count));
        HEED_ASSIGN(arguments[i], comparison());
      }
      if (!take(")"))
        return fail("expected ')': " + std::string(name) + " takes " + std::to_string(rule.argument_count));
      return expression_.add_operation(static_cast<ExpressionOp>(op), arguments[0], arguments[1], arguments[2]);
    }
    position_ = start;
    return fail("there is no function '" + std::string(name) + "'");
  }

  std::string_view text_;
  std::span<const std::string_view> inputs_;
  const AttributeNumber& attribute_;
  size_t position_ = 0;
  int depth_ = 0;
  Expression expression_;
  std::map<std::string, uint32_t, std::less<>> names_;
};

inline bool is_infix(ExpressionOp op) {
  const char first = rule_of(op).name.empty() ? 'a' : rule_of(op).name[0];
  return !(first >= 'a' && first <= 'z');
}

inline std::string text_of_number(float number) {
  if (number != number) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", static_cast<double>(number));
  return text;
}

}  // namespace detail

// Inputs are known by these names; `attribute` gives the number of @name, or nothing. Fails with invalid_argument and
// the column.
inline Result<Expression> parse_expression(
    std::string_view text, std::span<const std::string_view> inputs,
    const std::function<std::optional<float>(std::string_view)>& attribute = {}) {
  return detail::ExpressionParser(text, inputs, attribute).parse();
}

// An expression over inputs x0, x1, ...: how fused nodes hold theirs.
inline Result<Expression> parse_fused_expression(std::string_view text, size_t input_count) {
  std::vector<std::string> names;
  for (size_t i = 0; i < input_count; ++i) names.push_back("x" + std::to_string(i));
  const std::vector<std::string_view> views(names.begin(), names.end());
  return parse_expression(text, views);
}

// "t0 = x0 + x1; y = max(t0, 0)": one statement per operation; parse_fused_expression reads it back.
inline std::string to_text(const Expression& expression) {
  const auto& steps = expression.steps();
  std::vector<std::string> names(steps.size());
  std::string text;
  size_t made = 0;
  for (size_t i = 0; i < steps.size(); ++i) {
    const auto& step = steps[i];
    if (step.op == ExpressionOp::input)
      names[i] = "x" + std::to_string(step.arguments[0]);
    else if (step.op == ExpressionOp::constant)
      names[i] = detail::text_of_number(step.number);
    const int32_t count = rule_of(step.op).argument_count;
    if (count == 0 && i != expression.result()) continue;
    std::string value = names[i];
    const auto argument = [&](int32_t k) { return names[step.arguments[k]]; };
    if (count == 2 && detail::is_infix(step.op)) {
      value = argument(0) + " " + std::string(rule_of(step.op).name) + " " + argument(1);
    } else if (count > 0) {
      value = std::string(rule_of(step.op).name) + "(" + argument(0);
      for (int32_t k = 1; k < count; ++k) value += ", " + argument(k);
      value += ")";
    }
    names[i] = i == expression.result() ? "y" : "t" + std::to_string(made++);
    text += (text.empty() ? "" : "; ") + names[i] + " = " + value;
  }
  return text;
}

}  // namespace heed
