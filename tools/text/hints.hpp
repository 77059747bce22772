// What the files beside a tokenizer say about where texts begin and end.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "heed/result.hpp"

namespace heed::text {

struct Hints {
  std::optional<int64_t> bos;
  std::vector<int64_t> eos;
  std::string bos_token, eos_token;  // the same as texts; empty: not said
  std::optional<bool> lower_case;    // of a vocab.txt
};

// Reads generation_config.json and tokenizer_config.json where they are; a broken one is an error.
Result<Hints> read_hints(const std::filesystem::path& model_folder);

}  // namespace heed::text
