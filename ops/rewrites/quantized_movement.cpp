// Tensors that are dequantised, moved and quantised again are moved as codes: QuantizeLinear goes before what moves, and
// meets the DequantizeLinear. Of one scale and zero point both are nothing; else codes become others, element by element.
// Concatenated parts, each on its own scale -> com.microsoft.QLinearConcat.
#include <deque>
#include <string>

#include "../lowering.hpp"
#include "../quantized_text.hpp"
#include "dequantized.hpp"

namespace heed::ops {
namespace {

bool is_one(const std::optional<TypeView>& type) {
  return type && type->has_rank() && type->rank() <= 1 && count_of(type->dims()).is_number(1);
}
bool is_byte(const std::optional<TypeView>& type) {
  return type && type->has_element() && (type->element() == DataType::i8 || type->element() == DataType::u8);
}

// Of one scale, as y has it, whose quotients are rounded to f32.
bool is_plainly_quantized(Match& match) {
  const auto node = match.node("y");
  const auto precision = static_cast<DataType>(node.integer("precision", 0));
  const auto scale = match.type("y_scale");
  return is_one(scale) && scale->element() == DataType::f32 && node.integer("block_size", 0) == 0 &&
         (precision == DataType::undefined || precision == DataType::f32);
}

// ---- before what moves

struct Movement {
  const char *result, *op_type, *inputs, *attribute;
};
constexpr Movement movements[] = {{"reshaped", "Reshape", ", shape", "allowzero"}, {"transposed", "Transpose", "", "perm"},
                                  {"squeezed", "Squeeze", ", axes", ""},           {"unsqueezed", "Unsqueeze", ", axes", ""},
                                  {"flattened", "Flatten", "", "axis"}};

std::vector<std::string_view> moved_patterns() {
  static const auto texts = [] {
    std::deque<std::string> made;
    for (const Movement& m : movements)
      made.push_back(std::string(m.result) + " = " + m.op_type + "(x" + m.inputs + "); y = QuantizeLinear(" + m.result +
                     ", y_scale, y_zero)");
    return made;
  }();
  return {texts.begin(), texts.end()};
}

bool accept_moved(Match& match) {
  if (!is_byte(match.type("y")) || !is_plainly_quantized(match)) return false;
  const auto* m = std::find_if(std::begin(movements), std::end(movements),
                               [&](const Movement& each) { return match.type(each.result).has_value(); });
  if (match.node(m->result).has_attribute("axes")) return false;  // an input since opset 13
  const std::string attributes = carried(match, match.node(m->result), {m->attribute});
  const std::string quantize = "QuantizeLinear" + carried(match, match.node("y"), {"output_dtype"});
  const auto moved = [&](const std::string& what) { return m->op_type + attributes + "(" + what + m->inputs + ")"; };
  match.replace_by(std::string(m->result) + " = " + moved("x") + "; codes = " + quantize +
                   "(x, y_scale, y_zero); y = " + moved("codes"));
  return true;
}

// ---- after DequantizeLinear

bool accept_dequantized(Match& match) {
  const auto x = match.type("x"), y = match.type("y");
  if (!is_byte(x) || !is_byte(y) || !x->has_rank() || !is_plainly_quantized(match) ||
      !is_plainly_dequantized(match, "d", "x_scale") || !is_one(match.type("x_scale")) ||
      match.type("x_scale")->element() != DataType::f32 || !have_ranks(match, {"x_zero", "y_zero"}))
    return false;
  const bool has_same_zeros = match.type("x_zero") ? match.type("y_zero") && are_same(match, "x_zero", "y_zero")
                                                   : !match.type("y_zero");
  const bool is_same = x->element() == y->element() && has_same_zeros && are_same(match, "x_scale", "y_scale");
  match.replace_by(dequantized_again(match, "d", "x, x_scale, x_zero") + "y = " +
                   (is_same ? "Identity(x)"
                            : codes_of(match, numbers_of(match, "x", "x_scale", "x_zero"), "y_scale", "y_zero", y->element())));
  return true;
}

// An axis more, of codes: what is concatenated or quantised behind meets the DequantizeLinear.
bool accept_unsqueezed(Match& match) {
  if (match.constant("x") || !is_byte(match.type("x")) || !is_one(match.type("x_scale")) ||
      !is_plainly_dequantized(match, "d", "x_scale") || match.node("y").has_attribute("axes"))
    return false;
  match.replace_by(dequantized_again(match, "d", "x, x_scale, x_zero") +
                   "y = DequantizeLinear(Unsqueeze(x, axes), x_scale, x_zero)");
  return true;
}

// ---- parts

constexpr int32_t most_parts = 8;
std::string of_part(const char* name, int32_t part) { return name + std::to_string(part); }

std::vector<std::string_view> parts_patterns() {
  static const auto texts = [] {
    std::deque<std::string> made;
    for (int32_t count = 2; count <= most_parts; ++count) {
      std::string parts, text;
      for (int32_t part = 0; part < count; ++part) {
        text += of_part("d", part) + " = DequantizeLinear(" + of_part("x", part) + ", " + of_part("scale", part) + ", " +
                of_part("zero", part) + "); ";
        parts += (part ? ", " : "") + of_part("d", part);
      }
      made.push_back(text + "c = Concat(" + parts + "); y = QuantizeLinear(c, y_scale, y_zero)");
    }
    return made;
  }();
  return {texts.begin(), texts.end()};
}

bool accept_parts(Match& match) {
  const auto y = match.type("y");
  if (!is_byte(y) || !match.type("y_zero") || !is_plainly_quantized(match)) return false;
  std::string text, parts, numbers;
  for (int32_t part = 0; part < most_parts && match.type(of_part("d", part)); ++part) {
    const auto d = of_part("d", part), x = of_part("x", part), scale = of_part("scale", part), zero = of_part("zero", part);
    const auto scale_type = match.type(scale);
    if (!match.type(x)->has_element() || match.type(x)->element() != y->element() || !match.type(zero) || !is_one(scale_type) ||
        scale_type->element() != DataType::f32 || !is_plainly_dequantized(match, d, scale))
      return false;
    text += dequantized_again(match, d, x + ", " + scale + ", " + zero);
    parts += ", " + x + ", " + scale + ", " + zero;
    numbers += (part ? ", " : "") + d;
  }
  match.set("axis", match.node("c").integer("axis", 1));
  match.replace_by(text + "c = Concat<axis = @axis>(" + numbers +
                   "); y = com.microsoft.QLinearConcat<axis = @axis>(y_scale, y_zero" + parts + ")");
  return true;
}

}  // namespace

extern const Rewrite quantized_parts{
    .name = "quantized_parts", .patterns = parts_patterns(), .replacement = "", .accept = accept_parts};

extern const Rewrite quantized_before_moved{
    .name = "quantized_before_moved", .patterns = moved_patterns(), .replacement = "", .accept = accept_moved};

extern const Rewrite unsqueezed_codes{.name = "unsqueezed_codes",
                                      .patterns = {"d = DequantizeLinear(x, x_scale, x_zero); y = Unsqueeze(d, axes)"},
                                      .replacement = "",
                                      .accept = accept_unsqueezed};

extern const Rewrite requantized{
    .name = "requantized",
    .patterns = {"d = DequantizeLinear(x, x_scale, x_zero); y = QuantizeLinear(d, y_scale, y_zero)"},
    .replacement = "",
    .accept = accept_dequantized};

}  // namespace heed::ops
