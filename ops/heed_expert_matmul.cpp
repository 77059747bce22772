// heed.ExpertMatMul: each row times the matrices of the experts that it chose, y[row, choice, n] = sum over k of
// x[row, (choice,) k] * weights[expert, n, k] + bias[expert, n]. Weights are elements like x, or codes of `bits` bits,
// packed along k: (code - zero_point) * scale, one of each for a row of weights, or for each block along k; without
// zero points 2^(bits - 1). What com.microsoft's MoE and QMoE are made of.
#include "launch.hpp"
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

enum { x_input, weights_input, experts_input, bias_input, scales_input, zero_points_input };

Result<void> infer(Inference& node) {
  const auto x = node.input(x_input), weights = node.input(weights_input), experts = node.input(experts_input);
  const int64_t bits = node.integer("bits"), block_size = node.integer("block_size");
  if (bits != 0 && bits != 2 && bits != 4 && bits != 8)
    return Error{Code::invalid_model, "attribute 'bits' is " + std::to_string(bits) + "; expected 0, 2, 4 or 8"};
  if (block_size < 0 || block_size % 16 != 0)
    return Error{Code::invalid_model,
                 "attribute 'block_size' is " + std::to_string(block_size) + "; expected a multiple of 16"};
  if (weights.has_element() && (weights.element() == DataType::u8) != (bits != 0))
    return Error{Code::invalid_model, "the weights are " + std::string(name_of(weights.element())) +
                                          ", and attribute 'bits' is " + std::to_string(bits)};
  if (node.has_input(scales_input) != (bits != 0))
    return Error{Code::invalid_model, "scales belong to weights of codes, and to these alone"};
  HEED_TRY(node.require_rank(weights_input, 3));
  HEED_TRY(node.require_rank(experts_input, 2));
  if (!x.has_rank() || !weights.has_rank() || !experts.has_rank()) return node.set_output(0, x.element());
  if (x.rank() != 2 && x.rank() != 3)
    return Error{Code::shape_mismatch, "the input has rank " + std::to_string(x.rank()) + "; expected 2 or 3"};
  const Dim rows = experts.dim(0), choices = experts.dim(1), columns = weights.dim(1), inner = x.dim(-1);
  HEED_TRY(node.require_equal(x.dim(0), rows, "rows of " + text_of(x.dims()) + " and of the choices"));
  if (x.rank() == 3) HEED_TRY(node.require_equal(x.dim(1), choices, "choices of the input and of the experts"));
  HEED_TRY(node.require_equal(bits == 0 ? weights.dim(2) : weights.dim(2) * (8 / bits), inner,
                              "inner sizes of " + text_of(x.dims()) + " and " + text_of(weights.dims())));
  const auto check_count = [&](int32_t input, Dim count, std::string_view what) -> Result<void> {
    if (!node.has_input(input) || !node.input(input).has_rank()) return {};
    return node.require_equal(count_of(node.input(input).dims()), count, what);
  };
  const Dim lines = weights.dim(0) * columns;
  HEED_TRY(check_count(bias_input, lines, "elements of the bias and rows of the weights"));
  if (bits != 0) {
    const Dim blocks = block_size == 0 ? Dim(1) : floor_divide(inner, block_size);
    if (block_size != 0) HEED_TRY(node.require_equal(modulo(inner, block_size), 0, "the inner size modulo block_size"));
    HEED_TRY(check_count(scales_input, lines * blocks, "scales and blocks of the weights"));
    HEED_TRY(check_count(zero_points_input,
                         block_size == 0 ? weights.dim(0) * ceil_divide(columns * bits, Dim(8))
                                         : lines * ceil_divide(blocks * bits, Dim(8)),
                         "bytes of zero points and blocks of the weights"));
  }
  return node.set_output(0, x.element(), Dims{rows, choices, columns});
}

// Mirrors shaders/expert_matmul.comp.
struct Parameters {
  uint32_t rows, choice_count, columns, inner;
  uint32_t is_shared;
  uint32_t expert_count, words_per_index;
  uint32_t block_size, block_count;
  uint32_t zero_row_bits, has_zero_points, has_bias;
  uint32_t in_words;
  int32_t x_offset, weights_offset, experts_offset, bias_offset = 0, scales_offset = 0, zero_offset = 0, y_offset;
};
constexpr int64_t columns_at_once = 8;

Result<GpuPlan> plan(Planning& node) {
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::expert_matmul));
  if (node.has_input(scales_input) && node.input(scales_input).element() != node.input(x_input).element())
    return decline("the GPU kernel takes scales in the type of the input, not " +
                   name_in_reason(node.input(scales_input)));
  const auto y = node.output(0), x = node.input(x_input);
  if (y.has_rank() && x.has_rank()) node.work(2 * count_of(y.dims()) * x.dim(-1));
  // What is absent is bound to something that is there, and never touched.
  const auto read_or_x = [&](int32_t input) { return read(node.has_input(input) ? input : x_input); };
  const auto variant = [&](const char* name, uint32_t rows_at_once) {
    return Variant{.name = name,
                   .shader = shader,
                   .constants = {{0, static_cast<uint32_t>(node.integer("bits"))}, {1, rows_at_once}}};
  };
  return GpuPlan{.variants = {variant("a choice a workgroup", 1), variant("an expert a workgroup", 8)},
                 .bindings = {read(x_input), read(weights_input), read(experts_input), read_or_x(bias_input),
                              read_or_x(scales_input), read_or_x(zero_points_input), write(0), error_word()},
                 .error = "choice {} is of an expert that there is not"};
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(x_input), weights = node.input(weights_input), experts = node.input(experts_input);
  const auto y = node.output(0);
  if (y.count() == 0) return Launch{};
  if (weights.dim(0) == 0) return Error{Code::invalid_argument, "there are no experts to choose from"};
  for (int32_t input = 0; input < node.input_count(); ++input)
    if (node.has_input(input)) HEED_TRY(check_addressable(node.input(input), "input " + std::to_string(input)));
  HEED_TRY(check_addressable(y, "the output"));
  const int64_t bits = node.integer("bits"), block_size = node.integer("block_size"), inner = x.dim(-1);
  const int64_t block_count = block_size == 0 ? 1 : inner / block_size;
  const auto offset = [&](int32_t input) { return node.has_input(input) ? offset_of(node.input(input)) : 0; };
  const Parameters p{.rows = static_cast<uint32_t>(y.dim(0)),
                     .choice_count = static_cast<uint32_t>(y.dim(1)),
                     .columns = static_cast<uint32_t>(y.dim(2)),
                     .inner = static_cast<uint32_t>(inner),
                     .is_shared = x.rank() == 2,
                     .expert_count = static_cast<uint32_t>(weights.dim(0)),
                     .words_per_index = experts.element() == DataType::i64 ? 2u : 1u,
                     .block_size = static_cast<uint32_t>(block_size == 0 ? std::max<int64_t>(inner, 1) : block_size),
                     .block_count = static_cast<uint32_t>(block_count),
                     .zero_row_bits = ceil_divide((block_size == 0 ? y.dim(2) : block_count) * bits, 8) * 8,
                     .has_zero_points = node.has_input(zero_points_input),
                     .has_bias = node.has_input(bias_input),
                     .in_words = inner * bits % 32 == 0 && weights.c.offset % 4 == 0,
                     .x_offset = offset_of(x),
                     .weights_offset = offset_of(weights),
                     .experts_offset = offset_of(experts),
                     .bias_offset = offset(bias_input),
                     .scales_offset = offset(scales_input),
                     .zero_offset = offset(zero_points_input),
                     .y_offset = offset_of(y)};
  // With more choices than experts it pays to read a row of weights once for several of them. Untuned.
  const int64_t choices = y.dim(0) * y.dim(1), experts_there = weights.dim(0);
  const bool by_expert = choices > experts_there;
  const int64_t tiles = (by_expert ? experts_there : choices) * ceil_divide(y.dim(2), columns_at_once);
  return Launch{.dispatches = {{by_expert, bytes_of(p), {workgroups_for(tiles, 1), 1, 1}}}};
}

constexpr Types floats{DataType::f32, DataType::f16, DataType::bf16};

}  // namespace

extern const Operator heed_expert_matmul{.domain = "heed",
                                         .op_type = "ExpertMatMul",
                                         .inputs = {{"x", "T"},
                                                    {"weights", "W"},
                                                    {"experts", "I"},
                                                    {"bias", "T", HEED_OPTIONAL_PARAMETER},
                                                    {"scales", "T", HEED_OPTIONAL_PARAMETER},
                                                    {"zero_points", "Z", HEED_OPTIONAL_PARAMETER}},
                                         .outputs = {{"y", "T"}},
                                         .types = {{"T", floats},
                                                   {"W", floats | Types{DataType::u8}},
                                                   {"I", {DataType::i32, DataType::i64}},
                                                   {"Z", {DataType::u8}}},
                                         .attributes = {attribute("bits", 0), attribute("block_size", 0)},
                                         .infer = infer,
                                         .plan = plan,
                                         .bind = bind};

}  // namespace heed::ops
