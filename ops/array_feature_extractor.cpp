// ai.onnx.ml ArrayFeatureExtractor: places along the last axis, chosen by indices; and Binarizer: whether elements are
// greater than a threshold. Always made of other operators.
#include <cmath>

#include "shapes.hpp"

namespace heed::ops {
namespace {

constexpr Types types{DataType::f32, DataType::f64, DataType::i64, DataType::i32, DataType::string};

Result<void> infer(Inference& node) {
  const auto x = node.input(0), indices = node.input(1);
  if (!x.has_rank() || !indices.has_rank())
    return Error{Code::unsupported, "an input has a rank that only the run tells"};
  if (x.rank() == 0) return Error{Code::shape_mismatch, "the data has rank 0; expected at least one axis"};
  Dims dims(x.dims().begin(), x.dims().end() - 1);
  if (dims.empty()) dims.push_back(1);
  dims.push_back(count_of(indices.dims()));
  return node.set_output(0, x.element(), dims);
}

// A row is a matrix of one.
bool lower(Match& match) {
  const bool is_row = match.type("x")->rank() == 1;
  match.replace_by(std::string("all = Constant<value_ints = [-1]>(); first = Constant<value_ints = [0]>();") +
                   (is_row ? "data = Unsqueeze(x, first);" : "data = Identity(x);") +
                   "z = Gather<axis = -1>(data, Reshape(indices, all))");
  return true;
}

bool lower_binarizer(Match& match) {
  const auto x = match.type("x");
  if (!x) return false;
  const float threshold = match.node("y").number("threshold");
  // No integer lies between the threshold and what it is rounded down to.
  match.set("threshold", is_float(x->element()) ? threshold : std::floor(threshold));
  return true;
}

}  // namespace

extern const Operator array_feature_extractor{.domain = "ai.onnx.ml",
                                              .op_type = "ArrayFeatureExtractor",
                                              .inputs = {{"X", "T"}, {"Y", "I"}},
                                              .outputs = {{"Z", "T"}},
                                              .types = {{"T", types}, {"I", {DataType::i64}}},
                                              .infer = infer};

extern const Operator binarizer{
    .domain = "ai.onnx.ml",
    .op_type = "Binarizer",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", {DataType::f32, DataType::f64, DataType::i64, DataType::i32}}},
    .attributes = {attribute("threshold", 0.0f)},
    .infer = like_input};

extern const Rewrite array_feature_extractor_lowered{.name = "array_feature_extractor",
                                                     .patterns = {"z = ai.onnx.ml.ArrayFeatureExtractor(x, indices)"},
                                                     .replacement = "",
                                                     .accept = lower};
extern const Rewrite binarizer_lowered{
    .name = "binarizer",
    .patterns = {"y = ai.onnx.ml.Binarizer(x)"},
    .replacement = "y = CastLike(Greater(x, CastLike(Constant<value_float = @threshold>(), x)), x)",
    .accept = lower_binarizer};

}  // namespace heed::ops
