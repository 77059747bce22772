// com.microsoft.MoE and QMoE: of each token the k experts that the router prefers, y = sum of weight *
// fc2(activation(fc1 x)), with fc3 as the other half of a gate. QMoE's weights are codes of `expert_weight_bits` bits,
// with a scale for each row, or for each block of it. Rewrites lower both to heed.ExpertMatMul, twice or three times.
//
// Routing weights are the softmax over all experts, those of the chosen made to sum to 1 on request; ONNX Runtime's CPU
// provider normalizes QMoE's always. Its MoE's Gelu is the one by tanh.
#include "shapes.hpp"

namespace heed::ops {
namespace {

constexpr std::string_view microsoft = "com.microsoft";
constexpr Types moe_types{DataType::f32, DataType::f16, DataType::bf16};

// Inputs by place: of MoE, and of QMoE; none is 0, the tokens.
struct Places {
  int32_t weights, bias, scales, zero_points;
};
constexpr Places moe_places[] = {{2, 3, 0, 0}, {4, 5, 0, 0}, {6, 7, 0, 0}};
constexpr Places qmoe_places[] = {{2, 4, 3, 11}, {5, 7, 6, 12}, {8, 10, 9, 13}};

Error outside(std::string_view name, const std::string& value, std::string_view expected) {
  return {Code::invalid_model,
          "attribute '" + std::string(name) + "' is " + value + "; expected " + std::string(expected)};
}

constexpr std::string_view activations[] = {"relu", "gelu", "silu", "swiglu", "identity"};

Result<void> check_attributes(const NodeView& node, bool is_quantized) {
  const auto activation = node.text("activation_type");
  if (std::find(std::begin(activations), std::end(activations), activation) == std::end(activations))
    return outside("activation_type", "'" + std::string(activation) + "'", "relu, gelu, silu, swiglu or identity");
  if (node.integer("k") < 1) return outside("k", std::to_string(node.integer("k")), "1 or more");
  if (node.integer("use_sparse_mixer") != 0 && node.integer("k") != 2)
    return outside("k", std::to_string(node.integer("k")), "2, as the sparse mixer chooses");
  const int64_t fusion = node.integer("swiglu_fusion");
  if (fusion < 0 || fusion > 2) return outside("swiglu_fusion", std::to_string(fusion), "0, 1 or 2");
  const bool has_fc3 = node.has_input(is_quantized ? qmoe_places[2].weights : moe_places[2].weights);
  if (activation == "swiglu" && (fusion == 0) != has_fc3)
    return outside("swiglu_fusion", std::to_string(fusion), has_fc3 ? "0 beside an fc3" : "1 or 2 without an fc3");
  if (!is_quantized) return {};
  const int64_t bits = node.integer("expert_weight_bits");
  if (bits != 2 && bits != 4 && bits != 8) return outside("expert_weight_bits", std::to_string(bits), "2, 4 or 8");
  const int64_t block = node.integer("block_size");
  if (block != 0 && (block < 16 || (block & (block - 1)) != 0))
    return outside("block_size", std::to_string(block), "a power of 2 of at least 16");
  if (node.text("quant_type") != "int")
    return Error{Code::unsupported,
                 "attribute 'quant_type' is '" + std::string(node.text("quant_type")) + "'; only 'int' is carried out"};
  if (node.integer("weights_prepacked") > 0)
    return Error{Code::unsupported, "attribute 'weights_prepacked' is " +
                                        std::to_string(node.integer("weights_prepacked")) +
                                        ", an order that only its own provider knows"};
  return {};
}

// Whether the layers fit the tokens and each other: fc1 and fc3 [expert, inner, hidden], fc2 [expert, hidden, inner],
// with so many codes in an element along the last axis, and twice as many rows in an fc1 that holds the gate, too.
Result<void> check_layers(Inference& node, std::span<const Places, 3> places, int64_t codes) {
  const auto fc1 = node.input(places[0].weights), fc2 = node.input(places[1].weights);
  if (!fc1.has_rank() || !fc2.has_rank()) return {};
  const bool holds_gate = node.text("activation_type") == "swiglu" && node.integer("swiglu_fusion") != 0;
  const Dim hidden = node.input(0).dim(-1), inner = holds_gate ? floor_divide(fc1.dim(1), 2) : fc1.dim(1);
  HEED_TRY(node.require_equal(fc1.dim(2) * codes, hidden, "the last axis of fc1_experts_weights and hidden size"));
  HEED_TRY(node.require_equal(fc2.dim(1), hidden, "rows of fc2_experts_weights and hidden size"));
  HEED_TRY(node.require_equal(fc2.dim(2) * codes, inner, "the last axis of fc2_experts_weights and inner size"));
  if (!node.has_input(places[2].weights) || !node.input(places[2].weights).has_rank()) return {};
  const auto fc3 = node.input(places[2].weights);
  HEED_TRY(node.require_equal(fc3.dim(1), inner, "rows of fc3_experts_weights and inner size"));
  return node.require_equal(fc3.dim(2) * codes, hidden, "the last axis of fc3_experts_weights and hidden size");
}

template <bool is_quantized>
Result<void> infer(Inference& node) {
  HEED_TRY(check_attributes(node, is_quantized));
  HEED_TRY(like_input(node));
  const auto x = node.input(0), router = node.input(1);
  HEED_TRY(node.require_rank(1, 2));
  if (!x.has_rank() || !router.has_rank()) return {};
  if (x.rank() != 2 && x.rank() != 3)
    return Error{Code::shape_mismatch, "the input has rank " + std::to_string(x.rank()) + "; expected 2 or 3"};
  const Dim experts = router.dim(1);
  HEED_TRY(node.require_equal(count_of(x.dims().first(x.dims().size() - 1)), router.dim(0),
                              "tokens and rows of the router"));
  if (experts.is_number() && node.integer("k") > experts.number())
    return outside("k", std::to_string(node.integer("k")),
                   "no more than the " + std::to_string(experts.number()) + " experts");
  for (const Places& places : is_quantized ? qmoe_places : moe_places) {
    if (!node.has_input(places.weights)) continue;
    HEED_TRY(node.require_rank(places.weights, 3));
    if (is_quantized && !node.has_input(places.scales))
      return Error{Code::invalid_model, "input " + std::to_string(places.weights) + " has no scales"};
    if (node.input(places.weights).has_rank())
      HEED_TRY(node.require_equal(node.input(places.weights).dim(0), experts,
                                  "experts of input " + std::to_string(places.weights) + " and of the router"));
  }
  return check_layers(node, is_quantized ? qmoe_places : moe_places,
                      is_quantized ? 8 / node.integer("expert_weight_bits") : 1);
}

std::string list_of(std::initializer_list<int64_t> values) {
  std::string text;
  for (const int64_t value : values) text += (text.empty() ? "" : ", ") + std::to_string(value);
  return "Constant<value_ints = [" + text + "]>()";
}

// Text that makes "chosen" and "experts" [token, k] of "logits" by the SparseMixer of Phi-3.5-MoE (arXiv:2404.14219):
// the best of those whose distance to the best is small, twice, the first left out at the second turn.
std::string sparse_mixer() {
  std::string text = "least = Constant<value_float = -inf>(); jitter = Constant<value_float = 0.02>();";
  const auto choose = [&](const std::string& scores, const std::string& turn) {
    text += "best" + turn + " = ReduceMax(" + scores + ", " + list_of({-1}) + ");" + "far" + turn +
            " = Greater(Div(Sub(best" + turn + ", logits), Max(Abs(logits), best" + turn + ")), jitter);" + "chosen" +
            turn + ", expert" + turn + " = TopK(Softmax<axis = -1>(Where(far" + turn + ", least, " + scores + ")), " +
            list_of({1}) + ");";
  };
  choose("logits", "1");
  text += "others = ScatterElements<axis = -1>(logits, expert1, Expand(least, Shape(expert1)));";
  choose("others", "2");
  return text + "chosen = Concat<axis = -1>(chosen1, chosen2); experts = Concat<axis = -1>(expert1, expert2);";
}

template <bool is_quantized>
bool lower(Match& match) {
  const auto node = match.node("y");
  const auto x = match.type("x");
  if (!x || !x->has_rank()) return false;
  const auto name_of_input = [&](const std::string& name) { return match.type(name) ? name : std::string("\"\""); };
  const int64_t k = node.integer("k");
  match.set("element", int64_t{x->c.element});

  std::string text = "rows = Flatten<axis = -1>(x); logits = Cast<to = 1>(router);";
  if (match.type("router_weights"))
    text += "preferred, experts = TopK<axis = -1>(logits, " + list_of({k}) +
            "); chosen = GatherElements<axis = -1>(Cast<to = 1>(router_weights), experts);";
  else if (node.integer("use_sparse_mixer") != 0)
    text += sparse_mixer();
  else
    text += "chosen, experts = TopK<axis = -1>(Softmax<axis = -1>(logits), " + list_of({k}) + ");";
  text += node.integer("normalize_routing_weights") != 0 && node.integer("use_sparse_mixer") == 0
              ? "weights = Div(chosen, ReduceSum(chosen, " + list_of({-1}) + "));"
              : "weights = Identity(chosen);";

  match.set("bits", is_quantized ? node.integer("expert_weight_bits") : 0);
  match.set("block", is_quantized ? node.integer("block_size") : 0);
  const auto product = [&](const std::string& rows, const std::string& layer) {
    std::string scales = name_of_input(layer + "_scales");
    if (const auto type = match.type(layer + "_scales"); type && type->c.element != x->c.element)
      scales = "Cast<to = @element>(" + scales + ")";
    return "heed.ExpertMatMul<bits = @bits, block_size = @block>(" + rows + ", " + layer + ", experts, " +
           name_of_input(layer + "_bias") + ", " + scales + ", " + name_of_input(layer + "_zeros") + ")";
  };
  text += "first = " + product("rows", "fc1") + ";";

  const auto activation = node.text("activation_type");
  if (activation == "swiglu") {
    // Gate and value: two products, or the columns of one, by turns or by halves.
    const int64_t fusion = node.integer("swiglu_fusion");
    if (fusion == 0) text += "gate = Identity(first); value = " + product("rows", "fc3") + ";";
    if (fusion == 1)
      for (const auto& [half, begin] : {std::pair("gate", 0), {"value", 1}})
        text += std::string(half) + " = Slice(first, " + list_of({begin}) + ", " +
                list_of({std::numeric_limits<int64_t>::max()}) + ", " + list_of({-1}) + ", " + list_of({2}) + ");";
    if (fusion == 2) text += "gate, value = Split<axis = -1, num_outputs = 2>(first);";
    match.set("alpha", node.number("activation_alpha", 1));
    match.set("shift", node.number("activation_beta", 0));
    std::string gate = "gate", value = "value";
    if (node.has_attribute("swiglu_limit")) {
      match.set("limit", node.number("swiglu_limit"));
      match.set("limit_below", -node.number("swiglu_limit"));
      text +=
          "most = Cast<to = @element>(Constant<value_float = @limit>());"
          "least_value = Cast<to = @element>(Constant<value_float = @limit_below>());";
      gate = "Min(gate, most)", value = "Clip(value, least_value, most)";
    }
    if (node.number("activation_beta", 0) != 0)
      value = "Add(" + value + ", Cast<to = @element>(Constant<value_float = @shift>()))";
    text += "hidden = Mul(Swish<alpha = @alpha>(" + gate + "), " + value + ");";
  } else {
    const std::string active = activation == "relu"   ? "Relu(first)"
                               : activation == "gelu" ? "Gelu<approximate = \"tanh\">(first)"
                               : activation == "silu" ? "Swish(first)"
                                                      : "Identity(first)";
    text += match.type("fc3") ? "hidden = Mul(" + active + ", " + product("rows", "fc3") + ");"
                              : "hidden = " + active + ";";
  }
  text += "outputs = " + product("hidden", "fc2") + ";" + "mixed = MatMul(Unsqueeze(Cast<to = @element>(weights), " +
          list_of({1}) + "), outputs);" + "y = Reshape(mixed, Shape(x))";
  match.replace_by(text);
  return true;
}

std::vector<AttributeRule> attributes(bool is_quantized) {
  std::vector<AttributeRule> rules = {attribute("activation_alpha", 1.0f),
                                      attribute("activation_beta", 0.0f),
                                      attribute("activation_type", "relu"),
                                      attribute("k", 1),
                                      attribute("swiglu_fusion", 0),
                                      optional("swiglu_limit", HEED_ATTRIBUTE_FLOAT),
                                      attribute("normalize_routing_weights", 0),
                                      attribute("use_sparse_mixer", 0)};
  if (!is_quantized) return rules;
  for (auto& rule : {attribute("accuracy_level", 0), attribute("block_size", 0), attribute("expert_weight_bits", 4),
                     attribute("quant_type", "int"), attribute("weights_prepacked", -1)})
    rules.push_back(rule);
  return rules;
}

}  // namespace

extern const Operator mixture_of_experts{.domain = microsoft,
                                         .op_type = "MoE",
                                         .inputs = {{"input", "T"},
                                                    {"router_probs", "T"},
                                                    {"fc1_experts_weights", "T"},
                                                    {"fc1_experts_bias", "T", HEED_OPTIONAL_PARAMETER},
                                                    {"fc2_experts_weights", "T"},
                                                    {"fc2_experts_bias", "T", HEED_OPTIONAL_PARAMETER},
                                                    {"fc3_experts_weights", "T", HEED_OPTIONAL_PARAMETER},
                                                    {"fc3_experts_bias", "T", HEED_OPTIONAL_PARAMETER}},
                                         .outputs = {{"output", "T"}},
                                         .types = {{"T", moe_types}},
                                         .attributes = attributes(false),
                                         .infer = infer<false>};

extern const Operator quantized_mixture_of_experts{
    .domain = microsoft,
    .op_type = "QMoE",
    .inputs = {{"input", "T"},
               {"router_probs", "T"},
               {"fc1_experts_weights", "T1"},
               {"fc1_scales", "T2", HEED_OPTIONAL_PARAMETER},
               {"fc1_experts_bias", "T", HEED_OPTIONAL_PARAMETER},
               {"fc2_experts_weights", "T1"},
               {"fc2_scales", "T2", HEED_OPTIONAL_PARAMETER},
               {"fc2_experts_bias", "T", HEED_OPTIONAL_PARAMETER},
               {"fc3_experts_weights", "T1", HEED_OPTIONAL_PARAMETER},
               {"fc3_scales", "T2", HEED_OPTIONAL_PARAMETER},
               {"fc3_experts_bias", "T", HEED_OPTIONAL_PARAMETER},
               {"fc1_zero_points", "T1", HEED_OPTIONAL_PARAMETER},
               {"fc2_zero_points", "T1", HEED_OPTIONAL_PARAMETER},
               {"fc3_zero_points", "T1", HEED_OPTIONAL_PARAMETER},
               {"router_weights", "T", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"output", "T"}},
    .types = {{"T", moe_types}, {"T1", {DataType::u8}}, {"T2", moe_types}},
    .attributes = attributes(true),
    .infer = infer<true>};

extern const Rewrite mixture_of_experts_lowered{
    .name = "mixture_of_experts",
    .patterns = {"y = com.microsoft.MoE(x, router, fc1, fc1_bias, fc2, fc2_bias, fc3, fc3_bias)"},
    .replacement = "",
    .accept = lower<false>};
extern const Rewrite quantized_mixture_of_experts_lowered{
    .name = "quantized_mixture_of_experts",
    .patterns =
        {"y = com.microsoft.QMoE(x, router, fc1, fc1_scales, fc1_bias, fc2, fc2_scales, fc2_bias, fc3, fc3_scales, "
         "fc3_bias, fc1_zeros, fc2_zeros, fc3_zeros, router_weights)"},
    .replacement = "",
    .accept = lower<true>};

}  // namespace heed::ops
