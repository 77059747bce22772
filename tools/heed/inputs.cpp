// What goes into a run, from what people type.
#include "inputs.hpp"

#include <algorithm>
#include <charconv>
#include <random>

#include "decoder_inputs.hpp"
#include "files/npy.hpp"
#include "files/npz.hpp"
#include "heed/numeric.hpp"
#include "onnx/read_value.hpp"
#include "text/tokenizer.hpp"

namespace heed::tool {
namespace {

HostValue host_value(Tensor tensor) {
  HostValue value;
  value.tensor = std::move(tensor);
  return value;
}

// Numbers to the elements of a tensor of a type.
Result<Tensor> tensor_of_numbers(DataType type, std::vector<int64_t> dims, const std::vector<double>& numbers) {
  HEED_ASSIGN(Tensor tensor, Tensor::allocate(type, std::move(dims)));
  auto* data = tensor.writable();
  for (size_t i = 0; i < numbers.size(); ++i) {
    const double n = numbers[i];
    switch (type) {
      case DataType::f32:
        reinterpret_cast<float*>(data)[i] = static_cast<float>(n);
        break;
      case DataType::f64:
        reinterpret_cast<double*>(data)[i] = n;
        break;
      case DataType::i64:
        reinterpret_cast<int64_t*>(data)[i] = static_cast<int64_t>(n);
        break;
      case DataType::i32:
        reinterpret_cast<int32_t*>(data)[i] = static_cast<int32_t>(n);
        break;
      case DataType::i16:
        reinterpret_cast<int16_t*>(data)[i] = static_cast<int16_t>(n);
        break;
      case DataType::i8:
        reinterpret_cast<int8_t*>(data)[i] = static_cast<int8_t>(n);
        break;
      case DataType::u64:
        reinterpret_cast<uint64_t*>(data)[i] = static_cast<uint64_t>(n);
        break;
      case DataType::u32:
        reinterpret_cast<uint32_t*>(data)[i] = static_cast<uint32_t>(n);
        break;
      case DataType::u16:
        reinterpret_cast<uint16_t*>(data)[i] = static_cast<uint16_t>(n);
        break;
      case DataType::u8:
        reinterpret_cast<uint8_t*>(data)[i] = static_cast<uint8_t>(n);
        break;
      case DataType::boolean:
        reinterpret_cast<uint8_t*>(data)[i] = n != 0;
        break;
      case DataType::f16:
        reinterpret_cast<Float16*>(data)[i] = Float16(static_cast<float>(n));
        break;
      case DataType::bf16:
        reinterpret_cast<BFloat16*>(data)[i] = BFloat16(static_cast<float>(n));
        break;
      default:
        return Error{Code::unsupported,
                     "values of type " + std::string(name_of(type)) + " are given as a .npy or .pb file"};
    }
  }
  return tensor;
}

// "1,2,3" or "[1, 2, 3]": as many numbers as the shape wants, or along its last axis.
Result<HostValue> value_of_text(const std::string& name, const std::string& text, const ValueType& type) {
  if (type.kind != Kind::tensor || !type.element)
    return Error{Code::unsupported, "input '" + name + "' is given as a .pb file"};
  const size_t rank = type.dims ? type.dims->size() : 0;
  if (*type.element == DataType::string) return host_value(Tensor::of_texts(std::vector<int64_t>(rank, 1), {text}));
  std::vector<double> numbers;
  std::string rest = text;
  for (char& c : rest)
    if (c == '[' || c == ']' || c == ',') c = ' ';
  const char* at = rest.data();
  const char* const end = at + rest.size();
  while (true) {
    while (at < end && (*at == ' ' || *at == '+')) ++at;
    if (at == end) break;
    double number = 0;
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc())
      return Error{Code::invalid_argument, "input '" + name + "': '" + text +
                                               "' is neither numbers nor a .npy, .npz or .pb file that is there"};
    numbers.push_back(number);
    at = next;
  }
  std::vector<int64_t> dims(rank, 1);
  if (rank) dims.back() = static_cast<int64_t>(numbers.size());
  if (type.dims) {
    int64_t known = 1;
    bool all = true;
    for (const Dim dim : *type.dims) all &= dim.is_number(), known *= dim.is_number() ? dim.number() : 1;
    if (all && known == static_cast<int64_t>(numbers.size()))
      for (size_t i = 0; i < rank; ++i) dims[i] = (*type.dims)[i].number();
  }
  if (rank == 0 && numbers.size() != 1)
    return Error{Code::shape_mismatch,
                 "input '" + name + "' is one number; " + std::to_string(numbers.size()) + " were given"};
  HEED_ASSIGN(Tensor tensor, tensor_of_numbers(*type.element, std::move(dims), numbers));
  return host_value(std::move(tensor));
}

Result<HostValue> read_input(const std::string& name, const std::string& text, const ValueType& type) {
  const auto ends_with = [&](std::string_view end) { return text.size() > end.size() && text.ends_with(end); };
  if (ends_with(".npy")) {
    HEED_ASSIGN(Tensor tensor, read_npy(text, type.element));
    return host_value(std::move(tensor));
  }
  if (ends_with(".pb")) return read_value(text, type);
  if (const size_t at = text.find(".npz"); at != std::string::npos && (at + 4 == text.size() || text[at + 4] == ':')) {
    const std::string path = text.substr(0, at + 4), array = at + 4 < text.size() ? text.substr(at + 5) : name;
    HEED_ASSIGN(Tensor tensor, read_npz(path, array, type.element));
    return host_value(std::move(tensor));
  }
  return value_of_text(name, text, type);
}

bool has_part(const std::string& name, std::string_view part) { return name.find(part) != std::string::npos; }

int64_t padding_token(const text::Tokenizer& tokenizer) {
  for (const auto* name : {"[PAD]", "<pad>"})
    if (const auto id = tokenizer.find(name)) return *id;
  return 0;
}

// A batch of texts as token ids [batch, seq], padded at their ends, for the input that looks like that; and a mask,
// token types (all 0) and positions for those that look like these.
Result<void> add_texts(const Model& model, const std::vector<std::string>& texts, const std::filesystem::path& folder,
                       Session::NamedValues& values) {
  HEED_ASSIGN(const auto tokenizer, text::Tokenizer::open(folder));
  std::vector<std::vector<int64_t>> batch;
  size_t length = 0;
  bool is_padded = false;
  for (const auto& text : texts) {
    HEED_ASSIGN(auto ids, tokenizer->encode(text));
    is_padded |= !batch.empty() && ids.size() != length;
    length = std::max(length, ids.size());
    batch.push_back(std::move(ids));
  }
  HEED_ASSIGN(const auto context, ContextLimit::told(model.file(), folder));
  if (static_cast<int64_t>(length) > context.tokens)
    return Error{Code::invalid_argument, "--text: a text has " + std::to_string(length) +
                                             " tokens; the model reads at most " + std::to_string(context.tokens) +
                                             " (" + context.source + ")"};
  const size_t count = batch.size() * length;
  std::vector<double> tokens(count, static_cast<double>(padding_token(*tokenizer))), mask(count), types(count),
      positions(count);
  for (size_t i = 0; i < batch.size(); ++i) {
    std::copy(batch[i].begin(), batch[i].end(), tokens.begin() + static_cast<ptrdiff_t>(i * length));
    for (size_t j = 0; j < length; ++j) {
      mask[i * length + j] = j < batch[i].size();
      positions[i * length + j] = static_cast<double>(j);
    }
  }
  bool has_tokens = false, has_mask = false;
  for (const SlotId input : model.plan().inputs) {
    const Slot& slot = model.plan().slots[input];
    const bool integers = slot.type.element == DataType::i64 || slot.type.element == DataType::i32;
    if (!integers || !slot.type.dims || slot.type.dims->size() != 2) continue;
    const bool is_mask = has_part(slot.name, "mask"), is_types = has_part(slot.name, "token_type"),
               is_positions = has_part(slot.name, "position");
    const auto& numbers = is_mask ? mask : is_types ? types : is_positions ? positions : tokens;
    const std::vector<int64_t> dims = {static_cast<int64_t>(batch.size()), static_cast<int64_t>(length)};
    HEED_ASSIGN(Tensor tensor, tensor_of_numbers(*slot.type.element, dims, numbers));
    values.emplace_back(slot.name, host_value(std::move(tensor)));
    has_mask |= is_mask;
    has_tokens |= !is_mask && !is_types && !is_positions;
  }
  if (!has_tokens)
    return Error{Code::invalid_argument, "--text: the model has no input of token ids, i64 [batch, seq]"};
  if (is_padded && !has_mask)
    return Error{Code::invalid_argument,
                 "--text: these texts differ in length, and the model has no input of a mask, i64 [batch, seq], that "
                 "would tell"};
  return {};
}

}  // namespace

boost::program_options::options_description InputRequest::described() {
  namespace po = boost::program_options;
  po::options_description all("inputs");
  all.add_options()("input", po::value(&given)->composing()->value_name("NAME=FILE|VALUE"),
                    "an input from a .npy, .npz[:ARRAY] or .pb file, or typed: ids=1,2,3")(
      "text", po::value(&texts)->composing()->value_name("TEXT"),
      "text, through the tokenizer of the model's folder; several make a batch")("random", po::bool_switch(&random),
                                                                                 "make up what is not given")(
      "seed", po::value(&seed)->default_value(0)->value_name("S"), "of what is made up");
  return all;
}

Result<HostValue> random_value(const std::string& name, const ValueType& type,
                               const std::vector<std::pair<std::string, int64_t>>& dims, uint64_t seed) {
  if (type.kind != Kind::tensor || !type.element || !type.dims)
    return Error{Code::unsupported,
                 "input '" + name + "' (" + to_string(type) + ") cannot be made up; give it with --input"};
  std::vector<int64_t> sizes;
  for (const Dim dim : *type.dims) {
    int64_t size = dim.is_number() ? dim.number() : 1;
    for (const auto& [symbol, value] : dims)
      if (!dim.is_number() && to_string(dim) == symbol) size = value;
    sizes.push_back(size);
  }
  int64_t count = 1;
  bool too_many = false;
  for (const int64_t size : sizes) too_many |= __builtin_mul_overflow(count, size, &count);
  if (too_many || count > (int64_t{1} << 31))
    return Error{Code::invalid_argument, "input '" + name + "' would have " + std::to_string(count) + " elements"};
  if (*type.element == DataType::string)
    return host_value(Tensor::of_texts(sizes, std::vector<std::string>(static_cast<size_t>(count), "text")));
  std::mt19937_64 random(seed);
  const bool is_float = *type.element == DataType::f32 || *type.element == DataType::f64 ||
                        *type.element == DataType::f16 || *type.element == DataType::bf16;
  std::vector<double> numbers(static_cast<size_t>(count));
  // Small whole numbers for what may be an index.
  for (double& number : numbers)
    number = is_float ? static_cast<double>(random() >> 11) * 0x1p-52 - 1.0 : static_cast<double>(random() % 2);
  HEED_ASSIGN(Tensor tensor, tensor_of_numbers(*type.element, sizes, numbers));
  return host_value(std::move(tensor));
}

Result<Session::NamedValues> make_inputs(const Model& model, const InputRequest& request,
                                         const std::filesystem::path& folder) {
  const Plan& plan = model.plan();
  Session::NamedValues values;
  const auto type_of = [&](const std::string& name) -> const ValueType* {
    for (const SlotId input : plan.inputs)
      if (plan.slots[input].name == name) return &plan.slots[input].type;
    return nullptr;
  };
  for (const auto& text : request.given) {
    const size_t at = text.find('=');
    if (at == std::string::npos)
      return Error{Code::invalid_argument, "--input " + text + ": expected NAME=FILE or NAME=VALUE"};
    const std::string name = text.substr(0, at);
    const ValueType* type = type_of(name);
    if (!type) {
      std::string names;
      for (const SlotId input : plan.inputs)
        names += "\n  " + plan.slots[input].name + "  " + to_string(plan.slots[input].type);
      return Error{Code::invalid_argument, "the model has no input '" + name + "'; it has" + names};
    }
    HEED_ASSIGN(auto value, read_input(name, text.substr(at + 1), *type));
    values.emplace_back(name, std::move(value));
  }
  if (!request.texts.empty()) HEED_TRY(add_texts(model, request.texts, folder, values));
  if (!request.random) return values;
  for (size_t i = 0; i < plan.inputs.size(); ++i) {
    const Slot& slot = plan.slots[plan.inputs[i]];
    const bool given =
        std::any_of(values.begin(), values.end(), [&](const auto& value) { return value.first == slot.name; });
    const bool is_state =
        std::any_of(plan.states.begin(), plan.states.end(), [&](const auto& state) { return state.input == i; });
    if (given || is_state) continue;
    HEED_ASSIGN(auto value, random_value(slot.name, slot.type, request.dims, request.seed + i));
    values.emplace_back(slot.name, std::move(value));
  }
  return values;
}

}  // namespace heed::tool
