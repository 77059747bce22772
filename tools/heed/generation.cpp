// Generation: a decoder with states, token by token.
#include "generation.hpp"

#include <charconv>

namespace heed::tool {
namespace {

bool is_tensor(const ValueType& type, DataType element, size_t rank) {
  return type.kind == Kind::tensor && type.element == element && type.dims && type.dims->size() == rank;
}

// An i64 tensor [1, count], kept and written again where its size stays.
Result<int64_t*> ids_tensor(SharedValue& value, int64_t count) {
  const std::vector<int64_t> dims = {1, count};
  if (!value || value->dims != dims) {
    HEED_ASSIGN(value, new_host_tensor(DataType::i64, dims));
  }
  return static_cast<int64_t*>(value->data);
}

}  // namespace

Result<std::unique_ptr<Decoder>> Decoder::create(std::shared_ptr<const Model> model, const SessionOptions& options) {
  const Plan& plan = model->plan();
  auto decoder = std::unique_ptr<Decoder>(new Decoder);
  std::vector<bool> is_state_input(plan.inputs.size(), false), is_state_output(plan.outputs.size(), false);
  for (const auto& state : plan.states) is_state_input[state.input] = is_state_output[state.output] = true;
  std::optional<size_t> ids, logits;
  std::string unknown;
  for (size_t i = 0; i < plan.inputs.size(); ++i) {
    if (is_state_input[i]) continue;
    const Slot& slot = plan.slots[plan.inputs[i]];
    const bool two_d = is_tensor(slot.type, DataType::i64, 2);
    if (two_d && slot.name.find("mask") != std::string::npos) {
      decoder->mask_input_ = i;
    } else if (two_d && slot.name.find("position") != std::string::npos) {
      decoder->positions_input_ = i;
    } else if (two_d && !ids) {
      ids = i;
    } else {
      unknown += "\n  input " + slot.name + "  " + to_string(slot.type);
    }
  }
  for (size_t i = 0; i < plan.outputs.size(); ++i)
    if (!is_state_output[i] && !logits && is_tensor(plan.slots[plan.outputs[i]].type, DataType::f32, 3)) logits = i;
  if (!ids || !logits || !unknown.empty())
    return Error{Code::unsupported,
                 "this model is no decoder that text can be generated with: expected token ids i64 [batch, seq] in, "
                 "logits f32 [batch, seq, vocab] out, and states" +
                     std::string(unknown.empty() ? "" : "; it also has") + unknown};
  decoder->ids_input_ = *ids;
  decoder->logits_output_ = *logits;
  const auto& metadata = model->file().metadata;
  if (const auto found = metadata.find("heed.context"); found != metadata.end())
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), decoder->context_);
  decoder->inputs_.resize(plan.inputs.size());
  decoder->outputs_.resize(plan.outputs.size());
  HEED_ASSIGN(decoder->session_, Session::create(std::move(model), options));
  return decoder;
}

Result<std::span<const float>> Decoder::run(std::span<const int64_t> ids) {
  const auto count = static_cast<int64_t>(ids.size());
  if (length_ + count > context_)
    return Error{Code::invalid_argument, "the model reads at most " + std::to_string(context_) + " tokens; " +
                                             std::to_string(length_ + count) + " were given"};
  HEED_ASSIGN(int64_t* const id_data, ids_tensor(inputs_[ids_input_], count));
  std::copy(ids.begin(), ids.end(), id_data);
  if (mask_input_) {
    HEED_ASSIGN(int64_t* const mask, ids_tensor(inputs_[*mask_input_], length_ + count));
    std::fill_n(mask, length_ + count, 1);
  }
  if (positions_input_) {
    HEED_ASSIGN(int64_t* const positions, ids_tensor(inputs_[*positions_input_], count));
    for (int64_t i = 0; i < count; ++i) positions[i] = length_ + i;
  }
  outputs_[logits_output_] = {};
  HEED_TRY(session_->run(inputs_, outputs_));
  length_ += count;
  const heed_value& logits = *outputs_[logits_output_].get();
  vocab_size_ = logits.dims[2];
  return std::span(static_cast<const float*>(logits.data), static_cast<size_t>(logits.dims[1] * vocab_size_));
}

void Decoder::reset() {
  session_->reset_states();
  length_ = 0;
}

}  // namespace heed::tool
