// heed.hpp: Heed in a program of one's own, in C++20, over heed.h: handles that free themselves, spans, and Result<T>
// (result.hpp) instead of codes. Header-only; docs/embed.md shows it at work, heed.h says what each function does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "heed/data_type.hpp"
#include "heed/heed.h"
#include "heed/result.hpp"

namespace heed {
inline namespace v0 {

// The Result of a call of heed.h.
inline Result<void> checked(heed_status status) {
  if (status == HEED_SUCCESS) return {};
  return Error{static_cast<Code>(status), heed_error_message()};
}

// The data type of a C++ type: float, double, bool, and integers of 8 to 64 bits.
template <class T>
constexpr DataType data_type_of() {
  using Element = std::remove_cv_t<T>;
  if constexpr (std::is_same_v<Element, bool>) {
    return DataType::boolean;
  } else if constexpr (std::is_same_v<Element, float>) {
    return DataType::f32;
  } else if constexpr (std::is_same_v<Element, double>) {
    return DataType::f64;
  } else if constexpr (std::is_same_v<Element, heed_string>) {
    return DataType::string;
  } else {
    static_assert(std::is_integral_v<Element> && sizeof(Element) <= 8, "no data type of tensors");
    constexpr DataType types[2][4] = {{DataType::u8, DataType::u16, DataType::u32, DataType::u64},
                                      {DataType::i8, DataType::i16, DataType::i32, DataType::i64}};
    return types[std::is_signed_v<Element>][sizeof(Element) == 1   ? 0
                                            : sizeof(Element) == 2 ? 1
                                            : sizeof(Element) == 4 ? 2
                                                                   : 3];
  }
}

// A tensor in memory that is not its own: elements side by side, row-major.
struct ArrayView {
  DataType type = DataType::f32;
  std::span<const int64_t> dims;
  void* data = nullptr;
  size_t size_bytes = 0;

  ArrayView() = default;
  ArrayView(DataType type, std::span<const int64_t> dims, void* data, size_t size_bytes)
      : type(type), dims(dims), data(data), size_bytes(size_bytes) {}
  // `elements` are read alone where they are an input's.
  template <class T>
  ArrayView(std::span<T> elements, std::span<const int64_t> dims)
      : type(data_type_of<T>()),
        dims(dims),
        data(const_cast<std::remove_cv_t<T>*>(elements.data())),
        size_bytes(elements.size_bytes()) {}
  explicit ArrayView(const heed_array& array)
      : type(static_cast<DataType>(array.data_type)),
        dims(array.dims, static_cast<size_t>(array.rank)),
        data(array.data),
        size_bytes(array.size_bytes) {}

  heed_array c_array() const {
    return {data, size_bytes, dims.data(), static_cast<int32_t>(dims.size()), static_cast<int32_t>(type)};
  }
  // Its elements, where T is their type.
  template <class T>
  Result<std::span<const T>> as() const {
    if (data_type_of<T>() != type)
      return Error{Code::invalid_argument, "the elements are " + std::string(name_of(type)) + ", not " +
                                               std::string(name_of(data_type_of<T>()))};
    return std::span<const T>(static_cast<const T*>(data), size_bytes / sizeof(T));
  }
};

// A tensor, a sequence or an optional that is kept; copies share it.
class Value {
 public:
  static Result<Value> tensor(const ArrayView& elements) {
    const heed_array array = elements.c_array();
    heed_value* made = nullptr;
    HEED_TRY(checked(heed_value_create_tensor(&array, &made)));
    return Value(made);
  }
  static Result<Value> sequence(const std::vector<Value>& elements) {
    std::vector<heed_value*> all;
    for (const Value& element : elements) all.push_back(element.c());
    heed_value* made = nullptr;
    HEED_TRY(checked(heed_value_create_sequence(all.data(), all.size(), &made)));
    return Value(made);
  }
  static Result<Value> optional(const std::optional<Value>& content) {
    heed_value* made = nullptr;
    HEED_TRY(checked(heed_value_create_optional(content ? content->c() : nullptr, &made)));
    return Value(made);
  }
  explicit Value(heed_value* owned) : value_(owned, heed_value_free) {}

  heed_value_kind kind() const { return heed_value_kind_of(c()); }
  // Of a tensor; as long as the value lives.
  Result<ArrayView> array() const {
    heed_array array;
    HEED_TRY(checked(heed_value_array(c(), &array)));
    return ArrayView(array);
  }
  size_t count() const { return heed_value_count(c()); }
  Result<Value> element(size_t index) const {
    heed_value* element = nullptr;
    HEED_TRY(checked(heed_value_element(c(), index, &element)));
    return Value(element);
  }
  heed_value* c() const { return value_.get(); }

 private:
  std::shared_ptr<heed_value> value_;
};

// Operators and kernels: what is built in, and plugins.
class Runtime {
 public:
  static Result<Runtime> create() {
    heed_runtime* made = nullptr;
    HEED_TRY(checked(heed_runtime_create(&made)));
    return Runtime(made);
  }
  Result<void> load_plugin(const std::string& path) { return checked(heed_runtime_load_plugin(c(), path.c_str())); }
  heed_runtime* c() const { return runtime_.get(); }

 private:
  explicit Runtime(heed_runtime* owned) : runtime_(owned, heed_runtime_free) {}
  std::shared_ptr<heed_runtime> runtime_;
};

// heed_model_options, with the defaults there.
struct ModelOptions {
  using Size = std::pair<std::string, int64_t>;
  using Texts = std::pair<std::string, std::string>;
  std::string device = "auto";
  bool require_gpu = false;
  int thread_count = 0;
  uint64_t memory_limit_bytes = 0;
  uint32_t time_limit_ms = 0;
  bool read_files = false;
  bool strict = false;
  std::string external_data_folder = {};
  std::string append = {};
  std::vector<std::string> outputs = {};
  std::vector<std::string> overridable = {};
  std::vector<Size> size_hints = {};
  std::vector<Texts> states = {};
  std::vector<Texts> kernel_options = {};
};

struct ValueInfo {
  std::string_view name;
  std::string_view type;  // "f32 [batch, seq, 64]"
  heed_value_kind kind = HEED_VALUE_TENSOR;
  DataType data_type = DataType::undefined;  // where it is not known
  bool is_state = false;
  bool has_default = false;
  // nullopt: not known. -1 where a run tells the size; then dim_names tell "batch", "past + seq".
  std::optional<std::span<const int64_t>> dims;
  std::span<const char* const> dim_names;
};

// A graph made ready on a device; copies share it, with any number of threads.
class Model {
 public:
  // An ONNX file, or a folder with model.onnx in it.
  static Result<Model> load(const std::string& path, const ModelOptions& options = {},
                            const std::optional<Runtime>& runtime = {}) {
    heed_model* made = nullptr;
    HEED_TRY(checked(with(options, [&](const heed_model_options& all) {
      return heed_model_load(runtime ? runtime->c() : nullptr, path.c_str(), &all, &made);
    })));
    return Model(made);
  }
  // The bytes of an ONNX file, not copied: `owner` keeps them alive; null: the caller does, as long as models and
  // sessions live.
  static Result<Model> load(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                            const ModelOptions& options = {}, const std::optional<Runtime>& runtime = {}) {
    using Owner = std::shared_ptr<const void>;
    auto held = std::make_unique<Owner>(std::move(owner));
    heed_model* made = nullptr;
    HEED_TRY(checked(with(options, [&](const heed_model_options& all) {
      return heed_model_load_memory(
          runtime ? runtime->c() : nullptr, bytes.data(), bytes.size(),
          [](void* context) { delete static_cast<Owner*>(context); }, held.release(), &all, &made);
    })));
    return Model(made);
  }

  // What they point at lives as long as the model.
  std::vector<ValueInfo> inputs() const { return described(heed_model_input_count(c()), heed_model_input); }
  std::vector<ValueInfo> outputs() const { return described(heed_model_output_count(c()), heed_model_output); }
  std::optional<std::string_view> metadata(const std::string& key) const {
    const char* text = heed_model_metadata(c(), key.c_str());
    return text ? std::optional<std::string_view>(text) : std::nullopt;
  }
  std::string_view device() const { return heed_model_device(c()); }
  heed_model* c() const { return model_.get(); }

 private:
  explicit Model(heed_model* owned) : model_(owned, heed_model_free) {}

  template <class Function>
  static heed_status with(const ModelOptions& options, Function&& function) {
    std::vector<const char*> outputs, overridable;
    std::vector<heed_size> size_hints;
    std::vector<heed_text_pair> states, kernel_options;
    for (const auto& name : options.outputs) outputs.push_back(name.c_str());
    for (const auto& name : options.overridable) overridable.push_back(name.c_str());
    for (const auto& [name, size] : options.size_hints) size_hints.push_back({name.c_str(), size});
    for (const auto& [input, output] : options.states) states.push_back({input.c_str(), output.c_str()});
    for (const auto& [name, value] : options.kernel_options) kernel_options.push_back({name.c_str(), value.c_str()});
    heed_model_options all{};
    all.struct_size = sizeof(all);
    all.device = options.device.c_str();
    all.require_gpu = options.require_gpu;
    all.thread_count = options.thread_count;
    all.memory_limit_bytes = options.memory_limit_bytes;
    all.time_limit_ms = options.time_limit_ms;
    all.read_files = options.read_files;
    all.strict = options.strict;
    all.external_data_folder = options.external_data_folder.empty() ? nullptr : options.external_data_folder.c_str();
    all.append = options.append.c_str();
    all.outputs = outputs.data(), all.output_count = outputs.size();
    all.overridable = overridable.data(), all.overridable_count = overridable.size();
    all.size_hints = size_hints.data(), all.size_hint_count = size_hints.size();
    all.states = states.data(), all.state_count = states.size();
    all.kernel_options = kernel_options.data(), all.kernel_option_count = kernel_options.size();
    return function(all);
  }

  std::vector<ValueInfo> described(size_t count,
                                   heed_status (*ask)(const heed_model*, size_t, heed_value_info*)) const {
    std::vector<ValueInfo> all(count);
    for (size_t i = 0; i < count; ++i) {
      heed_value_info info{};
      info.struct_size = sizeof(info);
      if (ask(c(), i, &info) != HEED_SUCCESS) continue;  // it cannot: there is one
      all[i].name = info.name;
      all[i].type = info.type;
      all[i].kind = static_cast<heed_value_kind>(info.kind);
      all[i].data_type = static_cast<DataType>(info.data_type);
      all[i].is_state = info.is_state;
      all[i].has_default = info.has_default;
      if (info.rank < 0) continue;
      all[i].dims = std::span(info.dims, static_cast<size_t>(info.rank));
      all[i].dim_names = std::span(info.dim_names, static_cast<size_t>(info.rank));
    }
    return all;
  }

  std::shared_ptr<heed_model> model_;
};

// heed_session_options, with the defaults there.
struct SessionOptions {
  uint64_t seed = 0;
  bool use_states = true;
  uint32_t time_limit_ms = 0;
  uint64_t step_limit = 0;
  std::vector<std::pair<std::string, int64_t>> sizes = {};
};

// One run at a time over a model, for one thread at a time, but for cancel().
class Session {
 public:
  static Result<Session> create(const Model& model, const SessionOptions& options = {}) {
    std::vector<heed_size> sizes;
    for (const auto& [name, size] : options.sizes) sizes.push_back({name.c_str(), size});
    heed_session_options all{};
    all.struct_size = sizeof(all);
    all.seed = options.seed;
    all.without_states = !options.use_states;
    all.time_limit_ms = options.time_limit_ms;
    all.step_limit = options.step_limit;
    all.sizes = sizes.data(), all.size_count = sizes.size();
    heed_session* made = nullptr;
    HEED_TRY(checked(heed_session_create(model.c(), &all, &made)));
    return Session(made);
  }

  // Elements are read where they lie at each run, until something else is bound. nullopt: a state, or the default.
  Result<void> bind_input(const std::string& name, const std::optional<ArrayView>& array) {
    const heed_array elements = array.value_or(ArrayView()).c_array();
    return checked(heed_session_bind_input(c(), name.c_str(), array ? &elements : nullptr));
  }
  Result<void> bind_input(const std::string& name, const Value& value) {
    return checked(heed_session_bind_input_value(c(), name.c_str(), value.c()));
  }
  // Runs write the result there. nullopt: into the session's own memory.
  Result<void> bind_output(const std::string& name, const std::optional<ArrayView>& array) {
    const heed_array elements = array.value_or(ArrayView()).c_array();
    return checked(heed_session_bind_output(c(), name.c_str(), array ? &elements : nullptr));
  }

  Result<void> run() { return checked(heed_session_run(c())); }
  // Where the last run left a result: until the next run.
  Result<ArrayView> output(const std::string& name) {
    heed_array array;
    HEED_TRY(checked(heed_session_output(c(), name.c_str(), &array)));
    return ArrayView(array);
  }
  Result<Value> output_value(const std::string& name) {
    heed_value* value = nullptr;
    HEED_TRY(checked(heed_session_output_value(c(), name.c_str(), &value)));
    return Value(value);
  }
  // From any thread.
  void cancel() { heed_session_cancel(c()); }

  void reset_states() { heed_session_reset_states(c()); }
  Result<void> truncate_states(int64_t length) { return checked(heed_session_truncate_states(c(), length)); }
  int64_t state_length() const { return heed_session_state_length(c()); }
  heed_session* c() const { return session_.get(); }

 private:
  struct Free {
    void operator()(heed_session* session) const { heed_session_free(session); }
  };
  explicit Session(heed_session* owned) : session_(owned) {}
  std::unique_ptr<heed_session, Free> session_;
};

}  // namespace v0
}  // namespace heed
