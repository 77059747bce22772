// What com.microsoft's attention operators take alike: com_microsoft_attention_inputs.hpp.
#include "com_microsoft_attention_inputs.hpp"

#include "shapes.hpp"

namespace heed::ops {

Result<Dim> check_past(Inference& node, int32_t past_key_input, const PastSizes& sizes) {
  const int32_t past_value_input = past_key_input + 1;
  if (node.has_input(past_key_input) != node.has_input(past_value_input))
    return Error{Code::invalid_model, "past_key and past_value come together"};
  if (!node.has_input(past_key_input)) return Dim(0);
  std::optional<Dim> places;
  for (const int32_t input : {past_key_input, past_value_input}) {
    HEED_TRY(node.require_rank(input, 4));
    const auto past = node.input(input);
    if (!past.has_rank()) continue;
    const bool is_key = input == past_key_input;
    const std::string name = is_key ? "past_key" : "past_value";
    HEED_TRY(node.require_equal(past.dim(0), sizes.batch, "batch of query and " + name));
    HEED_TRY(
        node.require_equal(past.dim(1), sizes.heads, "heads of " + name + " and " + std::string(sizes.heads_name)));
    HEED_TRY(node.require_equal(past.dim(3), is_key ? sizes.width : sizes.value_width, "width of a head of " + name));
    if (places) HEED_TRY(node.require_equal(past.dim(2), *places, "lengths of past_key and past_value"));
    if (!places) places = past.dim(2);
  }
  return places ? *places : node.fresh_symbol("past");
}

std::string present_text(const std::string& present, const std::string& made, int64_t heads, const std::string& places,
                         int64_t width) {
  return present + " = Reshape(" + made + ", Concat<axis = 0>(Shape<start = 0, end = 1>(query), " +
         constant_ints({heads}) + ", " + places + ", " + constant_ints({width}) + "));";
}

Result<void> check_scores_bias(Inference& node, int32_t input, const Dims& weights) {
  if (!node.has_input(input)) return {};
  HEED_TRY(node.require_rank(input, 4));
  const auto bias = node.input(input);
  for (size_t axis = 0; bias.has_rank() && axis < weights.size(); ++axis) {
    const Dim size = bias.dim(static_cast<int32_t>(axis)), whole = weights[axis];
    const Dim met = axis < 2 ? select(equal(size, 1), whole, size) : axis == 3 ? max(size, whole) : size;
    HEED_TRY(node.require_equal(met, whole,
                                "axis " + std::to_string(axis) + " of attention_bias and of " + text_of(weights)));
  }
  return {};
}

MaskInputs mask_inputs(Match& match, Dim batch, float filter, bool adds, const std::string& keys,
                       const std::string& past) {
  constexpr float hides = -10000;
  MaskInputs inputs;
  const auto mask = match.type("mask");
  const bool has_bias = match.type("bias_of_scores").has_value();
  if (has_bias) inputs.mask = "bias_of_scores";
  if (!mask) return inputs;
  adds = adds || has_bias || filter > hides;

  if (mask->rank() == 1) {
    const bool has_begins = mask->dim(0) == batch * 2;
    if (mask->dim(0) == batch) {
      inputs.text += "ends = Identity(mask);";
    } else {
      inputs.text += "batch_of_keys = Shape<start = 0, end = 1>(" + keys + "); ends = Slice(mask, " +
                     constant_ints({0}) + ", batch_of_keys);";
      if (has_begins)
        inputs.text += "begins = Slice(mask, batch_of_keys, Mul(batch_of_keys, " + constant_ints({2}) + "));";
    }
    if (!adds && !has_begins) {
      inputs.valid = "ends";
      return inputs;
    }
    inputs.text +=
        "zero = Constant<value_int = 0>(); one = Constant<value_int = 1>(); new_keys = Squeeze(Shape<start = 2, end = "
        "3>(" +
        keys + "));";
    inputs.text += past.empty() ? "all_keys = Identity(new_keys);" : "all_keys = Add(new_keys, Squeeze(" + past + "));";
    inputs.text += "places = Range(zero, all_keys, one); far = " + constant_ints({1, 2, 3}) + ";";
    inputs.text +=
        std::string(has_begins ? "before_end" : "seen") + " = Less(places, Unsqueeze(Cast<to = 7>(ends), far));";
    if (has_begins)
      inputs.text += "seen = And(before_end, GreaterOrEqual(places, Unsqueeze(Cast<to = 7>(begins), far)));";
  } else if (mask->rank() == 4) {
    inputs.text +=
        "one_axis = " + constant_ints({0}) +
        "; first_query = Unsqueeze(first_place, one_axis); new_keys = Shape<start = 2, end = 3>(" + keys + ");" +
        (past.empty() ? "all_keys = Identity(new_keys);" : "all_keys = Add(new_keys, " + past + ");") +
        "rows = Slice(mask, first_query, Add(first_query, new_keys), " + constant_ints({2}) +
        "); places = Slice(rows, one_axis, all_keys, " + constant_ints({3}) + "); seen = Cast<to = 9>(places);";
  } else {
    inputs.text += "seen = Unsqueeze(Cast<to = 9>(mask), " +
                   (mask->rank() == 2 ? constant_ints({1, 2}) : constant_ints({1})) + ");";
  }
  if (!adds) {
    inputs.mask = "seen";
    return inputs;
  }
  match.set("filter", filter);
  inputs.text += "none_added = CastLike(Constant<value_float = 0.0>(), " + keys +
                 "); filter = CastLike(Constant<value_float = @filter>(), " + keys +
                 "); added = Where(seen, none_added, filter);";
  if (has_bias) inputs.text += "biased = Add(bias_of_scores, added);";
  inputs.mask = has_bias ? "biased" : "added";
  return inputs;
}

}  // namespace heed::ops
