// Byte-pair encoding (Sennrich et al. 2016): the adjacent pair whose merge was learnt first is joined until none is
// left.
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <queue>

#include "text/field.hpp"
#include "text/model.hpp"
#include "text/unicode.hpp"

namespace heed::text {
namespace {

struct Merge {
  uint32_t rank, id;
};

// Pairs of ids to their merge: open addressing, at most half full, so that a look-up touches one cache line mostly.
class MergeTable {
 public:
  explicit MergeTable(size_t count) {
    size_t capacity = 16;
    while (capacity < count * 2) capacity *= 2;
    slots_.assign(capacity, {empty, {0, 0}});
  }

  void set(uint32_t left, uint32_t right, Merge merge) {
    Slot& slot = slots_[place(key_of(left, right))];
    slot = {key_of(left, right), merge};
  }

  const Merge* find(uint32_t left, uint32_t right) const {
    const Slot& slot = slots_[place(key_of(left, right))];
    return slot.key == empty ? nullptr : &slot.merge;
  }

 private:
  struct Slot {
    uint64_t key;
    Merge merge;
  };
  static constexpr uint64_t empty = ~uint64_t{0};
  static uint64_t key_of(uint32_t left, uint32_t right) { return uint64_t{left} << 32 | right; }
  size_t place(uint64_t key) const {
    size_t i = (key * 0x9E3779B97F4A7C15u) >> 20 & (slots_.size() - 1);
    while (slots_[i].key != empty && slots_[i].key != key) i = (i + 1) & (slots_.size() - 1);
    return i;
  }
  std::vector<Slot> slots_;
};

constexpr uint32_t none = std::numeric_limits<uint32_t>::max();

// A token of a word, in a list linked both ways; one that was merged away has the id `none`.
struct Symbol {
  uint32_t id, previous, next;
};

struct Candidate {
  uint32_t rank, left, id;
  // The lowest rank first, then the leftmost.
  bool operator<(const Candidate& other) const { return rank != other.rank ? rank > other.rank : left > other.left; }
};

struct Options {
  std::string unknown, prefix, suffix;
  bool has_unknown = false, byte_fallback = false, fuse_unknown = false, ignore_merges = false;
};

class Bpe : public Model {
 public:
  Bpe(Vocabulary vocabulary, MergeTable merges, Options options)
      : merges_(std::move(merges)), options_(std::move(options)) {
    vocabulary_ = std::move(vocabulary);
    unknown_ = options_.has_unknown ? vocabulary_.find(options_.unknown) : std::nullopt;
    constexpr char digits[] = "0123456789ABCDEF";
    for (unsigned byte = 0; byte < 256; ++byte) {
      bytes_[byte] = vocabulary_.find(std::string("<0x") + digits[byte >> 4] + digits[byte & 15] + ">");
    }
  }

  Result<void> tokenize(std::string_view word, std::vector<int64_t>& ids) const override {
    if (options_.ignore_merges) {
      if (const auto id = vocabulary_.find(word)) {
        ids.push_back(*id);
        return {};
      }
    }
    std::vector<Symbol> symbols;
    symbols.reserve(word.size());
    HEED_TRY(spell(word, symbols));
    merge(symbols);
    for (const Symbol& symbol : symbols) {
      if (symbol.id != none) ids.push_back(symbol.id);
    }
    return {};
  }

 private:
  // One symbol for each character, or one for each of its bytes. A character that the vocabulary cannot spell is
  // dropped when the file names no unknown token, as Hugging Face's library does.
  Result<void> spell(std::string_view word, std::vector<Symbol>& symbols) const {
    const auto add = [&](int64_t id) {
      const auto at = static_cast<uint32_t>(symbols.size());
      symbols.push_back({static_cast<uint32_t>(id), at == 0 ? none : at - 1, at + 1});
    };
    bool last_is_unknown = false;
    std::string decorated;
    for (size_t offset = 0; offset < word.size();) {
      const size_t begin = offset;
      next_code_point(word, offset);
      const std::string_view character = word.substr(begin, offset - begin);
      std::string_view token = character;
      const bool prefixed = begin > 0 && !options_.prefix.empty();
      const bool suffixed = offset == word.size() && !options_.suffix.empty();
      if (prefixed || suffixed) {
        decorated = prefixed ? options_.prefix : "";
        decorated += character;
        if (suffixed) decorated += options_.suffix;
        token = decorated;
      }
      if (const auto id = vocabulary_.find(token)) {
        add(*id);
        last_is_unknown = false;
      } else if (options_.byte_fallback && spells_bytes(token)) {
        for (const char byte : token) add(*bytes_[static_cast<unsigned char>(byte)]);
        last_is_unknown = false;
      } else if (options_.has_unknown) {
        if (!unknown_) {
          return Error{Code::invalid_model, "the vocabulary has no token for '" + std::string(token) +
                                                "', and its unk_token '" + options_.unknown + "' is not in it either"};
        }
        if (!(options_.fuse_unknown && last_is_unknown)) add(*unknown_);
        last_is_unknown = true;
      }
    }
    if (!symbols.empty()) symbols.back().next = none;
    return {};
  }

  bool spells_bytes(std::string_view token) const {
    for (const char byte : token) {
      if (!bytes_[static_cast<unsigned char>(byte)]) return false;
    }
    return true;
  }

  // O(n log n): a merge touches two neighbours; candidates that its pairs no longer back are skipped when they come up.
  void merge(std::vector<Symbol>& symbols) const {
    std::vector<Candidate> first;
    for (uint32_t i = 0; i + 1 < symbols.size(); ++i) {
      if (const Merge* found = merges_.find(symbols[i].id, symbols[i + 1].id))
        first.push_back({found->rank, i, found->id});
    }
    std::priority_queue<Candidate> queue(std::less<Candidate>{}, std::move(first));
    const auto push = [&](uint32_t left, uint32_t right) {
      if (left == none || right == none) return;
      if (const Merge* found = merges_.find(symbols[left].id, symbols[right].id))
        queue.push({found->rank, left, found->id});
    };
    while (!queue.empty()) {
      const Candidate best = queue.top();
      queue.pop();
      Symbol& left = symbols[best.left];
      if (left.id == none || left.next == none) continue;
      Symbol& right = symbols[left.next];
      const Merge* found = merges_.find(left.id, right.id);
      if (!found || found->id != best.id) continue;
      left.id = best.id;
      right.id = none;
      left.next = right.next;
      if (left.next != none) symbols[left.next].previous = best.left;
      push(left.previous, best.left);
      push(best.left, left.next);
    }
  }

  MergeTable merges_;
  Options options_;
  std::optional<int64_t> unknown_;
  std::array<std::optional<int64_t>, 256> bytes_;
};

// A merge is "left right" or, since a token may hold a space, ["left", "right"].
Result<std::pair<std::string, std::string>> read_pair(const Field& field) {
  if (field.is_string()) {
    HEED_ASSIGN(const std::string text, field.as_string());
    const size_t space = text.find(' ');
    if (space == text.npos || text.find(' ', space + 1) != text.npos) {
      return field.wrong("is '" + text.substr(0, 100) + "'; expected two tokens with one space between");
    }
    return std::pair(text.substr(0, space), text.substr(space + 1));
  }
  HEED_ASSIGN(const auto parts, field.elements());
  if (parts.size() != 2) return field.wrong("has " + std::to_string(parts.size()) + " parts; expected 2");
  HEED_ASSIGN(std::string left, parts[0].as_string());
  HEED_ASSIGN(std::string right, parts[1].as_string());
  return std::pair(std::move(left), std::move(right));
}

}  // namespace

Result<std::unique_ptr<Model>> read_bpe(const Field& field) {
  Options options;
  if (field.has("dropout") && field.value()["dropout"] != 0.0) {
    return field.wrong("has a dropout; set it to null: only training drops merges at random", Code::unsupported);
  }
  options.has_unknown = field.has("unk_token");
  HEED_ASSIGN(options.unknown, field.string_or("unk_token", ""));
  HEED_ASSIGN(options.prefix, field.string_or("continuing_subword_prefix", ""));
  HEED_ASSIGN(options.suffix, field.string_or("end_of_word_suffix", ""));
  HEED_ASSIGN(options.byte_fallback, field.boolean_or("byte_fallback", false));
  HEED_ASSIGN(options.fuse_unknown, field.boolean_or("fuse_unk", false));
  HEED_ASSIGN(options.ignore_merges, field.boolean_or("ignore_merges", false));
  HEED_ASSIGN(const Field vocab, field.at("vocab"));
  HEED_ASSIGN(Vocabulary vocabulary, read_vocabulary(vocab));

  HEED_ASSIGN(const Field list, field.at("merges"));
  if (!list.is_array()) return list.wrong("is not an array of merges");
  MergeTable merges(list.value().size());
  uint32_t rank = 0;
  for (const auto& element : list.value()) {
    const auto place = [&] { return list.place() + "[" + std::to_string(rank) + "]"; };
    auto pair = read_pair(Field(element, "the merge"));
    if (!pair) return std::move(pair).error().within(place());
    const auto& [left, right] = *pair;
    const bool continues = right.size() >= options.prefix.size();
    const std::string joined = continues ? left + right.substr(options.prefix.size()) : "";
    const auto left_id = vocabulary.find(left), right_id = vocabulary.find(right), joined_id = vocabulary.find(joined);
    if (!left_id || !right_id || !continues || !joined_id) {
      return Error{Code::invalid_model, place() + " joins '" + left.substr(0, 100) + "' and '" + right.substr(0, 100) +
                                            "', but the vocabulary has no '" +
                                            (!left_id    ? left
                                             : !right_id ? right
                                                         : joined)
                                                .substr(0, 200) +
                                            "'"};
    }
    merges.set(static_cast<uint32_t>(*left_id), static_cast<uint32_t>(*right_id),
               {rank, static_cast<uint32_t>(*joined_id)});
    ++rank;
  }
  return std::unique_ptr<Model>(std::make_unique<Bpe>(std::move(vocabulary), std::move(merges), std::move(options)));
}

}  // namespace heed::text
