// STFT-17: the transforms of frames of a signal that begin frame_step apart, times a window. Where the frames are known
// before the run they are cut by Gather, for DFT to transform.
#include "dft.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

enum { signal_input, step_input, window_input, length_input };

Result<void> infer(Inference& node) {
  const auto signal = node.input(signal_input);
  if (!signal.has_rank()) return node.set_output(0, signal.element());
  if (signal.rank() != 3 || (signal.dim(2).is_number() && !signal.dim(2).is_number(1) && !signal.dim(2).is_number(2)))
    return Error{Code::shape_mismatch, "the signal is " + text_of(signal.dims()) +
                                           "; expected [batch, signal, 1 (real) or 2 (complex)]"};
  HEED_ASSIGN(const auto step, number_input(node, step_input, "frame_step"));
  HEED_ASSIGN(auto length, number_input(node, length_input, "frame_length"));
  HEED_TRY(node.require_rank(window_input, 1));
  if (node.has_input(window_input) && node.input(window_input).has_rank()) {
    const Dim window = node.input(window_input).dim(0);
    if (length) HEED_TRY(node.require_equal(window, *length, "the window and frame_length"));
    if (!node.has_input(length_input)) length = window;
  } else if (!node.has_input(length_input) && !node.has_input(window_input)) {
    length = signal.dim(1);
  }
  for (const auto& number : {step, length})
    if (number && number->is_number() && number->number() < 1)
      return Error{Code::invalid_model, "frame_step or frame_length is " + to_string(*number) + "; expected 1 or more"};
  if (length && signal.dim(1).is_number() && length->is_number() && length->number() > signal.dim(1).number())
    return Error{Code::shape_mismatch, "a frame of " + to_string(*length) + " is longer than the signal " +
                                           text_of(signal.dims())};
  const bool onesided = node.integer("onesided") != 0;
  const Dim frames =
      length && step ? floor_divide(signal.dim(1) - *length, *step) + 1 : node.fresh_symbol("frames");
  const Dim bins = length ? bins_of(*length, onesided) : node.fresh_symbol("bins");
  return node.set_output(0, signal.element(), Dims{signal.dim(0), frames, bins, 2});
}

bool lower(Match& match) {
  if (!match.elements("frame_step") || (match.type("frame_length") && !match.elements("frame_length"))) return false;
  match.set("onesided", match.node("y").integer("onesided"));
  const bool has_window = match.type("window").has_value();
  std::string text = "one = Constant<value_ints = [1]>(); number = Constant<value_ints = @no_axes>();";
  match.set("no_axes", std::span<const int64_t>());
  text += match.type("frame_length") ? "length = Reshape(Cast<to = 7>(frame_length), number);"
          : has_window               ? "length = Size(window);"
                                     : "length = Reshape(Shape<start = 1, end = 2>(signal), number);";
  text +=
      "step = Reshape(Cast<to = 7>(frame_step), number);"
      "whole = Reshape(Shape<start = 1, end = 2>(signal), number);"
      "zero = Constant<value_int = 0>(); unit = Constant<value_int = 1>();"
      "count = Add(Div(Sub(whole, length), step), unit);"
      "begins = Mul(Range(zero, count, unit), step);"
      "places = Add(Unsqueeze(begins, one), Range(zero, length, unit));"
      "frames = Gather<axis = 1>(signal, places); axis = Constant<value_int = 2>();";
  text += has_window ? "weighted = Mul(frames, Unsqueeze(window, one));" : "weighted = Identity(frames);";
  match.replace_by(text + "y = DFT<onesided = @onesided>(weighted, \"\", axis)");
  return true;
}

}  // namespace

extern const Operator stft{
    .op_type = "STFT",
    .versions = {17},
    .inputs = {{"signal", "T1"},
               {"frame_step", "T2", HEED_SHAPE_DATA},
               {"window", "T1", HEED_OPTIONAL_PARAMETER},
               {"frame_length", "T2", HEED_SHAPE_DATA | HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"output", "T1"}},
    .types = {{"T1", any_float}, {"T2", {DataType::i32, DataType::i64}}},
    .attributes = {attribute("onesided", 1)},
    .infer = infer};

extern const Rewrite stft_lowered{.name = "stft",
                                  .patterns = {"y = STFT(signal, frame_step, window, frame_length)"},
                                  .replacement = "",
                                  .accept = lower};

}  // namespace heed::ops
