// Gemm: y = alpha * a' * b' + beta * c, where a' and b' are a and b, transposed on request, and c broadcasts to [m, n].
// Of f32 and 16-bit types it is rewritten to the MatMul that it is, on every device: rewrites/matmul_epilogue.cpp.
#include "matmul.hpp"
#include "shapes.hpp"

namespace heed::ops {

Result<void> infer_gemm(Inference& node) {
  HEED_TRY(node.require_rank(0, 2));
  HEED_TRY(node.require_rank(1, 2));
  const auto a = node.input(0), b = node.input(1);
  if (!a.has_rank() || !b.has_rank()) return node.set_output(0, a.element());
  const int32_t a_turned = node.integer("transA") != 0, b_turned = node.integer("transB") != 0;
  HEED_TRY(node.require_equal(a.dim(1 - a_turned), b.dim(b_turned),
                              "inner sizes of " + text_of(a.dims()) + " and " + text_of(b.dims())));
  const Dims dims{a.dim(a_turned), b.dim(1 - b_turned)};
  if (node.has_input(2) && node.input(2).has_rank()) {
    HEED_ASSIGN(const auto met, checked_broadcast(node, dims, node.input(2).dims()));
    if (met.size() != 2)
      return Error{Code::shape_mismatch,
                   "c " + text_of(node.input(2).dims()) + " does not broadcast to " + text_of(dims)};
    for (size_t i = 0; i < 2; ++i)
      HEED_TRY(node.require_equal(met[i], dims[i],
                                  "c " + text_of(node.input(2).dims()) + " and the product " + text_of(dims)));
  }
  return node.set_output(0, a.element(), dims);
}

extern const Operator gemm{.op_type = "Gemm",
                           .versions = {13, 11, 9, 7, 6, 1},
                           .inputs = {{"A", "T"}, {"B", "T"}, {"C", "T", HEED_OPTIONAL_PARAMETER}},
                           .outputs = {{"Y", "T"}},
                           .types = {{"T", any_number}},
                           .attributes = {attribute("alpha", 1.0f), attribute("beta", 1.0f), attribute("transA", 0),
                                          attribute("transB", 0), optional("broadcast", HEED_ATTRIBUTE_INT)},
                           .infer = infer_gemm};

}  // namespace heed::ops
