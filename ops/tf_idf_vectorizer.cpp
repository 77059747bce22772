// TfIdfVectorizer-9: how often each n-gram of a pool occurs in a row of numbers or texts, perhaps with elements skipped
// between its own; the counts (TF), the weights of those that occur (IDF), or both multiplied (TFIDF).
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto x = node.input(0);
  const auto mode = node.text("mode");
  if (mode != "TF" && mode != "IDF" && mode != "TFIDF")
    return Error{Code::invalid_model, "attribute 'mode' is '" + std::string(mode) + "'; expected TF, IDF or TFIDF"};
  const int64_t least = node.integer("min_gram_length"), most = node.integer("max_gram_length");
  if (least < 1 || most < least)
    return Error{Code::invalid_model, "attributes 'min_gram_length' and 'max_gram_length' are " +
                                          std::to_string(least) + " and " + std::to_string(most)};
  if (node.integer("max_skip_count") < 0)
    return Error{Code::invalid_model,
                 "attribute 'max_skip_count' is " + std::to_string(node.integer("max_skip_count"))};
  const auto numbers = node.integers("pool_int64s");
  const auto texts = node.texts("pool_strings");
  if (numbers.has_value() == texts.has_value())
    return Error{Code::invalid_model, "one of the attributes 'pool_int64s' and 'pool_strings' is expected"};
  if (x.has_element() && texts.has_value() != (x.element() == DataType::string))
    return Error{Code::invalid_model, "a pool of " + std::string(texts ? "texts" : "numbers") + " for an input of " +
                                          std::string(name_of(x.element()))};
  const auto pool_size = static_cast<int64_t>(texts ? texts->size() : numbers->size());
  const auto counts = *node.integers("ngram_counts"), indexes = *node.integers("ngram_indexes");
  int64_t gram_count = 0;
  for (size_t n = 0; n < counts.size(); ++n) {
    const int64_t end = n + 1 < counts.size() ? counts[n + 1] : pool_size, length = static_cast<int64_t>(n) + 1;
    if (counts[n] < 0 || end < counts[n] || end > pool_size || (end - counts[n]) % length != 0)
      return Error{Code::invalid_model, "attribute 'ngram_counts' puts the " + std::to_string(length) + "-grams at " +
                                            std::to_string(counts[n]) + " to " + std::to_string(end) +
                                            " of a pool of " + std::to_string(pool_size)};
    gram_count += (end - counts[n]) / length;
  }
  if (std::ssize(indexes) != gram_count)
    return Error{Code::invalid_model, "attribute 'ngram_indexes' has " + std::to_string(indexes.size()) +
                                          " numbers; expected one for each of " + std::to_string(gram_count) +
                                          " n-grams"};
  if (const auto weights = node.numbers("weights"); weights && weights->size() != indexes.size())
    return Error{Code::invalid_model, "attribute 'weights' has " + std::to_string(weights->size()) +
                                          " numbers; expected " + std::to_string(gram_count)};
  int64_t size = 0;
  for (const int64_t index : indexes) {
    if (index < 0 || index >= INT32_MAX)
      return Error{Code::invalid_model, "attribute 'ngram_indexes' holds " + std::to_string(index)};
    size = std::max(size, index + 1);
  }
  if (!x.has_rank()) return node.set_output(0, DataType::f32);
  if (x.rank() < 1 || x.rank() > 2)
    return Error{Code::shape_mismatch, "the input " + text_of(x.dims()) + "; expected [element] or [row, element]"};
  Dims dims(x.dims().begin(), x.dims().end());
  dims.back() = size;
  return node.set_output(0, DataType::f32, dims);
}

}  // namespace

extern const Operator tf_idf_vectorizer{
    .op_type = "TfIdfVectorizer",
    .versions = {9},
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T1"}},
    .types = {{"T", {DataType::string, DataType::i32, DataType::i64}}, {"T1", {DataType::f32}}},
    .attributes = {required("max_gram_length", HEED_ATTRIBUTE_INT), required("max_skip_count", HEED_ATTRIBUTE_INT),
                   required("min_gram_length", HEED_ATTRIBUTE_INT), required("mode", HEED_ATTRIBUTE_STRING),
                   required("ngram_counts", HEED_ATTRIBUTE_INTS), required("ngram_indexes", HEED_ATTRIBUTE_INTS),
                   optional("pool_int64s", HEED_ATTRIBUTE_INTS), optional("pool_strings", HEED_ATTRIBUTE_STRINGS),
                   optional("weights", HEED_ATTRIBUTE_FLOATS)},
    .infer = infer};

}  // namespace heed::ops
