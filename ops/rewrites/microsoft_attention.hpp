// Text of replacements: the masks that com.microsoft's attention operators take, as heed.Attention's inputs.
#pragma once

#include "split_heads.hpp"

namespace heed::ops {

// Names of heed.Attention's inputs `mask` and `valid_lengths`, which `text` makes; "" where there is none.
struct MaskInputs {
  std::string text, mask = "\"\"", valid = "\"\"";
};

// From the match's `mask`, 1 where a key is seen: [batch, key] or [batch, query, key]; or of rank 1 where seen keys end
// [batch], end and then begin [2 * batch], or as in [3 * batch + 2], whose first say where they end; or by places,
// [batch, 1, room, room], the first query's being "first_place". `bias_of_scores` is added to the scores. filter: what
// hidden keys have added; from -10000 down they are hidden. adds: they have it added though. keys: heed.Attention's
// keys, [batch, head, key, channel], behind those of `past_keys`, if there are any.
MaskInputs mask_inputs(Match& match, Dim batch, float filter, bool adds, const std::string& keys,
                       const std::string& past_keys);

}  // namespace heed::ops
