// DFT: y[k] = sum over n of x[n] exp(-2 pi i k n / length) along an axis, the last axis holding real and imaginary part; the
// inverse has the other sign and is divided by the length. One-sided: bins 0 to length / 2, of the output, or, inverse,
// of the input, whose transform is real. The GPU kernel is a dispatch for each factor of the length.
#include "dft.hpp"

#include "heed/fourier.hpp"
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {

Result<std::optional<Dim>> number_input(const NodeView& node, int32_t input, std::string_view name) {
  if (!node.has_input(input)) return std::optional<Dim>();
  const auto elements = node.elements(input);
  if (!elements) return std::optional<Dim>();
  if (elements->size() != 1)
    return Error{Code::shape_mismatch,
                 std::string(name) + " has " + std::to_string(elements->size()) + " elements; expected one"};
  return std::optional((*elements)[0]);
}

namespace {

enum { x_input, length_input, axis_input };

// Nothing where only the run tells.
Result<std::optional<int32_t>> axis_of(const NodeView& node, int32_t rank) {
  int64_t axis = node.integer("axis", 1);
  if (node.version() >= 20) {
    HEED_ASSIGN(const auto given, number_input(node, axis_input, "the axis"));
    if (node.has_input(axis_input) && !(given && given->is_number())) return std::optional<int32_t>();
    axis = given ? given->number() : -2;
  }
  HEED_ASSIGN(const int32_t checked, NodeView::checked_axis(axis, rank));
  if (checked == rank - 1)
    return Error{Code::invalid_model, "the axis is " + std::to_string(axis) + ", the one of real and imaginary parts"};
  return std::optional(checked);
}

bool is_inverse(const NodeView& node) { return node.integer("inverse") != 0; }
bool is_onesided(const NodeView& node) { return node.integer("onesided") != 0; }

Result<void> infer(Inference& node) {
  const auto x = node.input(x_input);
  if (!x.has_rank()) return node.set_output(0, x.element());
  if (x.rank() < 2 || (x.dim(-1).is_number() && !x.dim(-1).is_number(1) && !x.dim(-1).is_number(2)))
    return Error{Code::shape_mismatch, "the input is " + text_of(x.dims()) +
                                           "; expected signals, and a last axis of 1 (real) or 2 (complex)"};
  const bool is_real_output = is_inverse(node) && is_onesided(node);
  HEED_ASSIGN(const auto axis, axis_of(node, x.rank()));
  HEED_ASSIGN(const auto given, number_input(node, length_input, "dft_length"));
  if (given && given->is_number() && given->number() < 1)
    return Error{Code::invalid_model, "dft_length is " + to_string(*given)};
  Dims dims = fresh_dims(node, x.rank(), "transformed");
  dims.back() = is_real_output ? 1 : 2;
  if (!axis) return node.set_output(0, x.element(), dims);
  for (int32_t k = 0; k + 1 < x.rank(); ++k)
    if (k != *axis) dims[static_cast<size_t>(k)] = x.dim(k);
  const Dim signal = x.dim(*axis);
  if (!node.has_input(length_input) || given)
    dims[static_cast<size_t>(*axis)] = bins_of(given           ? *given
                                               : is_real_output ? (signal - 1) * 2
                                                                : signal,
                                               is_onesided(node) && !is_inverse(node));
  return node.set_output(0, x.element(), dims);
}

// Mirrors shaders/dft.comp.
enum Flag : uint32_t {
  first_pass = 1, last_pass = 2, mirrored = 4, real_input = 8, real_output = 16, rotates_backwards = 32
};
struct Parameters {
  Rows rows;  // a signal each
  uint32_t length, radix, done_length, inner_length;
  uint32_t kept_count, given_count, flags, split;
  uint32_t from, to;
  int32_t x_axis_stride, x_part_stride, y_axis_stride, y_part_stride;
  float scale;
  uint32_t padding = 0;
};
static_assert(sizeof(Parameters) % 8 == 0);

constexpr int64_t longest_table = 4096;

Result<GpuPlan> plan(Planning& node) {
  const auto x = node.input(x_input);
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::dft));
  HEED_ASSIGN(const auto axis, axis_of(node, x.rank()));
  if (!axis) return decline("the axis is known to the run alone");
  if (node.has_input(length_input)) {
    HEED_ASSIGN(const auto length, number_input(node, length_input, "dft_length"));
    if (!length || (is_onesided(node) && !is_inverse(node) && !length->is_number()))
       return decline("dft_length is known to the run alone");
  }
  node.take_strided(x_input);
  return GpuPlan{.variants = {{"a pass", shader}}, .bindings = {read(x_input), write(0), scratch()}};
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(x_input), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the input"));
  HEED_TRY(check_addressable(y, "the output"));
  HEED_ASSIGN(const auto axis, axis_of(node, x.rank()));
  int64_t length = y.dim(*axis);
  if (is_onesided(node) && !is_inverse(node)) {
    HEED_ASSIGN(const auto given, number_input(node, length_input, "dft_length"));
    length = given ? given->number() : x.dim(*axis);
  }
  if (length == 0) return Error{Code::shape_mismatch, "the signals are empty, and no dft_length tells more"};
  std::vector<int64_t> dims(x.dims().begin(), x.dims().end());
  dims[static_cast<size_t>(*axis)] = dims.back() = 1;
  const int64_t signal_count = y.count() / y.dim(*axis) / y.dim(-1);
  if (signal_count * length > most_addressed / 4)
    return Error{Code::unsupported, "the signals have more elements than the GPU kernel addresses"};
  const int64_t split = std::min(length, longest_table);
  Parameters p{.rows = rows_of(dims, last_axes(x.rank(), 0), std::array{x, y}),
               .length = static_cast<uint32_t>(length),
               .radix = 1,
               .done_length = 1,
               .inner_length = static_cast<uint32_t>(length),
               .kept_count = static_cast<uint32_t>(length),
               .given_count = static_cast<uint32_t>(x.dim(*axis)),
               .flags = 0,
               .split = static_cast<uint32_t>(split),
               .from = 0,
               .to = 0,
               .x_axis_stride = stride_of(x, *axis),
               .x_part_stride = stride_of(x, x.rank() - 1),
               .y_axis_stride = stride_of(y, *axis),
               .y_part_stride = stride_of(y, y.rank() - 1),
               .scale = is_inverse(node) ? 1 / static_cast<float>(length) : 1};
  uint32_t flags = 0;
  if (!is_inverse(node)) flags |= rotates_backwards;
  if (is_inverse(node) && is_onesided(node)) flags |= mirrored | real_output;
  if (x.dim(-1) == 1) flags |= real_input;
  // The roots of unity: 0 to split, and then, for those beyond, each split-th one.
  std::vector<float> roots;
  const auto add_root = [&](int64_t k) {
    const auto [re, im] = root_of_unity(k, length);
    roots.push_back(static_cast<float>(re));
    roots.push_back(static_cast<float>(is_inverse(node) ? im : -im));
  };
  for (int64_t k = 0; k < split; ++k) add_root(k);
  for (int64_t k = split; k < length; k += split) add_root(k);

  Launch launch;
  const auto factors = fourier_factors(length);
  const auto half = static_cast<uint32_t>(signal_count * length);
  for (size_t pass = 0; pass < factors.size(); ++pass) {
    const bool is_last = pass + 1 == factors.size();
    p.radix = static_cast<uint32_t>(factors[pass]);
    p.inner_length /= p.radix;
    p.flags = flags;
    if (pass == 0) p.flags |= first_pass;
    if (is_last) p.flags |= last_pass;
    p.from = pass % 2 == 0 ? half : 0;
    p.to = half - p.from;
    if (is_last) p.kept_count = static_cast<uint32_t>(y.dim(*axis));
    auto bytes = bytes_of(p);
    const auto* first = reinterpret_cast<const std::byte*>(roots.data());
    bytes.insert(bytes.end(), first, first + roots.size() * sizeof(float));
    launch.dispatches.push_back(
        {0, std::move(bytes), {workgroups_for(signal_count * p.kept_count, row_threads), 1, 1}});
    p.done_length *= p.radix;
  }
  launch.scratch_bytes = factors.size() == 1 ? 8 : size_t{half} * 2 * 8;
  return launch;
}

}  // namespace

extern const Operator dft{
    .op_type = "DFT",
    .versions = {20, 17},
    .inputs = {{"input", "T1"},
               {"dft_length", "T2", HEED_SHAPE_DATA | HEED_OPTIONAL_PARAMETER},
               {"axis", "I", HEED_SHAPE_DATA | HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"output", "T1"}},
    .types = {{"T1", any_float}, {"T2", {DataType::i32, DataType::i64}}, {"I", {DataType::i64}}},
    .attributes = {optional("axis", HEED_ATTRIBUTE_INT), attribute("inverse", 0), attribute("onesided", 0)},
    .infer = infer,
    .plan = plan,
    .bind = bind};

}  // namespace heed::ops
