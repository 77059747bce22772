// TfIdfVectorizer: counts of n-grams. Elements become the numbers of words first, so that an n-gram is a list of
// numbers.
#include <algorithm>
#include <map>
#include <string>
#include <unordered_map>

#include "heed/plugin.hpp"

namespace heed::cpu {
namespace {

constexpr int64_t unknown_word = -1;

// The words of a pool, numbered.
class Words {
 public:
  int64_t add(std::string_view word) {
    return numbers_.try_emplace(std::string(word), std::ssize(numbers_)).first->second;
  }
  int64_t find(std::string_view word) const {
    const auto found = numbers_.find(std::string(word));
    return found == numbers_.end() ? unknown_word : found->second;
  }
  static std::string_view bytes_of(const int64_t& number) {
    return {reinterpret_cast<const char*>(&number), sizeof number};
  }

 private:
  std::unordered_map<std::string, int64_t> numbers_;
};

using Gram = std::vector<int64_t>;
struct Grams {
  Words words;
  std::map<Gram, size_t> places;  // in ngram_indexes
};

Grams grams_of(const NodeView& node) {
  Grams grams;
  std::vector<int64_t> pool;
  if (const auto texts = node.texts("pool_strings"))
    for (const heed_text text : *texts) pool.push_back(grams.words.add(from_c(text)));
  if (const auto numbers = node.integers("pool_int64s"))
    for (const int64_t& number : *numbers) pool.push_back(grams.words.add(Words::bytes_of(number)));
  const auto counts = *node.integers("ngram_counts");
  const int64_t least = node.integer("min_gram_length"), most = node.integer("max_gram_length");
  size_t place = 0;
  for (size_t n = 0; n < counts.size(); ++n) {
    const auto length = static_cast<int64_t>(n) + 1, end = n + 1 < counts.size() ? counts[n + 1] : std::ssize(pool);
    for (int64_t first = counts[n]; first < end; first += length, ++place)
      if (length >= least && length <= most)
        grams.places.try_emplace(Gram(pool.begin() + first, pool.begin() + first + length), place);
  }
  return grams;
}

Result<void> run(Running& run) {
  const auto x = run.input(0);
  if (x.rank() < 1 || x.rank() > 2)  // inference may not know it
    return Error{Code::shape_mismatch,
                 "the input has rank " + std::to_string(x.rank()) + "; expected [element] or [row, element]"};
  const Grams grams = grams_of(run);
  const auto indexes = *run.integers("ngram_indexes");
  const int64_t length = x.dim(-1), width = indexes.empty() ? 0 : *std::max_element(indexes.begin(), indexes.end()) + 1;
  std::vector<int64_t> dims(x.dims().begin(), x.dims().end());
  dims.back() = width;
  HEED_ASSIGN(const auto y, run.allocate(0, dims));
  const auto weights = run.numbers("weights");
  const auto mode = run.text("mode");
  const bool has_texts = x.element() == DataType::string, is_weighted = weights && mode != "TF";
  const int64_t longest = std::min(run.integer("max_gram_length"), length);
  const auto word_at = [&](int64_t at) {
    if (has_texts) return grams.words.find(from_c(x.data<heed_text>()[at]));
    const int64_t number = x.element() == DataType::i64 ? x.data<int64_t>()[at] : x.data<int32_t>()[at];
    return grams.words.find(Words::bytes_of(number));
  };
  std::fill_n(y.data<float>(), y.count(), 0.0f);
  std::vector<int64_t> row(static_cast<size_t>(length));
  std::vector<float> counts(indexes.size());
  Gram gram;
  for (int64_t r = 0; length > 0 && r < x.count() / length; ++r) {
    for (int64_t i = 0; i < length; ++i) row[static_cast<size_t>(i)] = word_at(r * length + i);
    std::fill(counts.begin(), counts.end(), 0.0f);
    for (int64_t n = run.integer("min_gram_length"); n <= longest; ++n) {
      // A single element has nothing to skip.
      const int64_t most_skipped = n == 1 ? 0 : std::min(run.integer("max_skip_count"), length);
      for (int64_t step = 1; step <= most_skipped + 1 && (n - 1) * step < length; ++step)
        for (int64_t first = 0; first + (n - 1) * step < length; ++first) {
          gram.clear();
          for (int64_t k = 0; k < n; ++k) gram.push_back(row[static_cast<size_t>(first + k * step)]);
          if (const auto found = grams.places.find(gram); found != grams.places.end()) ++counts[found->second];
        }
    }
    for (size_t place = 0; place < counts.size(); ++place) {
      const float count = mode == "IDF" ? std::min(counts[place], 1.0f) : counts[place];
      y.data<float>()[r * width + indexes[place]] += is_weighted ? count * (*weights)[place] : count;
    }
  }
  return {};
}

}  // namespace

extern const CpuKernel tf_idf_vectorizer{.op_type = "TfIdfVectorizer", .run = run};

}  // namespace heed::cpu
