// Generation: a decoder with states, token by token.
#include "generation.hpp"

#include <algorithm>
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

// What is asked of the model beside its states: next = something of the logits' last place.
constexpr std::string_view next_name = "heed.next";

template <Decoder::Gives gives>
Result<void> ask_for_next(const Graph& graph, ModelOptions& options) {
  const auto is_logits = [&](ValueId output) { return is_tensor(graph.values[output].type, DataType::f32, 3); };
  const auto logits = std::find_if(graph.outputs.begin(), graph.outputs.end(), is_logits);
  if (logits == graph.outputs.end()) return {};  // adopt() says so
  const std::string next(next_name);
  options.append = next + ".place = Constant<value_ints = [-1]>() ";
  const std::string last = "Gather<axis = 1>(\"" + graph.values[*logits].name + "\", " + next + ".place)";
  options.append += next + " = " + (gives == Decoder::Gives::logits ? last : "ArgMax<axis = -1, keepdims = 0>(" + last + ")");
  for (size_t i = 0; i < graph.outputs.size(); ++i)
    options.outputs.push_back(graph.outputs[i] == *logits ? next : graph.output_names[i]);
  return {};
}

}  // namespace

Result<std::unique_ptr<Decoder>> Decoder::open(const std::string& model, const RunOptions& options, Gives gives) {
  ModelSource source(model, options, gives == Gives::logits ? ask_for_next<Gives::logits> : ask_for_next<Gives::likeliest>);
  HEED_ASSIGN(auto opened, source.open());
  auto decoder = std::unique_ptr<Decoder>(new Decoder(std::move(source)));
  HEED_TRY(decoder->adopt(std::move(opened)));
  return decoder;
}

Result<void> Decoder::adopt(std::shared_ptr<const Model> model) {
  const Plan& plan = model->plan();
  std::vector<bool> is_state_input(plan.inputs.size(), false);
  for (const auto& state : plan.states) is_state_input[state.input] = true;
  std::optional<size_t> ids, next;
  std::string unknown;
  for (size_t i = 0; i < plan.inputs.size(); ++i) {
    if (is_state_input[i]) continue;
    const Slot& slot = plan.slots[plan.inputs[i]];
    const bool two_d = is_tensor(slot.type, DataType::i64, 2);
    if (two_d && slot.name.find("mask") != std::string::npos) {
      mask_input_ = i;
    } else if (two_d && slot.name.find("position") != std::string::npos) {
      positions_input_ = i;
    } else if (two_d && !ids) {
      ids = i;
    } else {
      unknown += "\n  input " + slot.name + "  " + to_string(slot.type);
    }
  }
  for (size_t i = 0; i < plan.outputs.size(); ++i)
    if (plan.graph->output_names[i] == next_name) next = i;
  if (!ids || !next || !unknown.empty())
    return Error{Code::unsupported,
                 "this model is no decoder that text can be generated with: expected token ids i64 [batch, seq] in, "
                 "logits f32 [batch, seq, vocab] out, and states" +
                     std::string(unknown.empty() ? "" : "; it also has") + unknown};
  ids_input_ = *ids;
  next_output_ = *next;
  const auto& metadata = model->file().metadata;
  if (const auto found = metadata.find("heed.context"); found != metadata.end())
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), context_);
  inputs_.assign(plan.inputs.size(), {});
  outputs_.assign(plan.outputs.size(), {});
  HEED_ASSIGN(session_, Session::create(std::move(model)));
  return {};
}

Result<void> Decoder::run_once(std::span<const int64_t> ids, int64_t past) {
  const auto count = static_cast<int64_t>(ids.size());
  HEED_ASSIGN(int64_t* const id_data, ids_tensor(inputs_[ids_input_], count));
  std::copy(ids.begin(), ids.end(), id_data);
  if (mask_input_) {
    HEED_ASSIGN(int64_t* const mask, ids_tensor(inputs_[*mask_input_], past + count));
    std::fill_n(mask, past + count, 1);
  }
  if (positions_input_) {
    HEED_ASSIGN(int64_t* const positions, ids_tensor(inputs_[*positions_input_], count));
    for (int64_t i = 0; i < count; ++i) positions[i] = past + i;
  }
  outputs_[next_output_] = {};
  return session_->run(inputs_, outputs_);
}

// What the model gives for the token that follows.
Result<const heed_value*> Decoder::run(std::span<const int64_t> ids) {
  const int64_t past = length(), count = static_cast<int64_t>(ids.size());
  if (past + count > context_)
    return Error{Code::invalid_argument, "the model reads at most " + std::to_string(context_) + " tokens; " +
                                             std::to_string(past + count) + " were given"};
  read_.insert(read_.end(), ids.begin(), ids.end());
  auto done = run_once(ids, past);
  while (!done) {
    session_.reset();
    HEED_ASSIGN(auto model, source_.reopen(std::move(done).error()));
    HEED_TRY(adopt(std::move(model)));
    done = run_once(read_, 0);
  }
  return const_cast<const heed_value*>(outputs_[next_output_].get());
}

Result<std::span<const float>> Decoder::logits(std::span<const int64_t> ids) {
  HEED_ASSIGN(const heed_value* next, run(ids));
  return std::span(static_cast<const float*>(next->data), static_cast<size_t>(next->dims.back()));
}

Result<int64_t> Decoder::likeliest(std::span<const int64_t> ids) {
  HEED_ASSIGN(const heed_value* next, run(ids));
  return *static_cast<const int64_t*>(next->data);
}

void Decoder::reset() {
  session_->reset_states();
  read_.clear();
}

}  // namespace heed::tool
