// Post-processors: the special tokens around a text.
#pragma once

#include <cstdint>
#include <vector>

#include "heed/result.hpp"

namespace heed::text {

class Field;

struct Surround {
  std::vector<int64_t> before, behind;
};

// Reads a post-processor of tokenizer.json for a single text (not a pair); null adds nothing.
Result<Surround> read_post_processor(const Field& field);

}  // namespace heed::text
