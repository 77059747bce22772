// Generation: a decoder and its caches, token by token.
#include "generation.hpp"

#include <algorithm>
#include <limits>

#include "heed/numeric.hpp"

namespace heed::tool {
namespace {

// What is asked of the model beside its caches: next = something of the logits' last place.
constexpr std::string_view next_name = "heed.next";

Result<void> ask_for_next(const Graph& graph, const DecoderGraph& decoder, Decoder::Gives gives,
                          ModelOptions& options) {
  if (!decoder.logits) return {};  // adopt() says so
  const Value& logits = graph.values[graph.outputs[*decoder.logits]];
  const std::string next(next_name);
  options.append = next + ".place = Constant<value_ints = [-1]>() ";
  std::string last = "Gather<axis = 1>(\"" + logits.name + "\", " + next + ".place)";
  if (logits.type.element != DataType::f32) last = "Cast<to = 1>(" + last + ")";
  options.append +=
      next + " = " + (gives == Decoder::Gives::logits ? last : "ArgMax<axis = -1, keepdims = 0>(" + last + ")");
  if (!decoder.has_caches)
    options.outputs = {next};
  else
    for (size_t i = 0; i < graph.outputs.size(); ++i)
      options.outputs.push_back(i == *decoder.logits ? next : graph.output_names[i]);
  return {};
}

// Kept and written again where its sizes stay.
Result<void> make(SharedValue& value, DataType element, std::span<const int64_t> dims) {
  if (value && std::equal(dims.begin(), dims.end(), value->dims.begin(), value->dims.end())) return {};
  HEED_ASSIGN(value, new_host_tensor(element, dims));
  return {};
}

template <class T>
T as(int64_t number) {
  if constexpr (std::is_arithmetic_v<T>)
    return static_cast<T>(number);
  else
    return T(static_cast<float>(number));
}

template <class T>
T lowest() {
  if constexpr (std::is_arithmetic_v<T>)
    return std::numeric_limits<T>::lowest();
  else
    return T(-65504.0f);  // finite in both types of 16 bits
}

}  // namespace

Result<std::unique_ptr<Decoder>> Decoder::open(const std::string& model, const RunOptions& options, Gives gives,
                                               int64_t most_tokens) {
  HEED_ASSIGN(const auto path, find_model(model));
  auto graph = std::make_shared<DecoderGraph>();
  const auto adapt = [graph, gives](const Graph& met, ModelOptions& model_options) {
    *graph = DecoderGraph::of(met);
    return ask_for_next(met, *graph, gives, model_options);
  };
  auto decoder =
      std::unique_ptr<Decoder>(new Decoder(ModelSource(model, options, adapt), path.parent_path(), most_tokens));
  decoder->graph_ = std::move(graph);
  decoder->limits_ = options.run_limits();
  HEED_ASSIGN(auto opened, decoder->source_.open());
  HEED_TRY(decoder->adopt(std::move(opened)));
  return decoder;
}

Result<void> Decoder::adopt(std::shared_ptr<const Model> model) {
  const Plan& plan = model->plan();
  auto decoding = Decoding::of(plan, *graph_, model->file(), folder_);
  if (!decoding) return std::move(decoding).error().within(model->file().path);
  decoding_ = std::move(*decoding);
  const auto& names = plan.graph->output_names;
  next_output_ = static_cast<size_t>(std::find(names.begin(), names.end(), next_name) - names.begin());
  inputs_.assign(plan.inputs.size(), {});
  outputs_.assign(plan.outputs.size(), {});
  SessionOptions options{.limits = limits_};
  capacity_ = decoding_.capacity;
  for (const auto& symbol : decoding_.open_capacities) {
    capacity_ = std::min(most_tokens_, decoding_.context.tokens);
    options.sizes.emplace_back(symbol, *capacity_);
  }
  HEED_ASSIGN(session_, Session::create(std::move(model), options));
  return {};
}

void Decoder::begin(std::vector<int64_t> padding) {
  session_->reset_states();
  padding_ = std::move(padding);
  read_.assign(padding_.size(), {});
}

// Writes what an input is for: its axes in the order of the loops below, each there or not.
Result<void> Decoder::fill(const DecoderInput& input, std::span<const int64_t> ids, int64_t past) {
  const Plan& plan = model().plan();
  const ValueType& type = plan.slots[plan.inputs[input.input]].type;
  const int64_t count = static_cast<int64_t>(ids.size()) / text_count(), total = past + count;
  int64_t ahead = 1, texts = 1, behind = 1, queries = 1, keys = 1;
  int64_t first_query = count - 1;  // where there is no axis of queries: the last
  std::vector<int64_t> dims;
  for (size_t axis = 0; axis < input.axes.size(); ++axis) {
    const Dim dim = (*type.dims)[axis];
    const auto size = [&](int64_t open) { return dims.emplace_back(dim.is_number() ? dim.number() : open); };
    switch (input.axes[axis]) {
      case 'b':
        texts = size(text_count());
        break;
      case 's':
        queries = size(count);
        first_query = 0;
        break;
      case 't':
        keys = size(capacity_.value_or(total));
        break;
      default:
        (axis == 0 ? ahead : behind) *= size(1);
    }
  }
  SharedValue& value = inputs_[input.input];
  HEED_TRY(make(value, *type.element, dims));
  const auto sees = [&](int64_t text, int64_t query, int64_t key) {
    return key >= padding_[static_cast<size_t>(text)] && key <= past + query;
  };
  const auto number = [&](int64_t text, int64_t query, int64_t key) -> int64_t {
    switch (input.role) {
      case Role::ids:
        return ids[static_cast<size_t>(text * count + query)];
      case Role::mask:
        return sees(text, count - 1, key);
      case Role::causal_mask:
        return sees(text, query, key);
      case Role::positions:  // those of padding and of texts that have ended count for nothing
        return std::clamp<int64_t>(past + query - padding_[static_cast<size_t>(text)], 0, decoding_.context.tokens - 1);
      case Role::uses_cache:
        return past > 0;
      case Role::past_length:
        return past;
      case Role::total_length:
        return total;
      case Role::last_place:
        return total - 1;
      case Role::token_types:
        return 0;
      case Role::logits_count:
        return 1;
    }
    return 0;
  };
  const auto write = [&]<class T>(T* next) {
    const bool adds = input.role == Role::causal_mask && is_float(*type.element);
    for (int64_t i = 0; i < ahead; ++i)
      for (int64_t text = 0; text < texts; ++text)
        for (int64_t j = 0; j < behind; ++j)
          for (int64_t query = 0; query < queries; ++query)
            for (int64_t key = 0; key < keys; ++key) {
              const int64_t n = number(text, first_query + query, key);
              *next++ = adds ? (n ? T{} : lowest<T>()) : as<T>(n);
            }
  };
  switch (*type.element) {
    case DataType::i64:
      write(static_cast<int64_t*>(value->data));
      break;
    case DataType::i32:
      write(static_cast<int32_t*>(value->data));
      break;
    case DataType::boolean:
      write(static_cast<bool*>(value->data));
      break;
    case DataType::f32:
      write(static_cast<float*>(value->data));
      break;
    case DataType::f16:
      write(static_cast<Float16*>(value->data));
      break;
    default:
      write(static_cast<BFloat16*>(value->data));
  }
  return {};
}

Result<void> Decoder::run_once(std::span<const int64_t> ids, int64_t past) {
  for (const DecoderInput& input : decoding_.inputs) HEED_TRY(fill(input, ids, past));
  outputs_[next_output_] = {};
  next_ = {};
  HEED_TRY(session_->run(inputs_, outputs_));
  HEED_ASSIGN(next_, tensor_of(*outputs_[next_output_].get()));
  return {};
}

// All that was read, from the first id on: [text, length].
Result<void> Decoder::read_again() {
  std::vector<int64_t> ids;
  const int64_t step = std::min(decoding_.most_new, length());
  for (int64_t begin = 0; begin < length(); begin += step) {
    ids.clear();
    for (const auto& text : read_)
      ids.insert(ids.end(), text.begin() + begin, text.begin() + std::min(begin + step, length()));
    HEED_TRY(run_once(ids, begin));
  }
  return {};
}

Result<void> Decoder::run(std::span<const int64_t> ids) {
  const int64_t past = length(), count = static_cast<int64_t>(ids.size()) / text_count();
  const int64_t shortest = past + count - *std::max_element(padding_.begin(), padding_.end());
  if (shortest > decoding_.context.tokens)
    return Error{Code::invalid_argument, "the model reads at most " + std::to_string(decoding_.context.tokens) +
                                             " tokens (" + decoding_.context.source + "); " + std::to_string(shortest) +
                                             " were given"};
  for (size_t text = 0; text < read_.size(); ++text) {
    const auto begin = ids.begin() + static_cast<int64_t>(text) * count;
    read_[text].insert(read_[text].end(), begin, begin + count);
  }
  auto done = decoding_.has_cache ? run_once(ids, past) : read_again();
  while (!done) {
    session_.reset();
    HEED_ASSIGN(auto model, source_.reopen(std::move(done).error()));
    HEED_TRY(adopt(std::move(model)));
    done = read_again();
  }
  return {};
}

Result<std::span<const float>> Decoder::logits(std::span<const int64_t> ids) {
  HEED_TRY(run(ids));
  return next_.as<float>();
}

Result<std::span<const int64_t>> Decoder::likeliest(std::span<const int64_t> ids) {
  HEED_TRY(run(ids));
  return next_.as<int64_t>();
}

}  // namespace heed::tool
