// ai.onnx.preview FlexAttention: y = prob_mod(softmax(score_mod(scale * q * k'))) * v for each head, whose keys and values
// are shared by groups of heads. Without modifiers it is Attention; those are subgraphs, which heed.Apply runs.
#include "checks.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

enum { q_input, k_input, v_input };

Result<DataType> precision_of(const NodeView& node) {
  HEED_ASSIGN(const DataType named, type_attribute(node, "softmax_precision", any_float));
  if (named != DataType::undefined) return named;
  return node.input(q_input).element() == DataType::f64 ? DataType::f64 : DataType::f32;
}

Result<void> infer(Inference& node) {
  for (const int32_t input : {q_input, k_input, v_input}) {
    if (!node.input(input).has_rank())
      return Error{Code::unsupported, "input " + std::to_string(input) + " has a rank that only the run tells"};
    HEED_TRY(node.require_rank(input, 4));
  }
  const auto q = node.input(q_input), k = node.input(k_input), v = node.input(v_input);
  HEED_TRY(node.require_equal(q.dim(0), k.dim(0), "batch of Q and K"));
  HEED_TRY(node.require_equal(k.dim(0), v.dim(0), "batch of K and V"));
  HEED_TRY(node.require_equal(k.dim(1), v.dim(1), "heads of K and V"));
  HEED_TRY(node.require_equal(modulo(q.dim(1), k.dim(1)), 0, "heads of Q modulo heads of K"));
  HEED_TRY(node.require_equal(k.dim(2), v.dim(2), "sequence of K and V"));
  HEED_TRY(node.require_equal(q.dim(3), k.dim(3), "channels of a head of Q and K"));
  HEED_ASSIGN(const DataType precision, precision_of(node));
  const Dims scores{q.dim(0), q.dim(1), q.dim(2), k.dim(2)};
  const TypeView type{{HEED_TENSOR, static_cast<int32_t>(precision), 4, 0, reinterpret_cast<const heed_dim*>(scores.data())}};
  for (const char* modifier : {"score_mod", "prob_mod"})
    if (const int32_t subgraph = node.subgraph(modifier); subgraph >= 0)
      HEED_TRY(node.infer_subgraph(subgraph, std::array{type}));
  return node.set_output(0, q.element(), Dims{q.dim(0), q.dim(1), q.dim(2), v.dim(3)});
}

bool lower(Match& match) {
  const auto node = match.node("y");
  const bool has_scale = node.has_attribute("scale");
  const auto precision = precision_of(node);
  if (!precision) return false;
  match.set("precision", static_cast<int64_t>(*precision));
  const auto modified = [&](const char* modifier, const std::string& value) {
    return node.has_attribute(modifier) ? "heed.Apply<body = @" + std::string(modifier) + ">(" + value + ")"
                                        : "Identity(" + value + ")";
  };
  if (!node.has_attribute("score_mod") && !node.has_attribute("prob_mod")) {
    match.replace_by("y = Attention<" + std::string(has_scale ? "scale = @scale, " : "") +
                     "softmax_precision = @precision>(q, k, v)");
    return true;
  }
  // [batch, key head, group, ...] where queries meet keys and values, [batch, query head, ...] between.
  match.replace_by(
      "wide_q = Cast<to = @precision>(q); wide_k = Cast<to = @precision>(k); wide_v = Cast<to = @precision>(v);"
      "group = Constant<value_ints = [-1]>(); axis = Constant<value_ints = [2]>();"
      "batch = Shape<end = 1>(q); heads = Shape<start = 1, end = 2>(k);"
      "rows = Shape<start = 2, end = 3>(q); columns = Shape<start = 2, end = 3>(k);"
      "queries = Reshape(wide_q, Concat<axis = 0>(batch, heads, group, Shape<start = 2>(q)));"
      "keys = Unsqueeze(Transpose<perm = [0, 1, 3, 2]>(wide_k), axis);"
      "products = Reshape(MatMul(queries, keys), Concat<axis = 0>(Shape<end = 3>(q), columns));"
      "scale = " +
      std::string(has_scale ? "CastLike(Constant<value_float = @scale>(), wide_q);"
                            : "Reciprocal(Sqrt(CastLike(Shape<start = 3>(q), wide_q)));") +
      "scores = Mul(products, scale);"
      "weights = Softmax<axis = -1>(" + modified("score_mod", "scores") + ");"
      "modified = " + modified("prob_mod", "weights") + ";"
      "grouped = Reshape(modified, Concat<axis = 0>(batch, heads, group, rows, columns));"
      "read = MatMul(grouped, Unsqueeze(wide_v, axis));"
      "y = CastLike(Reshape(read, Concat<axis = 0>(Shape<end = 3>(q), Shape<start = 3>(v))), q)");
  return true;
}

}  // namespace

extern const Operator flex_attention{
    .domain = "ai.onnx.preview",
    .op_type = "FlexAttention",
    .flags = HEED_CONTROL,
    .inputs = {{"Q", "T1"}, {"K", "T1"}, {"V", "T1"}},
    .outputs = {{"Y", "T1"}},
    .types = {{"T1", any_float}},
    .attributes = {optional("prob_mod", HEED_ATTRIBUTE_GRAPH), optional("score_mod", HEED_ATTRIBUTE_GRAPH),
                   optional("scale", HEED_ATTRIBUTE_FLOAT), optional("softmax_precision", HEED_ATTRIBUTE_INT)},
    .infer = infer};

extern const Rewrite flex_attention_lowered{.name = "flex_attention",
                                            .patterns = {"y = ai.onnx.preview.FlexAttention(q, k, v)"},
                                            .replacement = "",
                                            .accept = lower};

}  // namespace heed::ops
