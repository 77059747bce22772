// com.microsoft.FusedMatMul, y = alpha * a' * b', where the matrices are transposed on request, and their batches
// brought before their first axis; FusedGemm, y = activation(alpha * a' * b' + beta * c). Rewrites lower them.
#include <array>

#include "matmul.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

constexpr std::string_view microsoft = "com.microsoft";

// ---- FusedMatMul
// ----------------------------------------------------------------------------------------------------------------

// How the axes of one side stand in the product. transBatch: the first axis goes to the place before the last; trans:
// the last two change places after that. Neither moves a vector.
std::vector<int64_t> perm_of(const NodeView& node, int32_t rank, const char* trans, const char* trans_batch) {
  std::vector<int64_t> perm;
  for (int64_t axis = 0; axis < rank; ++axis) perm.push_back(axis);
  if (rank < 2) return perm;
  if (node.integer(trans_batch) != 0) std::rotate(perm.begin(), perm.begin() + 1, perm.end() - 1);
  if (node.integer(trans) != 0) std::swap(perm[perm.size() - 2], perm[perm.size() - 1]);
  return perm;
}

Result<void> infer_fused_matmul(Inference& node) {
  const auto a = node.input(0), b = node.input(1);
  if (!a.has_rank() || !b.has_rank()) return node.set_output(0, a.element());
  std::array<Dims, 2> sides;
  for (const int32_t side : {0, 1}) {
    const auto type = node.input(side);
    if (type.rank() == 0)
      return Error{Code::shape_mismatch, "input " + std::to_string(side) + " has rank 0; expected at least one axis"};
    for (const int64_t axis :
         perm_of(node, type.rank(), side ? "transB" : "transA", side ? "transBatchB" : "transBatchA"))
      sides[static_cast<size_t>(side)].push_back(type.dim(static_cast<int32_t>(axis)));
  }
  const auto& [left, right] = sides;
  HEED_TRY(node.require_equal(left.back(), right.size() == 1 ? right[0] : right[right.size() - 2],
                              "inner sizes of " + text_of(left) + " and " + text_of(right)));
  const auto batches = [](const Dims& dims) { return std::span(dims).first(std::max<size_t>(dims.size(), 2) - 2); };
  HEED_ASSIGN(Dims dims, checked_broadcast(node, batches(left), batches(right)));
  if (left.size() > 1) dims.push_back(left[left.size() - 2]);
  if (right.size() > 1) dims.push_back(right.back());
  return node.set_output(0, a.element(), dims);
}

// Text that scales a value by the attribute `name`, where that is not 1.
std::string scaled(Match& match, const NodeView& node, const char* name, const std::string& value) {
  if (node.number(name, 1) == 1) return value;
  match.set(name, node.number(name));
  match.set("element", int64_t{match.type("a")->c.element});
  return "Mul(" + value + ", Cast<to = @element>(Constant<value_float = @" + name + ">()))";
}

bool lower_fused_matmul(Match& match) {
  const auto node = match.node("y");
  const auto a = match.type("a"), b = match.type("b");
  if (!a || !b || !a->has_rank() || !b->has_rank()) return false;
  const auto turned = [&](const char* name, int32_t rank, const char* trans, const char* trans_batch) {
    const auto perm = perm_of(node, rank, trans, trans_batch);
    if (std::is_sorted(perm.begin(), perm.end())) return std::string(name);
    match.set(trans, perm);
    return "Transpose<perm = @" + std::string(trans) + ">(" + name + ")";
  };
  const auto product = "MatMul(" + turned("a", a->rank(), "transA", "transBatchA") + ", " +
                       turned("b", b->rank(), "transB", "transBatchB") + ")";
  match.replace_by("y = " + scaled(match, node, "alpha", product));
  return true;
}

// ---- FusedGemm
// ------------------------------------------------------------------------------------------------------------------

// ONNX Runtime's names of activations, as text behind the product p. Their parameters are activation_alpha, _beta,
// _gamma.
struct Activation {
  std::string_view name, text;
};
constexpr Activation gemm_activations[] = {
    {"", "y = Identity(p)"},
    {"Relu", "y = Relu(p)"},
    {"Sigmoid", "y = Sigmoid(p)"},
    {"Tanh", "y = Tanh(p)"},
    {"Softplus", "y = Softplus(p)"},
    {"Softsign", "y = Softsign(p)"},
    {"LeakyRelu", "y = LeakyRelu<alpha = @alpha>(p)"},
    {"Elu", "y = Elu<alpha = @alpha>(p)"},
    {"ThresholdedRelu", "y = ThresholdedRelu<alpha = @alpha>(p)"},
    {"HardSigmoid", "y = HardSigmoid<alpha = @alpha, beta = @beta>(p)"},
    {"Selu", "y = Selu<alpha = @alpha, gamma = @gamma>(p)"},
};
const Activation* activation_of(const NodeView& node) {
  const auto found =
      std::find_if(std::begin(gemm_activations), std::end(gemm_activations),
                   [&](const Activation& activation) { return activation.name == node.text("activation"); });
  return found == std::end(gemm_activations) ? nullptr : found;
}

Result<void> infer_fused_gemm(Inference& node) {
  if (!activation_of(node))
    return Error{Code::unsupported, "attribute 'activation' is '" + std::string(node.text("activation")) +
                                        "', which is none of those that are known here"};
  return infer_gemm(node);
}

bool lower_fused_gemm(Match& match) {
  const auto node = match.node("y");
  const auto* activation = activation_of(node);
  for (const char* name : {"transA", "transB"}) match.set(name, node.integer(name));
  match.set("product_alpha", node.number("alpha", 1));
  match.set("product_beta", node.number("beta", 1));
  match.set("alpha", node.number("activation_alpha"));
  match.set("beta", node.number("activation_beta"));
  match.set("gamma", node.number("activation_gamma"));
  match.replace_by(
      "p = Gemm<alpha = @product_alpha, beta = @product_beta, transA = @transA, transB = @transB>(a, b, c);" +
      std::string(activation->text));
  return true;
}

}  // namespace

extern const Operator com_microsoft_fused_matmul{
    .domain = microsoft,
    .op_type = "FusedMatMul",
    .inputs = {{"A", "T"}, {"B", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", any_float}},
    .attributes = {attribute("alpha", 1.0f), attribute("transA", 0), attribute("transB", 0),
                   attribute("transBatchA", 0), attribute("transBatchB", 0)},
    .infer = infer_fused_matmul};

extern const Operator com_microsoft_fused_gemm{
    .domain = microsoft,
    .op_type = "FusedGemm",
    .inputs = {{"A", "T"}, {"B", "T"}, {"C", "T", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", any_number}},
    .attributes = {attribute("activation", ""), attribute("activation_alpha", 0.0f), attribute("activation_beta", 0.0f),
                   attribute("activation_gamma", 0.0f), attribute("alpha", 1.0f), attribute("beta", 1.0f),
                   attribute("transA", 0), attribute("transB", 0)},
    .infer = infer_fused_gemm};

extern const Rewrite com_microsoft_fused_matmul_lowered{.name = "fused_matmul",
                                                        .patterns = {"y = com.microsoft.FusedMatMul(a, b)"},
                                                        .replacement = "",
                                                        .accept = lower_fused_matmul};
extern const Rewrite com_microsoft_fused_gemm_lowered{.name = "fused_gemm",
                                                      .patterns = {"y = com.microsoft.FusedGemm(a, b, c)"},
                                                      .replacement = "",
                                                      .accept = lower_fused_gemm};

}  // namespace heed::ops
