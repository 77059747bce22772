// What the files beside a model say about where texts begin and end, and how long they may be.
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

// Reads generation_config.json, genai_config.json, config.json (the first of them that names a token is believed) and
// tokenizer_config.json where they are; a broken one is an error.
Result<Hints> read_hints(const std::filesystem::path& model_folder);

// How many tokens a text may have, and which file and member say so: "config.json: n_positions".
struct ContextHint {
  int64_t tokens;
  std::string source;
};

// Reads genai_config.json, else config.json; nullopt where neither says. A broken one is an error.
Result<std::optional<ContextHint>> read_context(const std::filesystem::path& model_folder);

}  // namespace heed::text
