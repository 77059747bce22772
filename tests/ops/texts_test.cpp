// StringSplit, StringNormalizer, RegexFullMatch and TfIdfVectorizer.
#include <catch2/catch.hpp>

#include "cases.hpp"

namespace heed::test {
namespace {

const std::vector<Case> split_cases = {
    {"white space",
     {texts({2}, {" a  bc\td\n", "e"})},
     {texts({2, 3}, {"a", "bc", "d", "e", "", ""}), i64({2}, {3, 1})}},
    {"white space, one cut",
     {texts({1}, {" a  b c  "})},
     {texts({1, 2}, {"a", "b c"}), i64({1}, {2})},
     0,
     "maxsplit = 1"},
    {"a delimiter",
     {texts({2, 1}, {"a,,b", ""})},
     {texts({2, 1, 3}, {"a", "", "b", "", "", ""}), i64({2, 1}, {3, 1})},
     0,
     "delimiter = \",\""},
    {"a delimiter of two letters, one cut",
     {texts({}, {"a--b---c"})},
     {texts({2}, {"a", "b---c"}), i64({}, {2})},
     0,
     "delimiter = \"--\", maxsplit = 1"},
    {"no cuts", {texts({1}, {"a,b"})}, {texts({1, 1}, {"a,b"}), i64({1}, {1})}, 0, "delimiter = \",\", maxsplit = 0"},
    {"nothing but white space", {texts({2}, {"", " \t"})}, {texts({2, 0}, {}), i64({2}, {0, 0})}},
    {"no texts", {texts({0, 3}, {})}, {texts({0, 3, 0}, {}), i64({0, 3}, {})}},
};

const std::vector<Case> normalizer_cases = {
    {"as it is", {texts({2}, {"Monday", "tuesday"})}, {texts({2}, {"Monday", "tuesday"})}},
    {"small letters, beyond ASCII too",
     {texts({2}, {"ÄPFEL", "ΣΟΦΙΑ"})},
     {texts({2}, {"äpfel", "σοφια"})},
     0,
     "case_change_action = \"LOWER\""},
    {"capital letters, a stop word in other ones",
     {texts({1, 3}, {"Monday", "tuesday", "MONDAY"})},
     {texts({1, 1}, {"TUESDAY"})},
     0,
     "case_change_action = \"UPPER\", stopwords = [\"monday\"]"},
    {"stop words as they are written",
     {texts({3}, {"Monday", "monday", "a"})},
     {texts({2}, {"Monday", "a"})},
     0,
     "is_case_sensitive = 1, stopwords = [\"monday\", \"b\"]"},
    {"nothing is left", {texts({2}, {"a", "a"})}, {texts({1}, {""})}, 0, "stopwords = [\"a\"]"},
    {"what is no UTF-8 stays", {texts({1}, {"\xFFQ"})}, {texts({1}, {"\xFFq"})}, 0, "case_change_action = \"LOWER\""},
};

const std::vector<Case> regex_cases = {
    {"the whole text",
     {texts({2, 2}, {"abc", "abcd", "", "ABC"})},
     {boolean({2, 2}, {1, 0, 0, 0})},
     0,
     "pattern = \"[a-c]+\""},
    {"letters, not bytes", {texts({2}, {"é", "ab"})}, {boolean({2}, {1, 0})}, 0, "pattern = \".\""},
    {"no texts", {texts({0}, {})}, {boolean({0}, {})}, 0, "pattern = \"a\""},
};

// Of 1, 2, 3 and the pairs (1, 2), (2, 3).
const std::string pool =
    "pool_int64s = [1, 2, 3, 1, 2, 2, 3], ngram_counts = [0, 3], ngram_indexes = [0, 1, 2, 4, 3], "
    "min_gram_length = 1, max_gram_length = 2";
std::string tf_idf(const std::string& mode, int skips, const std::string& more = "") {
  return pool + ", mode = \"" + mode + "\", max_skip_count = " + std::to_string(skips) + more;
}
const std::vector<Case> tf_idf_cases = {
    {"counts",
     {i64({2, 4}, {1, 2, 3, 9, 2, 2, 3, 2})},
     {f32({2, 5}, {1, 1, 1, 1, 1, 0, 3, 1, 1, 0})},
     0,
     tf_idf("TF", 0)},
    {"elements skipped", {i32({4}, {1, 9, 2, 3})}, {f32({5}, {1, 1, 1, 1, 1})}, 0, tf_idf("TF", 1)},
    {"weights of those that occur",
     {i64({4}, {2, 2, 3, 2})},
     {f32({5}, {0, 2, 4, 16, 0})},
     0,
     tf_idf("IDF", 0, ", weights = [1.0, 2.0, 4.0, 8.0, 16.0]")},
    {"counts by weights",
     {i64({4}, {2, 2, 3, 2})},
     {f32({5}, {0, 6, 4, 16, 0})},
     0,
     tf_idf("TFIDF", 0, ", weights = [1.0, 2.0, 4.0, 8.0, 16.0]")},
    {"two of one index",
     {i64({3}, {1, 2, 1})},
     {f32({1}, {9})},
     0,
     "pool_int64s = [1, 2], ngram_counts = [0], ngram_indexes = [0, 0], min_gram_length = 1, max_gram_length = 1, "
     "mode = \"TFIDF\", max_skip_count = 0, weights = [2.0, 5.0]"},
    {"pairs alone, of texts",
     {texts({5}, {"a", "b", "a", "b", "c"})},
     {f32({2}, {2, 1})},
     0,
     "pool_strings = [\"a\", \"b\", \"b\", \"c\"], ngram_counts = [0, 0], ngram_indexes = [0, 1], min_gram_length = 2, "
     "max_gram_length = 2, mode = \"TF\", max_skip_count = 0"},
    {"nothing to count", {i64({0}, {})}, {f32({5}, {0, 0, 0, 0, 0})}, 0, tf_idf("TF", 0)},
};

}  // namespace

HEED_TEST_OPERATOR("StringSplit", split_cases)
HEED_TEST_OPERATOR("StringNormalizer", normalizer_cases)
HEED_TEST_OPERATOR("RegexFullMatch", regex_cases)
HEED_TEST_OPERATOR("TfIdfVectorizer", tf_idf_cases)

TEST_CASE("operators of texts refuse what does not fit") {
  const Tensor x = texts({2}, {"a", "b"});
  check_refused("StringSplit", {"", {x}, {x, i64({2}, {0, 0})}, 0, "maxsplit = -1"}, "maxsplit");
  check_refused("StringNormalizer", {"", {x}, {x}, 0, "case_change_action = \"TITLE\""}, "TITLE");
  check_refused("StringNormalizer", {"", {texts({2, 1}, {"a", "b"})}, {x}}, "first axis");
  check_refused("RegexFullMatch", {"", {x}, {boolean({2}, {0, 0})}, 0, "pattern = \"(\""}, "missing )");
  check_refused("TfIdfVectorizer", {"", {x}, {f32({5}, {0, 0, 0, 0, 0})}, 0, tf_idf("TF", 0)}, "pool of numbers");
  check_refused("TfIdfVectorizer", {"", {i64({1}, {1})}, {f32({5}, {0, 0, 0, 0, 0})}, 0, tf_idf("LOG", 0)}, "LOG");
  const auto outputs = run_text("<ir_version: 10, opset_import: [\"\" : 21]> g (int64 x) => (float y) { y = TfIdfVectorizer<" +
                                    tf_idf("TF", 0) + ">(x) }",
                                {i64({}, {1})}, "cpu");
  REQUIRE_FALSE(outputs);
  CHECK_THAT(outputs.error().message, Catch::Contains("the input []; expected [element] or [row, element]"));
}

}  // namespace heed::test
