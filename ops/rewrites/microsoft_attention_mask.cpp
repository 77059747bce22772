// The masks of com.microsoft's attention operators, as heed.Attention's: microsoft_attention.hpp.
#include "microsoft_attention.hpp"

namespace heed::ops {

MaskInputs mask_inputs(Match& match, Dim batch, float filter, bool adds, const std::string& keys,
                       const std::string& past_keys) {
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
    if (past_keys.empty())
      inputs.text += "all_keys = Identity(new_keys);";
    else
      inputs.text += "all_keys = Add(new_keys, Squeeze(Shape<start = 2, end = 3>(" + past_keys + ")));";
    inputs.text += "places = Range(zero, all_keys, one); far = " + constant_ints({1, 2, 3}) + ";";
    inputs.text +=
        std::string(has_begins ? "before_end" : "seen") + " = Less(places, Unsqueeze(Cast<to = 7>(ends), far));";
    if (has_begins)
      inputs.text += "seen = And(before_end, GreaterOrEqual(places, Unsqueeze(Cast<to = 7>(begins), far)));";
  } else if (mask->rank() == 4) {
    inputs.text +=
        "one_axis = " + constant_ints({0}) +
        "; first_query = Unsqueeze(first_place, one_axis); new_keys = Shape<start = 2, end = 3>(" + keys + ");" +
        (past_keys.empty() ? "all_keys = Identity(new_keys);"
                           : "all_keys = Add(new_keys, Shape<start = 2, end = 3>(" + past_keys + "));") +
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
