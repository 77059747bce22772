// com.microsoft.MatMulNBits and heed.FusedMatMulNBits: y = a b^T + bias, where b [N, K] is quantised in blocks along K: b = (code - zero_point) * scale.
// Codes of `bits` bits lie side by side from the lowest bits on, each block in whole bytes; a zero point is a code, packed
// likewise along the blocks of a row, or a float; without any it is 2^(bits - 1). g_idx tells the block of each k. The latter
// finishes its sums as heed.FusedMatMul does.
#include "matmul.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const int64_t n = node.integer("N"), k = node.integer("K"), bits = node.integer("bits", 4);
  const int64_t block_size = node.integer("block_size");
  const auto outside = [](std::string_view name, int64_t value, std::string_view expected) {
    return Error{Code::invalid_model, "attribute '" + std::string(name) + "' is " + std::to_string(value) +
                                          "; expected " + std::string(expected)};
  };
  constexpr int64_t most = int64_t{1} << 40;
  if (n < 1 || n > most) return outside("N", n, "the columns of y");
  if (k < 1 || k > most) return outside("K", k, "the columns of a");
  if (bits < 2 || bits > 8) return outside("bits", bits, "2 to 8");
  if (block_size < 16 || block_size > most || (block_size & (block_size - 1)) != 0)
    return outside("block_size", block_size, "a power of 2 of at least 16");
  const int64_t blocks = (k + block_size - 1) / block_size;
  if (n > (int64_t{1} << 58) / (blocks * block_size)) return outside("N", n, "fewer columns of so many codes");
  const auto check_count = [&](int32_t input, int64_t count, std::string_view what) -> Result<void> {
    if (!node.has_input(input) || !node.input(input).has_rank()) return {};
    return node.require_equal(count_of(node.input(input).dims()), count,
                              "elements of " + std::string(what) + " and what N, K, bits and block_size ask for");
  };
  HEED_TRY(check_count(b_input, n * blocks * (block_size * bits / 8), "B"));
  HEED_TRY(check_count(nbits_scales, n * blocks, "scales"));
  const bool are_codes = node.has_input(nbits_zero_points) && node.input(nbits_zero_points).element() == DataType::u8;
  HEED_TRY(check_count(nbits_zero_points, are_codes ? n * ((blocks * bits + 7) / 8) : n * blocks, "zero_points"));
  HEED_TRY(check_count(nbits_bias, n, "bias"));
  const auto g_idx = node.input(nbits_g_idx);
  if (node.has_input(nbits_g_idx) && g_idx.has_rank() && count_of(g_idx.dims()).is_number() &&
      count_of(g_idx.dims()).number() != k && count_of(g_idx.dims()).number() != blocks * block_size)
    return Error{Code::shape_mismatch, "g_idx has " + std::to_string(count_of(g_idx.dims()).number()) +
                                           " elements; expected " + std::to_string(k)};
  const auto a = node.input(a_input);
  if (!a.has_rank()) {
    HEED_TRY(node.set_output(0, a.element()));
    return check_epilogue(node, nbits_residual, std::nullopt);
  }
  if (a.rank() == 0) return Error{Code::shape_mismatch, "A has rank 0; expected at least one axis"};
  HEED_TRY(node.require_equal(a.dim(-1), k, "the last axis of A and K"));
  Dims dims(a.dims().begin(), a.dims().end());
  dims.back() = n;
  HEED_TRY(node.set_output(0, a.element(), dims));
  return check_epilogue(node, nbits_residual, dims);
}

}  // namespace

extern const Operator matmul_nbits{
    .domain = "com.microsoft", .op_type = "MatMulNBits",
    .inputs = {{"A", "T1"}, {"B", "T2"}, {"scales", "T1"}, {"zero_points", "T3", HEED_OPTIONAL_PARAMETER},
               {"g_idx", "T4", HEED_OPTIONAL_PARAMETER}, {"bias", "T1", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"Y", "T1"}},
    .types = {{"T1", {DataType::f32, DataType::f16, DataType::bf16}}, {"T2", {DataType::u8}},
              {"T3", {DataType::u8, DataType::f32, DataType::f16, DataType::bf16}}, {"T4", {DataType::i32}}},
    .attributes = {required("K", HEED_ATTRIBUTE_INT), required("N", HEED_ATTRIBUTE_INT),
                   required("block_size", HEED_ATTRIBUTE_INT), attribute("bits", 4), attribute("accuracy_level", 0)},
    .infer = infer, .plan = plan_matmul_nbits, .bind = bind_matmul_nbits};
extern const Operator fused_matmul_nbits = finishing(matmul_nbits, "FusedMatMulNBits");

}  // namespace heed::ops
