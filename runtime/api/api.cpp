// heed.h: the runtime as programs in any language see it. Nothing throws across it.
#include <algorithm>
#include <cstring>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "heed/heed.h"
#include "heed/version.hpp"
#include "onnx/read_model.hpp"
#include "plan/explain.hpp"
#include "plugins/built_in.hpp"
#include "session/session.hpp"
#include "vulkan/device.hpp"

namespace heed {
namespace {

// This library's own copy; that of the rooms below is set there.
[[maybe_unused]] const bool dims_are_combined = (dim_algebra = host_functions()->dims, true);

// ---- errors ---------------------------------------------------------------------------------------------------------

// Of the calling thread. `fixed` where there was no memory for a text.
struct LastError {
  std::string text;
  const char* fixed = "";
};
thread_local LastError last_error;

heed_status tell(const Error& error) {
  try {
    last_error.text = error.message;
    last_error.fixed = nullptr;
  } catch (const std::bad_alloc&) {
    last_error.fixed = "an error, and no memory to tell of it";
  }
  return static_cast<heed_status>(error.code);
}

heed_status tell_without_memory() {
  last_error.fixed = "out of memory";
  return HEED_ERROR_OUT_OF_MEMORY;
}

// Carries out what gives a Result<void>.
template <class Function>
heed_status guarded(Function&& function) {
  try {
    Result<void> done = function();
    return done ? HEED_SUCCESS : tell(done.error());
  } catch (const std::bad_alloc&) {
    return tell_without_memory();
  } catch (const std::exception& error) {
    try {
      return tell({Code::invalid_argument, error.what()});
    } catch (const std::bad_alloc&) {
      return tell_without_memory();
    }
  }
}

Error null_argument(std::string_view what) { return {Code::invalid_argument, std::string(what) + " is NULL"}; }

// A struct of the caller's, whatever version of this header it was built with: what it lacks is zero.
template <class T>
Result<T> taken(const T* given, std::string_view name) {
  T whole{};
  whole.struct_size = sizeof(T);
  if (!given) return whole;
  const size_t size = given->struct_size;
  if (size < sizeof(size_t))
    return Error{Code::invalid_argument, std::string(name) + ".struct_size is " + std::to_string(size) +
                                             "; expected sizeof(" + std::string(name) + ")"};
  // What is newer than this library must be left at zero.
  const auto* bytes = reinterpret_cast<const std::byte*>(given);
  if (std::any_of(bytes + std::min(size, sizeof(T)), bytes + size, [](std::byte byte) { return byte != std::byte{0}; }))
    return Error{Code::unsupported,
                 std::string(name) + " sets options that version " + version + " of the library does not know"};
  std::memcpy(&whole, given, std::min(size, sizeof(T)));
  return whole;
}

template <class T>
void give(const T& whole, T* taken) {
  const size_t size = std::min(taken->struct_size, sizeof(T));
  std::memcpy(reinterpret_cast<std::byte*>(taken) + sizeof(size_t),
              reinterpret_cast<const std::byte*>(&whole) + sizeof(size_t), size - sizeof(size_t));
}

std::string text_or_empty(const char* text) { return text ? text : ""; }

Result<std::vector<std::string>> texts_of(const char* const* texts, size_t count, std::string_view name) {
  std::vector<std::string> all;
  if (count && !texts) return null_argument(name);
  for (size_t i = 0; i < count; ++i) {
    if (!texts[i]) return null_argument(std::string(name) + "[" + std::to_string(i) + "]");
    all.emplace_back(texts[i]);
  }
  return all;
}

Result<std::vector<std::pair<std::string, std::string>>> pairs_of(const heed_text_pair* pairs, size_t count,
                                                                  std::string_view name) {
  std::vector<std::pair<std::string, std::string>> all;
  if (count && !pairs) return null_argument(name);
  for (size_t i = 0; i < count; ++i) {
    if (!pairs[i].first || !pairs[i].second) return null_argument(std::string(name) + "[" + std::to_string(i) + "]");
    all.emplace_back(pairs[i].first, pairs[i].second);
  }
  return all;
}

Result<std::vector<std::pair<std::string, int64_t>>> sizes_of(const heed_size* sizes, size_t count,
                                                              std::string_view name) {
  std::vector<std::pair<std::string, int64_t>> all;
  if (count && !sizes) return null_argument(name);
  for (size_t i = 0; i < count; ++i) {
    if (!sizes[i].name) return null_argument(std::string(name) + "[" + std::to_string(i) + "]");
    if (sizes[i].size < 0)
      return Error{Code::invalid_argument, std::string(name) + ": " + sizes[i].name + " is " +
                                               std::to_string(sizes[i].size) + "; expected a size"};
    all.emplace_back(sizes[i].name, sizes[i].size);
  }
  return all;
}

// ---- the log --------------------------------------------------------------------------------------------------------

struct Sink {
  heed_log_sink function;
  void* context;
};

void deliver(void* context, Level level, std::string_view text) {
  const auto& sink = *static_cast<const Sink*>(context);
  try {
    sink.function(sink.context, static_cast<heed_log_level>(level), std::string(text).c_str());
  } catch (const std::bad_alloc&) {
    sink.function(sink.context, static_cast<heed_log_level>(level), "a message, and no memory for it");
  }
}

// ---- values ---------------------------------------------------------------------------------------------------------

// A value over the caller's memory.
Result<SharedValue> borrowed_value(const heed_array& array) {
  const auto element = static_cast<DataType>(array.data_type);
  if (!is_known(element))
    return Error{Code::invalid_argument,
                 "data_type is " + std::to_string(array.data_type) + "; expected a heed_data_type"};
  if (array.rank < 0 || (array.rank > 0 && !array.dims))
    return Error{Code::invalid_argument, array.rank < 0 ? "rank is " + std::to_string(array.rank) : "dims is NULL"};
  const std::span dims(array.dims, static_cast<size_t>(array.rank));
  HEED_ASSIGN(const size_t size_bytes, dense_size_bytes(element, dims));
  if (array.size_bytes != size_bytes)
    return Error{Code::invalid_argument, "size_bytes is " + std::to_string(array.size_bytes) + "; " +
                                             std::string(name_of(element)) + " " + to_string(dims) + " takes " +
                                             std::to_string(size_bytes)};
  if (size_bytes && !array.data) return null_argument("data");
  auto value = SharedValue::own(new heed_value);
  value->element = element;
  value->dims.assign(dims.begin(), dims.end());
  value->strides = dense_strides(dims);
  value->data = array.data;
  return value;
}

Result<heed_array> array_of(const heed_value& value) {
  if (value.kind != Kind::tensor) return Error{Code::invalid_argument, "it is no tensor: ask for its elements"};
  HEED_ASSIGN(const size_t size_bytes, dense_size_bytes(value.element, value.dims));
  return heed_array{value.data, size_bytes, value.dims.data(), static_cast<int32_t>(value.dims.size()),
                    static_cast<int32_t>(value.element)};
}

// Dense, and in memory that lives as long as it: a look at an input of the caller's, or a strided one, is copied.
Result<SharedValue> kept(SharedValue value) {
  if (value->kind != Kind::tensor || (value->storage && is_dense(value->dims, value->strides))) return value;
  return copy_to_host_tensor(view_of(*value.get()));
}

// ---- descriptions ---------------------------------------------------------------------------------------------------

// Texts and numbers that a heed_value_info points at.
struct Described {
  std::string name, type;
  int32_t kind = 0, data_type = 0, rank = -1;
  bool is_state = false, has_default = false;
  std::vector<int64_t> dims;
  std::vector<std::string> dim_names;
  std::vector<const char*> dim_name_pointers;
};

Described described(std::string name, const ValueType& type) {
  Described all;
  all.name = std::move(name);
  all.type = to_string(type);
  all.kind = static_cast<int32_t>(type.kind);
  all.data_type = type.element ? static_cast<int32_t>(*type.element) : 0;
  if (!type.dims) return all;
  all.rank = static_cast<int32_t>(type.dims->size());
  for (const Dim dim : *type.dims) {
    all.dims.push_back(dim.is_number() ? dim.number() : -1);
    all.dim_names.push_back(to_string(dim));
  }
  for (const auto& dim_name : all.dim_names) all.dim_name_pointers.push_back(dim_name.c_str());
  return all;
}

heed_value_info info_of(const Described& all) {
  heed_value_info info{};
  info.name = all.name.c_str();
  info.type = all.type.c_str();
  info.kind = all.kind;
  info.data_type = all.data_type;
  info.rank = all.rank;
  info.is_state = all.is_state;
  info.has_default = all.has_default;
  info.dims = all.dims.data();
  info.dim_names = all.dim_name_pointers.data();
  return info;
}

}  // namespace
}  // namespace heed

// ---- handles --------------------------------------------------------------------------------------------------------

struct heed_runtime {
  // Shared with models, which may outlive the handle.
  struct Content {
    heed::Registry registry;
    std::mutex mutex;
    size_t built_in_count = 0;  // of the built-in plugins, those that are there; all: no more plugins come
    bool is_complete() const { return built_in_count == std::size(heed::built_in_plugins); }
  };
  std::shared_ptr<Content> content = std::make_shared<Content>();
};

struct heed_model {
  // Shared with sessions, which may outlive the handle.
  struct Content {
    std::shared_ptr<heed_runtime::Content> runtime;
    std::shared_ptr<const heed::Model> model;
    std::vector<heed::Described> inputs, outputs;
    std::string device;
  };
  std::shared_ptr<const Content> content;
};

struct heed_session {
  std::shared_ptr<const heed_model::Content> model;
  std::unique_ptr<heed::Session> session;
  std::vector<heed::SharedValue> inputs, bound_outputs, outputs;  // in the model's order
};

namespace heed {
namespace {

// The built-in plugins come last: those that were given win.
Result<void> complete(heed_runtime::Content& runtime) {
  const std::lock_guard lock(runtime.mutex);
  while (!runtime.is_complete()) {
    HEED_TRY(runtime.registry.add_built_in(built_in_plugins[runtime.built_in_count]));
    ++runtime.built_in_count;
  }
  return {};
}

Result<std::shared_ptr<heed_runtime::Content>> runtime_of(heed_runtime* runtime) {
  std::shared_ptr<heed_runtime::Content> content;
  if (runtime) {
    content = runtime->content;
  } else {
    // Made by the first that asks, and kept: operators are registered once in a process.
    static const auto shared = std::make_shared<heed_runtime::Content>();
    content = shared;
  }
  HEED_TRY(complete(*content));
  return content;
}

Result<ModelOptions> model_options(const heed_model_options* given) {
  HEED_ASSIGN(const heed_model_options all, taken(given, "heed_model_options"));
  ModelOptions options;
  if (all.device) options.device = all.device;
  options.require_gpu = all.require_gpu;
  options.thread_count = all.thread_count;
  if (all.memory_limit_bytes) options.memory_limit_bytes = options.read.memory_limit_bytes = all.memory_limit_bytes;
  options.time_limit_ns = int64_t{all.time_limit_ms} * 1'000'000;
  options.read.map = !all.read_files;
  options.read.strict = all.strict;
  options.read.external_data_folder = text_or_empty(all.external_data_folder);
  options.append = text_or_empty(all.append);
  HEED_ASSIGN(options.outputs, texts_of(all.outputs, all.output_count, "outputs"));
  HEED_ASSIGN(options.read.overridable, texts_of(all.overridable, all.overridable_count, "overridable"));
  HEED_ASSIGN(options.size_hints, sizes_of(all.size_hints, all.size_hint_count, "size_hints"));
  HEED_ASSIGN(options.states, pairs_of(all.states, all.state_count, "states"));
  HEED_ASSIGN(options.kernel_options, pairs_of(all.kernel_options, all.kernel_option_count, "kernel_options"));
  return options;
}

// `read` may be called twice: where a GPU was found unasked and cannot hold the model, the CPU takes it.
template <class Read>
Result<heed_model*> load(heed_runtime* runtime, const heed_model_options* given, Read&& read) {
  HEED_ASSIGN(ModelOptions options, model_options(given));
  auto content = std::make_shared<heed_model::Content>();
  HEED_ASSIGN(content->runtime, runtime_of(runtime));
  auto loaded = read(content->runtime->registry, options);
  if (!loaded && options.device == "auto" && !options.require_gpu &&
      (loaded.error().code == Code::device_failed || loaded.error().code == Code::out_of_memory)) {
    log(Level::warning, loaded.error().message + "; the CPU runs the model");
    options.device = "cpu";
    loaded = read(content->runtime->registry, options);
  }
  HEED_ASSIGN(content->model, std::move(loaded));
  const Model& model = *content->model;
  for (const auto& notice : model.notices()) log(Level::warning, notice);
  content->device = model.device() ? "vulkan: " + model.device()->info().name : "cpu";
  const Plan& plan = model.plan();
  for (const SlotId id : plan.inputs) {
    content->inputs.push_back(described(plan.slots[id].name, plan.slots[id].type));
    content->inputs.back().has_default = plan.graph->values[plan.slots[id].value].constant != nullptr;
  }
  for (size_t i = 0; i < plan.outputs.size(); ++i)
    content->outputs.push_back(described(plan.graph->output_names[i], plan.slots[plan.outputs[i]].type));
  for (const StatePair& pair : plan.states)
    content->inputs[pair.input].is_state = content->outputs[pair.output].is_state = true;
  auto handle = std::make_unique<heed_model>();
  handle->content = std::move(content);
  return handle.release();
}

Result<size_t> find(const std::vector<Described>& all, const char* name, std::string_view kind) {
  if (!name) return null_argument("name");
  for (size_t i = 0; i < all.size(); ++i)
    if (all[i].name == name) return i;
  std::string text = "the model has no " + std::string(kind) + " '" + name + "'; it has";
  for (const auto& one : all) text += "\n  " + one.name + "  " + one.type;
  return Error{Code::invalid_argument, text};
}

Result<void> describe(const std::vector<Described>& all, size_t index, std::string_view kind, heed_value_info* info) {
  if (!info) return null_argument("info");
  if (info->struct_size < sizeof(size_t))
    return Error{Code::invalid_argument, "heed_value_info.struct_size is " + std::to_string(info->struct_size) +
                                             "; begin with HEED_VALUE_INFO"};
  if (index >= all.size())
    return Error{Code::invalid_argument,
                 std::string(kind) + " " + std::to_string(index) + " of " + std::to_string(all.size())};
  give(info_of(all[index]), info);
  return {};
}

Result<void> run(heed_session& session) {
  std::copy(session.bound_outputs.begin(), session.bound_outputs.end(), session.outputs.begin());
  const auto& described = session.model->inputs;
  std::string missing;
  for (size_t i = 0; i < described.size(); ++i)
    if (!session.inputs[i] && !session.session->may_be_left_out(i))
      missing += "\n  " + described[i].name + "  " + described[i].type;
  if (!missing.empty()) return Error{Code::invalid_argument, "inputs are missing:" + missing};
  auto done = session.session->run(session.inputs, session.outputs);
  if (!done) std::fill(session.outputs.begin(), session.outputs.end(), SharedValue());
  return done;
}

Result<SharedValue*> output_of(heed_session* session, const char* name) {
  if (!session) return null_argument("session");
  HEED_ASSIGN(const size_t index, find(session->model->outputs, name, "output"));
  SharedValue& value = session->outputs[index];
  if (!value)
    return Error{Code::invalid_argument,
                 std::string("output '") + name + "' is not there: " +
                     (session->model->outputs[index].is_state ? "it is a state, and lives on in the session"
                                                              : "the session has not run, or its last run failed")};
  return &value;
}

}  // namespace
}  // namespace heed

using namespace heed;

// ---- heed.h, in its order -------------------------------------------------------------------------------------------

const char* heed_version(void) { return version; }

const char* heed_error_id(heed_status status) {
  return status >= HEED_SUCCESS && status <= HEED_ERROR_CANCELLED ? name_of(static_cast<Code>(status)).data()
                                                                  : "unknown";
}

const char* heed_error_message(void) { return last_error.fixed ? last_error.fixed : last_error.text.c_str(); }

heed_status heed_set_log_sink(heed_log_sink sink, void* context, heed_log_level least) {
  return guarded([&]() -> Result<void> {
    if (!sink) return set_log_sink(nullptr, nullptr), Result<void>();
    if (least < HEED_LOG_DEBUG || least > HEED_LOG_ERROR)
      return Error{Code::invalid_argument, "least is " + std::to_string(least) + "; expected a heed_log_level"};
    // A replaced sink may still be in use by another thread: those that were ever set stay.
    static std::mutex mutex;
    static std::vector<std::unique_ptr<Sink>> sinks;
    const std::lock_guard lock(mutex);
    sinks.push_back(std::make_unique<Sink>(Sink{sink, context}));
    set_log_sink(deliver, sinks.back().get(), static_cast<Level>(least));
    return {};
  });
}

const char* heed_data_type_name(int32_t data_type) { return name_of(static_cast<DataType>(data_type)).data(); }

heed_status heed_value_create_tensor(const heed_array* array, heed_value** value) {
  return guarded([&]() -> Result<void> {
    if (!array || !value) return null_argument(array ? "value" : "array");
    HEED_ASSIGN(const SharedValue borrowed, borrowed_value(*array));
    HEED_ASSIGN(SharedValue copy, copy_to_host_tensor(view_of(*borrowed.get())));
    *value = copy.release();
    return {};
  });
}

heed_status heed_value_create_sequence(heed_value* const* elements, size_t count, heed_value** value) {
  return guarded([&]() -> Result<void> {
    if ((count && !elements) || !value) return null_argument(value ? "elements" : "value");
    auto made = SharedValue::own(new heed_value);
    made->kind = Kind::sequence;
    made->elements.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      if (!elements[i]) return null_argument("elements[" + std::to_string(i) + "]");
      made->element = elements[i]->element;
      made->elements.push_back(SharedValue::borrow(elements[i]).release());
    }
    *value = made.release();
    return {};
  });
}

heed_status heed_value_create_optional(heed_value* content, heed_value** value) {
  return guarded([&]() -> Result<void> {
    if (!value) return null_argument("value");
    auto made = SharedValue::own(new heed_value);
    made->kind = Kind::optional;
    if (content) {
      made->element = content->element;
      made->elements.reserve(1);
      made->elements.push_back(SharedValue::borrow(content).release());
    }
    *value = made.release();
    return {};
  });
}

void heed_value_free(heed_value* value) {
  if (value) value->release();
}

heed_value_kind heed_value_kind_of(const heed_value* value) { return static_cast<heed_value_kind>(value->kind); }

heed_status heed_value_array(const heed_value* value, heed_array* array) {
  return guarded([&]() -> Result<void> {
    if (!value || !array) return null_argument(value ? "array" : "value");
    HEED_ASSIGN(*array, array_of(*value));
    return {};
  });
}

size_t heed_value_count(const heed_value* value) { return value->elements.size(); }

heed_status heed_value_element(const heed_value* value, size_t index, heed_value** element) {
  return guarded([&]() -> Result<void> {
    if (!value || !element) return null_argument(value ? "element" : "value");
    if (index >= value->elements.size())
      return Error{Code::invalid_argument,
                   "element " + std::to_string(index) + " of " + std::to_string(value->elements.size())};
    HEED_ASSIGN(SharedValue whole, kept(SharedValue::borrow(value->elements[index])));
    *element = whole.release();
    return {};
  });
}

heed_status heed_runtime_create(heed_runtime** runtime) {
  return guarded([&]() -> Result<void> {
    if (!runtime) return null_argument("runtime");
    *runtime = new heed_runtime;
    return {};
  });
}

heed_status heed_runtime_load_plugin(heed_runtime* runtime, const char* path) {
  return guarded([&]() -> Result<void> {
    if (!runtime || !path) return null_argument(runtime ? "path" : "runtime");
    const std::lock_guard lock(runtime->content->mutex);
    if (runtime->content->is_complete())
      return Error{Code::invalid_argument, std::string(path) + ": plugins are loaded before the runtime's first model"};
    return runtime->content->registry.load_plugin(path);
  });
}

void heed_runtime_free(heed_runtime* runtime) { delete runtime; }

heed_status heed_model_load(heed_runtime* runtime, const char* path, const heed_model_options* options,
                            heed_model** model) {
  return guarded([&]() -> Result<void> {
    if (!path || !model) return null_argument(path ? "model" : "path");
    std::filesystem::path file(path);
    std::error_code error;
    if (std::filesystem::is_directory(file, error)) file /= "model.onnx";
    HEED_ASSIGN(*model, load(runtime, options, [&](const Registry& registry, const ModelOptions& all) {
      return Model::load(file, registry, all);
    }));
    return {};
  });
}

heed_status heed_model_load_memory(heed_runtime* runtime, const void* data, size_t size_bytes,
                                   void (*release)(void* context), void* context, const heed_model_options* options,
                                   heed_model** model) {
  std::shared_ptr<const void> owner;
  const auto status = guarded([&]() -> Result<void> {
    // Where there is no memory for the owner, it is released right there.
    if (release)
      owner = std::shared_ptr<const void>(context, [release](const void* held) { release(const_cast<void*>(held)); });
    if ((size_bytes && !data) || !model) return null_argument(model ? "data" : "model");
    const std::span bytes(static_cast<const std::byte*>(data), size_bytes);
    HEED_ASSIGN(*model,
                load(runtime, options,
                     [&](const Registry& registry, const ModelOptions& all) -> Result<std::shared_ptr<const Model>> {
                       HEED_ASSIGN(ModelFile file, read_model(bytes, owner, all.read));
                       return Model::load(std::move(file), registry, all);
                     }));
    return {};
  });
  return status;
}

void heed_model_free(heed_model* model) { delete model; }

size_t heed_model_input_count(const heed_model* model) { return model->content->inputs.size(); }
size_t heed_model_output_count(const heed_model* model) { return model->content->outputs.size(); }

heed_status heed_model_input(const heed_model* model, size_t index, heed_value_info* info) {
  return guarded(
      [&] { return model ? describe(model->content->inputs, index, "input", info) : null_argument("model"); });
}

heed_status heed_model_output(const heed_model* model, size_t index, heed_value_info* info) {
  return guarded(
      [&] { return model ? describe(model->content->outputs, index, "output", info) : null_argument("model"); });
}

const char* heed_model_metadata(const heed_model* model, const char* key) {
  const auto& metadata = model->content->model->file().metadata;
  const auto found = metadata.find(std::string_view(key));
  return found == metadata.end() ? nullptr : found->second.c_str();
}

const char* heed_model_device(const heed_model* model) { return model->content->device.c_str(); }

void heed_model_step_counts(const heed_model* model, size_t* cpu, size_t* gpu) {
  const PlanCounts counts = count_steps(model->content->model->plan());
  if (cpu) *cpu = static_cast<size_t>(counts.cpu);
  if (gpu) *gpu = static_cast<size_t>(counts.vulkan);
}

heed_status heed_session_create(heed_model* model, const heed_session_options* options, heed_session** session) {
  return guarded([&]() -> Result<void> {
    if (!model || !session) return null_argument(model ? "session" : "model");
    HEED_ASSIGN(const heed_session_options all, taken(options, "heed_session_options"));
    SessionOptions wanted;
    wanted.seed = all.seed;
    wanted.use_states = !all.without_states;
    wanted.limits = {int64_t{all.time_limit_ms} * 1'000'000, all.step_limit};
    HEED_ASSIGN(wanted.sizes, sizes_of(all.sizes, all.size_count, "sizes"));
    auto handle = std::make_unique<heed_session>();
    handle->model = model->content;
    HEED_ASSIGN(handle->session, Session::create(model->content->model, wanted));
    handle->inputs.resize(model->content->inputs.size());
    handle->bound_outputs.resize(model->content->outputs.size());
    handle->outputs.resize(model->content->outputs.size());
    *session = handle.release();
    return {};
  });
}

void heed_session_free(heed_session* session) { delete session; }

heed_status heed_session_bind_input(heed_session* session, const char* name, const heed_array* array) {
  return guarded([&]() -> Result<void> {
    if (!session) return null_argument("session");
    HEED_ASSIGN(const size_t index, find(session->model->inputs, name, "input"));
    SharedValue value;
    if (array) {
      auto made = borrowed_value(*array);
      if (!made) return std::move(made).error().within(std::string("input '") + name + "'");
      value = std::move(*made);
    }
    session->inputs[index] = std::move(value);
    return {};
  });
}

heed_status heed_session_bind_output(heed_session* session, const char* name, const heed_array* array) {
  return guarded([&]() -> Result<void> {
    if (!session) return null_argument("session");
    HEED_ASSIGN(const size_t index, find(session->model->outputs, name, "output"));
    SharedValue value;
    if (array) {
      auto made = borrowed_value(*array);
      if (made && made->get()->element == DataType::string)
        return Error{Code::unsupported, std::string("output '") + name + "' is of strings, which cannot be bound"};
      if (!made) return std::move(made).error().within(std::string("output '") + name + "'");
      value = std::move(*made);
    }
    session->bound_outputs[index] = std::move(value);
    return {};
  });
}

heed_status heed_session_bind_input_value(heed_session* session, const char* name, heed_value* value) {
  return guarded([&]() -> Result<void> {
    if (!session) return null_argument("session");
    HEED_ASSIGN(const size_t index, find(session->model->inputs, name, "input"));
    session->inputs[index] = SharedValue::borrow(value);
    return {};
  });
}

heed_status heed_session_run(heed_session* session) {
  return guarded([&]() -> Result<void> { return session ? run(*session) : null_argument("session"); });
}

heed_status heed_session_output(heed_session* session, const char* name, heed_array* array) {
  return guarded([&]() -> Result<void> {
    if (!array) return null_argument("array");
    HEED_ASSIGN(SharedValue* const value, output_of(session, name));
    if (value->get()->kind == Kind::tensor && !is_dense(value->get()->dims, value->get()->strides)) {
      HEED_ASSIGN(*value, copy_to_host_tensor(view_of(*value->get())));
    }
    HEED_ASSIGN(*array, array_of(*value->get()));
    return {};
  });
}

heed_status heed_session_output_value(heed_session* session, const char* name, heed_value** value) {
  return guarded([&]() -> Result<void> {
    if (!value) return null_argument("value");
    HEED_ASSIGN(SharedValue* const result, output_of(session, name));
    HEED_ASSIGN(SharedValue whole, kept(*result));
    *value = whole.release();
    return {};
  });
}

void heed_session_cancel(heed_session* session) { session->session->cancel(); }

void heed_session_reset_states(heed_session* session) { session->session->reset_states(); }

heed_status heed_session_truncate_states(heed_session* session, int64_t length) {
  return guarded(
      [&]() -> Result<void> { return session ? session->session->truncate_states(length) : null_argument("session"); });
}

int64_t heed_session_state_length(const heed_session* session) { return session->session->state_length(); }
