// MelWeightMatrix-17: the triangles by which a spectrogram [..., dft_length / 2 + 1] becomes one of num_mel_bins bins,
// that are equally wide on the mel scale, 2595 log10(1 + hertz / 700).
#include "checks.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  for (int32_t input = 0; input < 5; ++input) {
    const auto type = node.input(input);
    if (type.has_rank())
      HEED_TRY(node.require_equal(count_of(type.dims()), 1, "elements of input " + std::to_string(input)));
  }
  HEED_ASSIGN(const DataType type, type_attribute(node, "output_datatype", any_number));
  const auto bins = node.elements(0), length = node.elements(1);
  return node.set_output(
      0, type,
      Dims{length && length->size() == 1 ? floor_divide(length->front(), 2) + 1 : node.fresh_symbol("spectrum"),
           bins && bins->size() == 1 ? bins->front() : node.fresh_symbol("bins")});
}

constexpr Types lengths{DataType::i32, DataType::i64};

}  // namespace

extern const Operator mel_weight_matrix{.op_type = "MelWeightMatrix",
                                        .versions = {17},
                                        .inputs = {{"num_mel_bins", "I"},
                                                   {"dft_length", "I"},
                                                   {"sample_rate", "I"},
                                                   {"lower_edge_hertz", "F"},
                                                   {"upper_edge_hertz", "F"}},
                                        .outputs = {{"output", "T"}},
                                        .types = {{"I", lengths}, {"F", any_float}, {"T", any_number}},
                                        .attributes = {attribute("output_datatype", 1)},
                                        .infer = infer};

}  // namespace heed::ops
