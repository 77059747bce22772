// ai.onnx.ml: LabelEncoder, ArrayFeatureExtractor, Binarizer, TreeEnsemble.
#include <cmath>

#include "lowered.hpp"

namespace heed::test {
namespace {

const std::vector<Case> label_encoder_cases = {
    {"texts to numbers, others to the default",
     {texts({2, 2}, {"Amy", "Dori", "Sally", "Amy"})},
     {i64({2, 2}, {5, -1, 6, 5})},
     0,
     "keys_strings = [\"Amy\", \"Sally\"], values_int64s = [5, 6]",
     4},
    {"numbers to texts; of equal keys the last one counts",
     {i64({3}, {7, 8, 9})},
     {texts({3}, {"b", "_Unused", "c"})},
     0,
     "keys_int64s = [7, 7, 9], values_strings = [\"a\", \"b\", \"c\"]",
     4},
    {"NaN is a key, and both zeros are one",
     {f32({4}, {nan, -0.0, 1.5, 2})},
     {f32({4}, {1, 2, 3, 0.5})},
     0,
     "keys_floats = [nan, 0.0, 1.5], values_floats = [1.0, 2.0, 3.0], default_float = 0.5",
     2},
    {"tensors of keys and values",
     {f64({2}, {0.25, 1})},
     {numbers(DataType::i16, {2}, {9, -7})},
     0,
     "keys_tensor = double[1] {0.25}, values_tensor = int16[1] {9}, default_tensor = int16[1] {-7}",
     4},
    {"classes become places", {texts({2}, {"b", "x"})}, {i64({2}, {1, -1})}, 0, "classes_strings = [\"a\", \"b\"]", 1},
    {"places become classes", {i64({3}, {1, 0, 2})}, {texts({3}, {"b", "a", "none"})}, 0,
     "classes_strings = [\"a\", \"b\"], default_string = \"none\"", 1},
    {"nothing", {i64({0}, {})}, {i64({0}, {})}, 0, "keys_int64s = [1], values_int64s = [2]", 4},
};

const std::vector<Case> array_feature_extractor_cases = {
    {"columns", {f32({2, 3}, {1, 2, 3, 4, 5, 6}), i64({2}, {2, 0})}, {f32({2, 2}, {3, 1, 6, 4})}},
    {"a row becomes a matrix", {f32({3}, {1, 2, 3}), i64({1, 2}, {1, 1})}, {f32({1, 2}, {2, 2})}},
};
const std::vector<Case> binarizer_cases = {
    {"floats", {f32({4}, {-1, 0.5, 0.75, nan})}, {f32({4}, {0, 0, 1, 0})}, 0, "threshold = 0.5"},
    {"integers over a threshold between them", {i32({3}, {-1, 0, 1})}, {i32({3}, {0, 1, 1})}, 0, "threshold = -0.5"},
    {"f16 is none of its types, f64 is", {f64({2}, {0, 1})}, {f64({2}, {0, 1})}},
};

// x[0] <= 0 ? 10 for target 0 : (x[1] in {1, 3} ? 20 for target 1 : 30 for target 0); and x[1] > 2 ? 1 for target 1 : 2
// for target 0.
const std::string trees =
    "nodes_splits = float[3] {0, 0, 2}, nodes_featureids = [0, 1, 1], nodes_modes = uint8[3] {0, 6, 3},"
    "nodes_truenodeids = [0, 1, 3], nodes_trueleafs = [1, 1, 1], nodes_falsenodeids = [1, 2, 4],"
    "nodes_falseleafs = [0, 1, 1], leaf_targetids = [0, 1, 0, 1, 0], leaf_weights = float[5] {10, 20, 30, 1, 2},"
    "tree_roots = [0, 2], membership_values = float[3] {1, 3, nan}, n_targets = 2";
const std::vector<double> rows{-1, 0, 1, 3, 1, 2, nan, 1};
Case trees_row(const char* what, std::vector<double> y, const std::string& more = "", double tolerance = 0,
               DataType type = DataType::f32) {
  return {what, {numbers(type, {4, 2}, rows)}, {numbers(type, {4, 2}, y)}, tolerance, trees + more, 5};
}
const std::vector<Case> tree_ensemble_cases = {
    trees_row("sums", {12, 0, 0, 21, 32, 0, 2, 20}),
    trees_row("a NaN may be true", {12, 0, 0, 21, 32, 0, 12, 0}, ", nodes_missing_value_tracks_true = [1, 0, 0]"),
    trees_row("averages, f64", {6, 0, 0, 10.5, 16, 0, 1, 10}, ", aggregate_function = 0", 0, DataType::f64),
    trees_row("the least", {2, 0, 0, 1, 2, 0, 2, 20}, ", aggregate_function = 2"),
    trees_row("the greatest, f16", {10, 0, 0, 20, 30, 0, 2, 20}, ", aggregate_function = 3", 0, DataType::f16),
    trees_row("logistic", {1 / (1 + std::exp(-12.0)), 0.5, 0.5, 1, 1, 0.5, 1 / (1 + std::exp(-2.0)), 1},
              ", post_transform = 2", 1e-6),
    trees_row("softmax", {1 / (1 + std::exp(-12.0)), 1 / (1 + std::exp(12.0)), 0, 1, 1, 0, std::exp(-18.0), 1},
              ", post_transform = 1", 1e-6),
    trees_row("softmax of what is not zero", {1, 0, 0, 1, 1, 0, std::exp(-18.0), 1}, ", post_transform = 3", 1e-6),
};

constexpr std::string_view opsets = ", \"ai.onnx.ml\" : 5";

}  // namespace

TEST_CASE("ArrayFeatureExtractor and Binarizer give what their rows say") {
  check_lowered("ai.onnx.ml.ArrayFeatureExtractor", array_feature_extractor_cases, opsets);
  check_lowered("ai.onnx.ml.Binarizer", binarizer_cases, opsets);
}

HEED_TEST_OPERATOR("ai.onnx.ml.LabelEncoder", label_encoder_cases)
HEED_TEST_OPERATOR("ai.onnx.ml.TreeEnsemble", tree_ensemble_cases)

TEST_CASE("trees are told from what only looks like them") {
  const auto refused = [](std::string attributes, const char* part) {
    check_refused("ai.onnx.ml.TreeEnsemble", {"", {random({1, 2})}, {random({1, 2})}, 0, std::move(attributes), 5}, part);
  };
  const std::string leaves = "leaf_targetids = [0], leaf_weights = float[1] {1}, nodes_splits = float[1] {0},"
                             "nodes_featureids = [0], nodes_modes = uint8[1] {0}, tree_roots = [0], ";
  refused(leaves + "nodes_truenodeids = [0], nodes_trueleafs = [0], nodes_falsenodeids = [0], nodes_falseleafs = [1]",
          "two branches lead to it");
  refused(leaves + "nodes_truenodeids = [0], nodes_trueleafs = [1], nodes_falsenodeids = [3], nodes_falseleafs = [1]",
          "leaf 3, which is not there");
  refused(leaves + "nodes_truenodeids = [0, 1], nodes_trueleafs = [1], nodes_falsenodeids = [0], nodes_falseleafs = [1]",
          "has 2 numbers for 1 nodes");
  check_refused("ai.onnx.ml.LabelEncoder",
                {"", {i64({1}, {1})}, {i64({1}, {1})}, 0, "keys_int64s = [1, 2], values_int64s = [1]", 4},
                "there are 2 keys and 1 values");
}

}  // namespace heed::test
