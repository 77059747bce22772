// What a decoder's inputs are for, what its caches hold and how many tokens it reads: found from its graph, by the
// names and types that exporters give.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "plan/plan.hpp"

namespace heed::tool {

// What a run gives an input that is no state.
enum class Role : uint8_t {
  ids,
  mask,          // 1 for a token, 0 for padding
  causal_mask,   // for each query, the keys that it sees; floats are added: 0 or the lowest
  positions,     // of the new tokens in their text
  uses_cache,    // whether there is a past
  past_length,   // tokens in the cache, which the new ones follow
  total_length,  // and the new ones
  last_place,    // the same less one
  token_types,   // zeros
  logits_count,  // 1: of the last place
};

struct DecoderInput {
  size_t input;  // position among the inputs
  Role role;
  // A letter for each axis: b batch, s new tokens, t all tokens or the capacity, n as the model says, or 1.
  std::string_view axes;
};

// How many tokens a text may have, and who says so.
struct ContextLimit {
  int64_t tokens = INT64_MAX;
  std::string source;

  void narrow(int64_t other_tokens, const std::string& other_source) {
    if (other_tokens < tokens) *this = {other_tokens, other_source};
  }
  // What the file's metadata and the folder's config.json or genai_config.json tell.
  static Result<ContextLimit> told(const ModelFile& file, const std::filesystem::path& model_folder);
};

// What the graph of a file tells before passes change it.
struct DecoderGraph {
  std::optional<size_t> logits;                  // position among the outputs
  bool names_logits = false;                     // and it is called so
  std::map<std::string, int32_t> capacity_axes;  // of caches that are written in place, by input
  bool has_caches = false;                       // or inputs that nothing is known of
  bool counts_mask = false;  // a text's tokens are counted by its mask, so that padding stands behind them alone
  ContextLimit table;        // of rows of positions

  static DecoderGraph of(const Graph& graph);
};

struct Decoding {
  // How several texts run together.
  enum class Batch : uint8_t {
    alone,    // not at all
    in_step,  // all read the same number of tokens in each run
    padded    // shorter ones are padded on the left
  };

  std::vector<DecoderInput> inputs;  // all but the states; the ids come first
  bool has_cache = false;
  int64_t most_new = INT64_MAX;           // tokens of one run
  std::optional<int64_t> capacity;        // of caches of one size
  std::set<std::string> open_capacities;  // of those whose size the model leaves open: its names
  Batch batch = Batch::alone;
  ContextLimit context;

  // What the inputs of a decoder are for. `model_folder` may hold config.json or genai_config.json. Fails where an
  // input cannot be told, or where the model does not give logits, and says what was met and what is expected.
  static Result<Decoding> of(const Plan& plan, const DecoderGraph& graph, const ModelFile& file,
                             const std::filesystem::path& model_folder);
};

// "token ids", for people.
std::string_view describe(Role role);
std::string_view describe(Decoding::Batch batch);

}  // namespace heed::tool
