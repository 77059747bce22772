// What com.microsoft's attention operators take alike: how it is checked, and how it becomes heed.Attention's.
#pragma once

#include "rewrites/split_heads.hpp"

namespace heed::ops {

// An output that is the input `past` and what is new, along `axis`.
inline Parameter present_of(int32_t past, std::string_view name, std::string_view type, int32_t axis) {
  return {.name = name, .type = type, .flags = HEED_OPTIONAL_PARAMETER, .state_of = past, .state_axis = axis};
}

// The inputs past_key and past_value, which stands behind it: [batch, heads, places, width or value_width]. heads_name:
// of the attribute that tells `heads`. Gives the places: 0 without a past.
struct PastSizes {
  Dim batch, heads, width, value_width;
  std::string_view heads_name;
};
Result<Dim> check_past(Inference& node, int32_t past_key_input, const PastSizes& sizes);

// Text of "present", [batch, heads, places, width], of what has that many elements: which sizes of the inputs are equal
// may be known to the run alone. places: text of [1].
std::string present_text(const std::string& present, const std::string& made, int64_t heads, const std::string& places,
                         int64_t width);

// What is added to scores: like `weights`, [batch, head, query, key], or its first axes; of batches and heads it may
// have one, of keys more than there are.
Result<void> check_scores_bias(Inference& node, int32_t input, const Dims& weights);

// Names of heed.Attention's inputs `mask` and `valid_lengths`, which `text` makes; "" where there is none.
struct MaskInputs {
  std::string text, mask = "\"\"", valid = "\"\"";
};

// From the match's `mask`, 1 where a key is seen: [batch, key] or [batch, query, key]; or of rank 1 where seen keys end
// [batch], end and then begin [2 * batch], or as in [3 * batch + 2], whose first say where they end; or by places,
// [batch, 1, room, room], the first query's being "first_place". `bias_of_scores` is added to the scores. filter: what
// hidden keys have added; from -10000 down they are hidden. adds: they have it added though. keys: heed.Attention's
// keys, [batch, head, key, channel]. past: text of how many lie before them, [1] of i64; empty without a past.
MaskInputs mask_inputs(Match& match, Dim batch, float filter, bool adds, const std::string& keys,
                       const std::string& past);

}  // namespace heed::ops
