// ReverseSequence-10: of each sequence of a batch the first sequence_lens elements along the time axis, turned round;
// what is behind them stays. Batch and time are the first two axes.
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto x = node.input(0), lengths = node.input(1);
  const int64_t batch = node.integer("batch_axis"), time = node.integer("time_axis");
  if (batch + time != 1 || batch * time != 0)
    return Error{Code::invalid_model, "attributes 'batch_axis' and 'time_axis' are " + std::to_string(batch) + " and " +
                                          std::to_string(time) + "; expected 0 and 1, or 1 and 0"};
  HEED_TRY(node.require_rank(1, 1));
  if (x.has_rank() && x.rank() < 2)
    return Error{Code::shape_mismatch, "the input has rank " + std::to_string(x.rank()) + "; expected at least 2"};
  if (x.has_rank() && lengths.has_rank())
    HEED_TRY(node.require_equal(lengths.dim(0), x.dim(static_cast<int32_t>(batch)), "batch of sequence_lens"));
  return like_input(node);
}

// Mirrors shaders/reverse_sequence.comp.
struct Parameters {
  uint32_t count, second_size, inner_count;
  uint32_t time_size, time_is_first;
  int32_t x_offset, lengths_offset, y_offset;
};

Result<GpuPlan> plan(Planning& node) {
  if (!node.input(1).has_rank()) return decline("the rank of sequence_lens is not known");
  HEED_ASSIGN(auto variant, moving_variant(node, node.input(0), shaders::reverse_sequence));
  return GpuPlan{.variants = {std::move(variant)},
                 .bindings = {read(0), read(1), write(0), error_word()},
                 .error = "element {} of sequence_lens is negative, or more than the time axis has"};
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(0), lengths = node.input(1), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the input"));
  HEED_TRY(check_addressable(y, "the output"));
  const auto time = static_cast<int32_t>(node.integer("time_axis"));
  const Parameters p{.count = static_cast<uint32_t>(y.count()),
                     .second_size = static_cast<uint32_t>(x.dim(1)),
                     .inner_count = static_cast<uint32_t>(x.count(2, x.rank())),
                     .time_size = static_cast<uint32_t>(x.dim(time)),
                     .time_is_first = time == 0,
                     .x_offset = offset_of(x),
                     .lengths_offset = offset_of(lengths),
                     .y_offset = offset_of(y)};
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(y.count(), 64), 1, 1}}}};
}

}  // namespace

extern const Operator reverse_sequence{.op_type = "ReverseSequence",
                                       .versions = {10},
                                       .inputs = {{"input", "T"}, {"sequence_lens", "I"}},
                                       .outputs = {{"Y", "T"}},
                                       .types = {{"T", any_type}, {"I", {DataType::i64}}},
                                       .attributes = {attribute("batch_axis", 1), attribute("time_axis", 0)},
                                       .infer = infer,
                                       .plan = plan,
                                       .bind = bind};

}  // namespace heed::ops
