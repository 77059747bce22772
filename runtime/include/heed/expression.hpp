// The language of element-wise operators (heed_operator.expression): what one element of the output is, given one
// element of each input. Read into straight-line code whose steps have types, printed as text or as GLSL.
//
//   program     statement ';' ... the last statement is the result:   "t = a + b; max(t, 0)"
//   statement   [name '='] expression
//   expression  comparisons (== != < <= > >=) bind less than + -, these less than * /, these less than unary -;
//               parentheses; numbers (1, 0.5, 1e-6, inf, nan); names of inputs and of earlier statements; @name, an
//               attribute of the node (a number); @name == "text", of one that is a text; functions:
//   one         abs neg sign sqrt exp log tanh sigmoid erf sin cos tan asin acos atan sinh cosh asinh acosh atanh
//               floor ceil round (half to even) not bit_not
//   two         min max pow and or fmod (the sign is that of the first) mod (that of the second) bit_and bit_or bit_xor
//               shift_left shift_right
//   three       select(condition, where it is true, where it is false)
//   cast(x, t)  x in the type t: the name of a type, @name, whose number is that of ONNX's data type, or the name of an
//               input, whose type it is; floats go to integers towards zero
//   given(n, x) n, an input or an attribute @name, where the node has it; else x
//
// Types are bool, the integers of 8 to 64 bits, f32, f16, bf16 and f64. + - * / mod fmod neg abs sign min max and
// comparisons are of numbers of one type, == and != and select of any one type, functions of bits of integers of one
// type (shifts by a negative number go as far as those by all bits; to the right they keep the sign), the rest of
// floats. f16 and bf16 are computed with as f32, and rounded where they are stored and where a cast says so. Integers
// wrap around; their division goes towards zero and gives 0 for a division by 0. Numbers in the text take the type of
// what they meet, f32 where they meet only each other. Truth is 1 or 0 where a number is needed; a number is true where
// it is not 0. min and max give NaN where either argument is NaN.
#pragma once

#include <algorithm>
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
#include <type_traits>
#include <variant>
#include <vector>

#include "heed/data_type.hpp"
#include "heed/numeric.hpp"
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
  bit_not,
  add,
  subtract,
  multiply,
  divide,
  min,
  max,
  pow,
  mod,
  fmod,
  bit_and,
  bit_or,
  bit_xor,
  shift_left,
  shift_right,
  less,
  less_equal,
  greater,
  greater_equal,
  equal,
  not_equal,
  logical_and,
  logical_or,
  select,
  cast
};

// Which types an operation takes and gives.
enum class ExpressionTyping : uint8_t {
  leaf,     // an input or a constant
  floats,   // floats of one type to that type
  numbers,  // numbers of one type to that type
  bits,     // integers of one type to that type
  order,    // numbers of one type to truth
  match,    // any one type to truth
  truth,    // truth to truth
  choice,   // truth and two of any one type to that type
  cast
};

struct ExpressionRule {
  std::string_view name;  // as a function, or the sign of an infix operator
  int32_t argument_count;
  ExpressionTyping typing;
};

inline constexpr ExpressionRule expression_rules[] = {
    {"", 0, ExpressionTyping::leaf},
    {"", 0, ExpressionTyping::leaf},
    {"neg", 1, ExpressionTyping::numbers},
    {"abs", 1, ExpressionTyping::numbers},
    {"sign", 1, ExpressionTyping::numbers},
    {"sqrt", 1, ExpressionTyping::floats},
    {"exp", 1, ExpressionTyping::floats},
    {"log", 1, ExpressionTyping::floats},
    {"tanh", 1, ExpressionTyping::floats},
    {"sigmoid", 1, ExpressionTyping::floats},
    {"erf", 1, ExpressionTyping::floats},
    {"sin", 1, ExpressionTyping::floats},
    {"cos", 1, ExpressionTyping::floats},
    {"tan", 1, ExpressionTyping::floats},
    {"asin", 1, ExpressionTyping::floats},
    {"acos", 1, ExpressionTyping::floats},
    {"atan", 1, ExpressionTyping::floats},
    {"sinh", 1, ExpressionTyping::floats},
    {"cosh", 1, ExpressionTyping::floats},
    {"asinh", 1, ExpressionTyping::floats},
    {"acosh", 1, ExpressionTyping::floats},
    {"atanh", 1, ExpressionTyping::floats},
    {"floor", 1, ExpressionTyping::floats},
    {"ceil", 1, ExpressionTyping::floats},
    {"round", 1, ExpressionTyping::floats},
    {"not", 1, ExpressionTyping::truth},
    {"bit_not", 1, ExpressionTyping::bits},
    {"+", 2, ExpressionTyping::numbers},
    {"-", 2, ExpressionTyping::numbers},
    {"*", 2, ExpressionTyping::numbers},
    {"/", 2, ExpressionTyping::numbers},
    {"min", 2, ExpressionTyping::numbers},
    {"max", 2, ExpressionTyping::numbers},
    {"pow", 2, ExpressionTyping::floats},
    {"mod", 2, ExpressionTyping::numbers},
    {"fmod", 2, ExpressionTyping::numbers},
    {"bit_and", 2, ExpressionTyping::bits},
    {"bit_or", 2, ExpressionTyping::bits},
    {"bit_xor", 2, ExpressionTyping::bits},
    {"shift_left", 2, ExpressionTyping::bits},
    {"shift_right", 2, ExpressionTyping::bits},
    {"<", 2, ExpressionTyping::order},
    {"<=", 2, ExpressionTyping::order},
    {">", 2, ExpressionTyping::order},
    {">=", 2, ExpressionTyping::order},
    {"==", 2, ExpressionTyping::match},
    {"!=", 2, ExpressionTyping::match},
    {"and", 2, ExpressionTyping::truth},
    {"or", 2, ExpressionTyping::truth},
    {"select", 3, ExpressionTyping::choice},
    {"cast", 1, ExpressionTyping::cast},
};
static_assert(std::size(expression_rules) == static_cast<size_t>(ExpressionOp::cast) + 1);

constexpr ExpressionRule rule_of(ExpressionOp op) { return expression_rules[static_cast<size_t>(op)]; }

// The types of which expressions are; f32 is the first.
inline constexpr DataType expression_types[] = {
    DataType::f32, DataType::boolean, DataType::f16, DataType::bf16, DataType::f64, DataType::i8, DataType::i16,
    DataType::i32, DataType::i64,     DataType::u8,  DataType::u16,  DataType::u32, DataType::u64};
inline bool is_expression_type(DataType type) {
  return std::find(std::begin(expression_types), std::end(expression_types), type) != std::end(expression_types);
}
// Whether steps of a type are computed with as f32.
constexpr bool is_computed_as_f32(DataType type) {
  return type == DataType::f32 || type == DataType::f16 || type == DataType::bf16;
}

// One step of a program; its result is known by its place. Arguments are earlier steps.
struct ExpressionStep {
  ExpressionOp op = ExpressionOp::constant;
  DataType type = DataType::f32;      // of its result; undefined: a number that takes the type of what it meets
  uint32_t arguments[3] = {0, 0, 0};  // of `input`: which one, in the first place
  double number = 0;                  // of `constant`, where it is a float
  int64_t integer = 0;                // of `constant`, where it is an integer or truth; the bits of a u64
};

namespace detail {

// What functions of floats give.
template <class T>
T apply_function(ExpressionOp op, T a, T b) {
  switch (op) {
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
    case ExpressionOp::pow:
      return std::pow(a, b);
    default:
      return 0;
  }
}

template <class T>
T divide(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return a / b;
  if (b == 0) return 0;
  if constexpr (std::is_signed_v<T>)
    if (b == -1) return static_cast<T>(0 - static_cast<uint64_t>(a));
  return a / b;
}

template <class T>
T remainder(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return std::fmod(a, b);
  const auto multiple = static_cast<uint64_t>(divide(a, b)) * static_cast<uint64_t>(b);
  return b == 0 ? 0 : static_cast<T>(static_cast<uint64_t>(a) - multiple);
}

// The remainder with the sign of b.
template <class T>
T modulo(T a, T b) {
  const T rest = remainder(a, b);
  if constexpr (std::is_floating_point_v<T>)
    if (rest == 0) return std::copysign(rest, b);
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

// What functions of bits give; those above the bits of the type go when it is wrapped.
template <class T>
T apply_to_bits(ExpressionOp op, T a, T b) {
  const bool is_within = b >= 0 && b < 64;
  switch (op) {
    case ExpressionOp::bit_not:
      return ~a;
    case ExpressionOp::bit_and:
      return a & b;
    case ExpressionOp::bit_or:
      return a | b;
    case ExpressionOp::bit_xor:
      return a ^ b;
    case ExpressionOp::shift_left:
      return is_within ? static_cast<T>(static_cast<uint64_t>(a) << b) : 0;
    case ExpressionOp::shift_right:
      return a >> (is_within ? b : 63) >> (is_within ? 0 : 1);
    default:
      return 0;
  }
}

}  // namespace detail

// What a step gives for numbers, truth being 1 or 0; T is float, double, int64_t or uint64_t. Integers wrap around
// at 64 bits. The reference that kernels are compared with.
template <class T>
T apply(ExpressionOp op, T a, T b = 0, T c = 0) {
  using Wrapping = std::conditional_t<std::is_integral_v<T>, uint64_t, T>;
  const auto x = static_cast<Wrapping>(a), y = static_cast<Wrapping>(b);
  switch (op) {
    case ExpressionOp::input:
    case ExpressionOp::constant:
    case ExpressionOp::cast:
      return a;
    case ExpressionOp::negative:
      return static_cast<T>(-x);
    case ExpressionOp::absolute:
      if constexpr (std::is_floating_point_v<T>) return std::fabs(a);
      return a < 0 ? static_cast<T>(-x) : a;
    case ExpressionOp::sign:
      return a > 0 ? T{1} : a < 0 ? static_cast<T>(-1) : a;
    case ExpressionOp::add:
      return static_cast<T>(x + y);
    case ExpressionOp::subtract:
      return static_cast<T>(x - y);
    case ExpressionOp::multiply:
      return static_cast<T>(x * y);
    case ExpressionOp::divide:
      return detail::divide(a, b);
    case ExpressionOp::mod:
      return detail::modulo(a, b);
    case ExpressionOp::fmod:
      return detail::remainder(a, b);
    case ExpressionOp::min:
      return b < a || b != b ? b : a;
    case ExpressionOp::max:
      return b > a || b != b ? b : a;
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
    case ExpressionOp::logical_not:
      return a == 0;
    case ExpressionOp::logical_and:
      return a != 0 && b != 0;
    case ExpressionOp::logical_or:
      return a != 0 || b != 0;
    case ExpressionOp::select:
      return a != 0 ? b : c;
    default:
      if constexpr (std::is_floating_point_v<T>)
        return detail::apply_function(op, a, b);
      else
        return detail::apply_to_bits(op, a, b);
  }
}

// The number that the low bits of an integer stand for in a type of integers: what wraps around. Of u64 the bits.
inline int64_t wrapped(DataType type, int64_t integer) {
  switch (type) {
    case DataType::i8:
      return static_cast<int8_t>(integer);
    case DataType::i16:
      return static_cast<int16_t>(integer);
    case DataType::i32:
      return static_cast<int32_t>(integer);
    case DataType::u8:
      return static_cast<uint8_t>(integer);
    case DataType::u16:
      return static_cast<uint16_t>(integer);
    case DataType::u32:
      return static_cast<uint32_t>(integer);
    default:
      return integer;
  }
}

class Expression {
 public:
  // The steps in order; the last one is the result. Equal steps are one, and what depends on f32 constants alone is
  // computed.
  const std::vector<ExpressionStep>& steps() const { return steps_; }
  uint32_t result() const { return result_; }
  DataType type() const { return steps_[result_].type; }
  // How many steps compute something.
  size_t operation_count() const {
    size_t count = 0;
    for (const auto& step : steps_) count += rule_of(step.op).argument_count > 0;
    return count;
  }

  uint32_t add_input(uint32_t index, DataType type = DataType::f32) {
    return add({.op = ExpressionOp::input, .type = type, .arguments = {index, 0, 0}});
  }
  uint32_t add_float(DataType type, double number) { return add({.type = type, .number = number}); }
  uint32_t add_constant(DataType type, int64_t integer) { return add({.type = type, .integer = integer}); }
  // A number whose type is that of what it meets; the integer that it is may be told exactly.
  uint32_t add_number(double number, int64_t integer) {
    return add({.type = DataType::undefined, .number = number, .integer = integer});
  }
  uint32_t add_number(double number) {
    return add_number(number, std::fabs(number) < 0x1p62 ? static_cast<int64_t>(number) : 0);
  }
  // Fails where the operation does not take these types.
  Result<uint32_t> add_operation(ExpressionOp op, uint32_t a, uint32_t b = 0, uint32_t c = 0) {
    const auto& rule = rule_of(op);
    uint32_t arguments[3] = {a, rule.argument_count > 1 ? b : 0, rule.argument_count > 2 ? c : 0};
    const std::span alike(arguments + (rule.typing == ExpressionTyping::choice),
                          arguments + rule.argument_count);  // have one type
    if (alike.size() == static_cast<size_t>(rule.argument_count) && are_numbers(alike) &&
        rule.typing != ExpressionTyping::bits)
      return add_number(op, a, b);
    HEED_ASSIGN(const DataType type, common_type(rule, alike));
    for (uint32_t& argument : alike) {
      HEED_ASSIGN(argument, add_as(argument, type));
    }
    if (rule.typing == ExpressionTyping::choice) {
      HEED_ASSIGN(arguments[0], add_as(a, DataType::boolean));
    }
    const bool is_truth = rule.typing == ExpressionTyping::order || rule.typing == ExpressionTyping::match;
    return add_folded({.op = op,
                       .type = is_truth ? DataType::boolean : type,
                       .arguments = {arguments[0], arguments[1], arguments[2]}});
  }
  Result<uint32_t> add_cast(uint32_t from, DataType type) {
    if (!is_expression_type(type))
      return Error{Code::unsupported, "expressions are not of " + std::string(name_of(type))};
    const DataType own = steps_[from].type;
    if (steps_[from].op == ExpressionOp::constant && is_integer(own) && own != DataType::u64 && is_float(type))
      return add_as(add_number(static_cast<double>(steps_[from].integer)), type);
    const auto is_number = [](DataType t) { return t != DataType::undefined && t != DataType::boolean; };
    if (own != type && is_number(own) && is_number(type))
      return add({.op = ExpressionOp::cast, .type = type, .arguments = {from, 0, 0}});
    return add_as(from, type);
  }
  // All of another expression, with these steps, of the same types, in the place of its inputs; gives the step that is
  // its result.
  uint32_t add_expression(const Expression& other, std::span<const uint32_t> inputs) {
    std::vector<uint32_t> places;
    for (auto step : other.steps_) {
      for (int32_t k = 0; k < rule_of(step.op).argument_count; ++k) step.arguments[k] = places[step.arguments[k]];
      places.push_back(step.op == ExpressionOp::input ? inputs[step.arguments[0]] : add_folded(step));
    }
    return result_ = places[other.result_];
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

  // What f32 inputs give, all steps being of f32 or truth.
  float evaluate(std::span<const float> inputs) const {
    std::vector<float> values;
    for (const auto& step : steps_) {
      if (step.op == ExpressionOp::input)
        values.push_back(inputs[step.arguments[0]]);
      else if (step.op == ExpressionOp::constant)
        values.push_back(step.type == DataType::f32 ? static_cast<float>(step.number)
                                                    : static_cast<float>(step.integer));
      else
        values.push_back(
            heed::apply(step.op, values[step.arguments[0]], values[step.arguments[1]], values[step.arguments[2]]));
    }
    return values[result_];
  }

  // A step in another type, as far as that goes without a cast.
  Result<uint32_t> add_as(uint32_t from, DataType type) {
    const ExpressionStep step = steps_[from];
    if (step.type == type) return from;
    if (step.type == DataType::undefined) {
      if (is_float(type)) return add_float(type, type == DataType::f64 ? step.number : static_cast<float>(step.number));
      if (type == DataType::boolean) return add_constant(type, step.number != 0);
      const double stands_for = type == DataType::u64 ? static_cast<double>(static_cast<uint64_t>(step.integer))
                                                      : static_cast<double>(wrapped(type, step.integer));
      if (stands_for != step.number)
        return Error{Code::invalid_argument, std::to_string(step.number) + " is no " + std::string(name_of(type))};
      return add_constant(type, step.integer);
    }
    if (type == DataType::boolean) return add_operation(ExpressionOp::not_equal, from, add_number(0, 0));
    if (step.type == DataType::boolean) {
      HEED_ASSIGN(const uint32_t one, add_as(add_number(1, 1), type));
      HEED_ASSIGN(const uint32_t zero, add_as(add_number(0, 0), type));
      return add_operation(ExpressionOp::select, from, one, zero);
    }
    return Error{Code::invalid_argument,
                 std::string(name_of(step.type)) + " stands where " + std::string(name_of(type)) + " is expected"};
  }

 private:
  using Key = std::tuple<ExpressionOp, DataType, uint32_t, uint32_t, uint32_t, uint64_t, int64_t>;
  static Key key_of(const ExpressionStep& step) {
    uint64_t bits = 0;
    static_assert(sizeof bits == sizeof step.number);
    __builtin_memcpy(&bits, &step.number, sizeof bits);
    return {step.op, step.type, step.arguments[0], step.arguments[1], step.arguments[2], bits, step.integer};
  }
  uint32_t add(const ExpressionStep& step) {
    const auto [place, is_new] = known_.emplace(key_of(step), static_cast<uint32_t>(steps_.size()));
    if (is_new) steps_.push_back(step);
    return result_ = place->second;
  }

  // What constants alone give is a constant, for floats; a select of which the outcome is known is that.
  uint32_t add_folded(const ExpressionStep& step) {
    const auto& rule = rule_of(step.op);
    const auto constant = [&](uint32_t argument) { return steps_[argument].op == ExpressionOp::constant; };
    const std::span arguments(step.arguments, step.arguments + rule.argument_count);
    if (step.op == ExpressionOp::select && arguments[1] == arguments[2]) return result_ = arguments[1];
    if (step.op == ExpressionOp::select && constant(arguments[0]))
      return result_ = arguments[steps_[arguments[0]].integer ? 1 : 2];
    const bool folds = is_float(step.type) && !arguments.empty() &&
                       (rule.typing == ExpressionTyping::floats || rule.typing == ExpressionTyping::numbers) &&
                       std::all_of(arguments.begin(), arguments.end(), constant);
    if (!folds) return add(step);
    const double a = steps_[step.arguments[0]].number, b = steps_[step.arguments[1]].number;
    return add_float(step.type, step.type == DataType::f64
                                    ? apply(step.op, a, b)
                                    : apply(step.op, static_cast<float>(a), static_cast<float>(b)));
  }
  // What numbers of no type yet give.
  uint32_t add_number(ExpressionOp op, uint32_t a, uint32_t b) {
    const double number = apply(op, steps_[a].number, steps_[b].number);
    if (op == ExpressionOp::negative) return add_number(number, apply(op, steps_[a].integer));
    return add_number(number);
  }
  bool are_numbers(std::span<const uint32_t> steps) const {
    return std::all_of(steps.begin(), steps.end(),
                       [&](uint32_t step) { return steps_[step].type == DataType::undefined; });
  }
  // The type that the arguments of an operation have in common.
  Result<DataType> common_type(const ExpressionRule& rule, std::span<const uint32_t> arguments) const {
    if (rule.typing == ExpressionTyping::truth) return DataType::boolean;
    DataType common = DataType::undefined;
    bool has_truth = false;
    for (const uint32_t argument : arguments) {
      const DataType type = steps_[argument].type;
      has_truth = has_truth || type == DataType::boolean;
      if (type == DataType::undefined || type == DataType::boolean) continue;
      if (common != DataType::undefined && common != type)
        return Error{Code::invalid_argument, "'" + std::string(rule.name) + "' of " + std::string(name_of(common)) +
                                                 " and " + std::string(name_of(type))};
      common = type;
    }
    const bool takes_truth = rule.typing == ExpressionTyping::match || rule.typing == ExpressionTyping::choice;
    if (common == DataType::undefined) common = has_truth && takes_truth ? DataType::boolean : DataType::f32;
    if (rule.typing == ExpressionTyping::floats && !is_float(common))
      return Error{Code::invalid_argument,
                   "'" + std::string(rule.name) + "' takes floats, not " + std::string(name_of(common))};
    if (rule.typing == ExpressionTyping::bits && !is_integer(common))
      return Error{Code::invalid_argument,
                   "'" + std::string(rule.name) + "' takes integers, not " + std::string(name_of(common))};
    return common;
  }

  std::vector<ExpressionStep> steps_;
  std::map<Key, uint32_t> known_;
  uint32_t result_ = 0;
};

struct ExpressionInput {
  std::string_view name;  // empty: one that the node leaves out
  DataType type = DataType::f32;
};

// What @name stands for: a number, or a text to compare with.
using ExpressionAttribute = std::variant<double, std::string_view>;
using ExpressionAttributes = std::function<std::optional<ExpressionAttribute>(std::string_view name)>;

namespace detail {

// Recursive descent over characters.
class ExpressionParser {
 public:
  ExpressionParser(std::string_view text, std::span<const ExpressionInput> inputs,
                   const ExpressionAttributes& attributes)
      : text_(text), inputs_(inputs), attributes_(attributes) {}

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
    if (expression_.steps()[result].type == DataType::undefined) result = *expression_.add_as(result, DataType::f32);
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
      HEED_ASSIGN(left, operation(op, left, right));
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
      HEED_ASSIGN(left, operation(plus ? ExpressionOp::add : ExpressionOp::subtract, left, right));
    }
  }
  Result<uint32_t> product() {
    HEED_ASSIGN(uint32_t left, factor());
    for (;;) {
      const bool times = take("*");
      if (!times && !take("/")) return left;
      HEED_ASSIGN(const uint32_t right, factor());
      HEED_ASSIGN(left, operation(times ? ExpressionOp::multiply : ExpressionOp::divide, left, right));
    }
  }
  Result<uint32_t> factor() {
    if (expression_.steps().size() > step_limit)
      return fail("it has more than " + std::to_string(step_limit) + " steps");
    if (take("-")) {
      if (++depth_ > depth_limit) return fail("it is nested too deep");
      HEED_ASSIGN(const uint32_t operand, factor());
      --depth_;
      return operation(ExpressionOp::negative, operand);
    }
    if (take("(")) {
      HEED_ASSIGN(const uint32_t inner, comparison());
      if (!take(")")) return fail("expected ')'");
      return inner;
    }
    skip();
    if (position_ < text_.size() && (is_digit(text_[position_]) || text_[position_] == '.')) {
      double number = 0;
      const char *begin = text_.data() + position_, *text_end = text_.data() + text_.size();
      const auto [end, error] = std::from_chars(begin, text_end, number);
      if (error != std::errc()) return fail("expected a number");
      position_ = static_cast<size_t>(end - text_.data());
      uint64_t integer = 0;  // 2^63 wraps around: its negative is an i64
      const auto whole = std::from_chars(begin, end, integer);
      const bool is_whole = whole.ptr == end && whole.ec == std::errc();
      return is_whole ? expression_.add_number(number, static_cast<int64_t>(integer)) : expression_.add_number(number);
    }
    if (take("@")) {
      const size_t start = position_;
      const std::string_view name = word();
      HEED_ASSIGN(const auto value, attribute(name));
      if (value) return *value;
      position_ = start;
      return fail("there is no attribute '" + std::string(name) + "' that is a number or compared with a text");
    }
    const size_t start = position_;
    const std::string_view name = word();
    if (name.empty()) return fail("expected a number, a name or '('");
    if (take("(")) return name == "given" ? given() : call(name, start);
    if (const auto made = names_.find(name); made != names_.end()) return made->second;
    HEED_ASSIGN(const auto there, input(name));
    if (there) return *there;
    if (name == "inf") return expression_.add_number(std::numeric_limits<float>::infinity());
    if (name == "nan") return expression_.add_number(std::numeric_limits<float>::quiet_NaN());
    position_ = start;
    return fail("'" + std::string(name) + "' is no input and was not made before");
  }
  // The input of this name, if there is one.
  Result<std::optional<uint32_t>> input(std::string_view name) {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (inputs_[i].name != name) continue;
      if (!is_expression_type(inputs_[i].type))
        return fail("'" + std::string(name) + "' is " + std::string(name_of(inputs_[i].type)));
      return std::optional(expression_.add_input(static_cast<uint32_t>(i), inputs_[i].type));
    }
    return std::optional<uint32_t>();
  }
  // The attribute of this name, if there is one: its number, or whether it is the text that it is compared with here.
  Result<std::optional<uint32_t>> attribute(std::string_view name) {
    const auto value = attributes_ ? attributes_(name) : std::nullopt;
    if (!value) return std::optional<uint32_t>();
    if (const auto* number = std::get_if<double>(&*value)) return std::optional(expression_.add_number(*number));
    if (!take("==") || !take("\"")) return std::optional<uint32_t>();
    const size_t end = std::min(text_.find('"', position_), text_.size());
    const bool is_equal = text_.substr(position_, end - position_) == std::get<std::string_view>(*value);
    position_ = std::min(end + 1, text_.size());
    return std::optional(expression_.add_constant(DataType::boolean, is_equal));
  }
  Result<uint32_t> given() {
    const bool is_attribute = take("@");
    const std::string_view name = word();
    HEED_ASSIGN(const auto value, is_attribute ? attribute(name) : input(name));
    if (!take(",")) return fail("expected ',': given takes 2");
    HEED_ASSIGN(const uint32_t otherwise, comparison());
    if (!take(")")) return fail("expected ')': given takes 2");
    return value ? *value : otherwise;
  }
  Result<uint32_t> call(std::string_view name, size_t start) {
    for (size_t op = static_cast<size_t>(ExpressionOp::negative); op < std::size(expression_rules); ++op) {
      const auto& rule = expression_rules[op];
      if (rule.name != name) continue;
      uint32_t arguments[3] = {};
      if (rule.typing == ExpressionTyping::cast) return cast();
      for (int32_t i = 0; i < rule.argument_count; ++i) {
        if (i > 0 && !take(","))
          return fail("expected ',': " + std::string(name) + " takes " + std::to_string(rule.argument_count));
        HEED_ASSIGN(arguments[i], comparison());
      }
      if (!take(")"))
        return fail("expected ')': " + std::string(name) + " takes " + std::to_string(rule.argument_count));
      return operation(static_cast<ExpressionOp>(op), arguments[0], arguments[1], arguments[2]);
    }
    position_ = start;
    return fail("there is no function '" + std::string(name) + "'");
  }

  Result<uint32_t> cast() {
    HEED_ASSIGN(const uint32_t from, comparison());
    if (!take(",")) return fail("expected ',': cast takes 2");
    skip();
    const bool is_attribute = take("@");
    const std::string_view name = word();
    DataType type = DataType::undefined;
    if (is_attribute) {
      const auto value = attributes_ ? attributes_(name) : std::nullopt;
      if (value && std::holds_alternative<double>(*value))
        type = static_cast<DataType>(static_cast<int32_t>(std::get<double>(*value)));
    } else {
      for (const ExpressionInput& input : inputs_)
        if (input.name == name) type = input.type;
      for (const DataType known : expression_types)
        if (name_of(known) == name) type = known;
    }
    if (type == DataType::undefined) return fail("'" + std::string(name) + "' is no type");
    if (!take(")")) return fail("expected ')': cast takes 2");
    return checked(expression_.add_cast(from, type));
  }
  Result<uint32_t> operation(ExpressionOp op, uint32_t a, uint32_t b = 0, uint32_t c = 0) {
    return checked(expression_.add_operation(op, a, b, c));
  }
  Result<uint32_t> checked(Result<uint32_t> made) const {
    if (!made) return fail(made.error().message);
    return made;
  }

  std::string_view text_;
  std::span<const ExpressionInput> inputs_;
  const ExpressionAttributes& attributes_;
  size_t position_ = 0;
  int depth_ = 0;
  Expression expression_;
  std::map<std::string, uint32_t, std::less<>> names_;
};

inline bool is_infix(ExpressionOp op) {
  const char first = rule_of(op).name.empty() ? 'a' : rule_of(op).name[0];
  return !(first >= 'a' && first <= 'z');
}

inline std::string text_of_number(double number, DataType type) {
  if (number != number) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  char text[32];
  std::snprintf(text, sizeof text, type == DataType::f64 ? "%.17g" : "%.9g", number);
  return text;
}

inline std::string text_of_constant(const ExpressionStep& step) {
  if (is_float(step.type)) return text_of_number(step.number, step.type);
  return step.type == DataType::u64 ? std::to_string(static_cast<uint64_t>(step.integer))
                                    : std::to_string(step.integer);
}

}  // namespace detail

// Inputs are known by these names; `attributes` gives what @name stands for, or nothing. Fails with invalid_argument
// and the column.
inline Result<Expression> parse_expression(std::string_view text, std::span<const ExpressionInput> inputs,
                                           const ExpressionAttributes& attributes = {}) {
  return detail::ExpressionParser(text, inputs, attributes).parse();
}

// An expression over inputs x0, x1, ... of these types: how fused nodes hold theirs.
inline Result<Expression> parse_fused_expression(std::string_view text, std::span<const DataType> types) {
  std::vector<std::string> names;
  for (size_t i = 0; i < types.size(); ++i) names.push_back("x" + std::to_string(i));
  std::vector<ExpressionInput> inputs;
  for (size_t i = 0; i < types.size(); ++i) inputs.push_back({names[i], types[i]});
  return parse_expression(text, inputs);
}

// That of a fused node, in any phase (a NodeView).
template <class Node>
Result<Expression> fused_expression_of(const Node& node) {
  std::vector<DataType> types;
  for (int32_t i = 0; i < node.input_count(); ++i) types.push_back(node.input(i).element());
  return parse_fused_expression(node.text("expression"), types);
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
      names[i] = step.type == DataType::f32
                     ? detail::text_of_constant(step)
                     : "cast(" + detail::text_of_constant(step) + ", " + std::string(name_of(step.type)) + ")";
    const int32_t count = rule_of(step.op).argument_count;
    if (count == 0 && i != expression.result()) continue;
    std::string value = names[i];
    const auto argument = [&](int32_t k) { return names[step.arguments[k]]; };
    if (count == 2 && detail::is_infix(step.op)) {
      value = argument(0) + " " + std::string(rule_of(step.op).name) + " " + argument(1);
    } else if (count > 0) {
      value = std::string(rule_of(step.op).name) + "(" + argument(0);
      for (int32_t k = 1; k < count; ++k) value += ", " + argument(k);
      if (step.op == ExpressionOp::cast) value += ", " + std::string(name_of(step.type));
      value += ")";
    }
    names[i] = i == expression.result() ? "y" : "t" + std::to_string(made++);
    text += (text.empty() ? "" : "; ") + names[i] + " = " + value;
  }
  return text;
}

}  // namespace heed
