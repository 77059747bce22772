// The table of functions that every plugin gets. Each leads to a virtual of phases.hpp or to a value; nothing that is
// thrown crosses to the plugin.
#include <cstring>
#include <new>
#include <string>

#include "registry/phases.hpp"
#include "registry/registry.hpp"
#include "registry/value.hpp"

namespace heed {
namespace {

thread_local std::string failure;

std::string_view text_of(heed_text text) { return {text.data, text.size}; }

// Runs what a plugin called; `otherwise` is the answer where something is thrown.
template <class Answer, class Function>
Answer guard(Answer otherwise, Function&& function) noexcept {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    fail(Code::out_of_memory, "out of memory");
  } catch (const std::exception& exception) {
    fail(Code::invalid_argument, exception.what());
  }
  return otherwise;
}

template <class Function>
void guard(Function&& function) noexcept {
  (void)guard(0, [&] { return function(), 0; });
}

// For functions that give a code: what was thrown is the code, too.
template <class Function>
int32_t guard_code(Function&& function) noexcept {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return fail(Code::out_of_memory, "out of memory");
  } catch (const std::exception& exception) {
    return fail(Code::invalid_argument, exception.what());
  }
}

Dim unknown_dim() { return Dim::unknown(UnknownDim::outgrown); }

bool is_kind(const heed_value* value, Kind kind, std::string_view function, std::string_view expected) {
  if (value != nullptr && value->kind == kind) return true;
  fail(Code::invalid_argument, "host->" + std::string(function) + " was given " +
                                   (value ? "a value that is no " : "no value where it takes a ") +
                                   std::string(expected));
  return false;
}

// Sequences are changed in place, so by their only owner.
bool is_changeable(const heed_value* sequence, std::string_view function) {
  if (!is_kind(sequence, Kind::sequence, function, "sequence")) return false;
  if (!sequence->shared()) return true;
  fail(Code::invalid_argument,
       "host->" + std::string(function) + ": this sequence is held by others too; change what sequence_copy gives");
  return false;
}

int32_t value_tensor(heed_value* value, heed_tensor* tensor) {
  if (!is_kind(value, Kind::tensor, "value_tensor", "tensor")) return HEED_INVALID_ARGUMENT;
  if (value->on_device) {
    return fail(Code::invalid_argument, "this tensor lies on a device, where a kernel of the host cannot read it");
  }
  if (!is_dense(value->dims, value->strides)) {
    auto copy = copy_to_host_tensor(view_of(*value));
    if (!copy) return fail(copy.error());
    std::swap(value->strides, (*copy)->strides);
    std::swap(value->data, (*copy)->data);
    std::swap(value->storage, (*copy)->storage);
  }
  *tensor = view_of(*value);
  return HEED_OK;
}

heed_value* new_tensor(int32_t element, const int64_t* dims, int32_t rank, heed_tensor* tensor) {
  auto value = new_host_tensor(static_cast<DataType>(element), {dims, static_cast<size_t>(rank)});
  if (!value) return fail(value.error()), nullptr;
  *tensor = view_of(*value->get());
  return value->release();
}

heed_value* new_sequence(int32_t element) {
  auto* value = new heed_value;
  value->kind = Kind::sequence;
  value->element = static_cast<DataType>(element);
  return value;
}

heed_value* new_optional(heed_value* content) {
  auto optional = SharedValue::own(new heed_value);
  optional->kind = Kind::optional;
  if (content != nullptr) {
    optional->element = content->element;
    optional->elements.push_back(content);
    content->retain();
  }
  return optional.release();
}

int32_t sequence_insert(heed_value* sequence, int64_t index, heed_value* element) {
  if (!is_changeable(sequence, "sequence_insert")) return HEED_INVALID_ARGUMENT;
  auto& elements = sequence->elements;
  if (index < 0 || static_cast<size_t>(index) > elements.size()) {
    return fail(Code::invalid_argument, "position " + std::to_string(index) + " is outside of [0, " +
                                            std::to_string(elements.size()) + "], where a sequence of " +
                                            std::to_string(elements.size()) + " takes an element");
  }
  if (element == nullptr || (element->kind != Kind::tensor && element->kind != Kind::map)) {
    return fail(Code::invalid_argument, "a sequence takes tensors");
  }
  elements.insert(elements.begin() + index, element);
  element->retain();
  return HEED_OK;
}

bool is_inside(const heed_value* sequence, int64_t index) {
  const size_t size = sequence->elements.size();
  if (index >= 0 && static_cast<size_t>(index) < size) return true;
  fail(Code::invalid_argument,
       "position " + std::to_string(index) + " is outside of a sequence of " + std::to_string(size));
  return false;
}

int32_t sequence_erase(heed_value* sequence, int64_t index) {
  if (!is_changeable(sequence, "sequence_erase") || !is_inside(sequence, index)) return HEED_INVALID_ARGUMENT;
  heed_value* element = sequence->elements[static_cast<size_t>(index)];
  sequence->elements.erase(sequence->elements.begin() + index);
  element->release();
  return HEED_OK;
}

void set(heed_match* match, heed_text name, Attribute::Content content) {
  guard([&] { match->set(name, Attribute{std::move(content)}); });
}

heed_host make_host() {
  heed_host host{};
  host.struct_size = sizeof host;
  host.abi_major = HEED_ABI_MAJOR;
  host.abi_minor = HEED_ABI_MINOR;
  host.dims = dim_algebra;
  host.extension = [](heed_text) -> const void* { return nullptr; };
  host.fail = [](int32_t code, heed_text message) -> int32_t {
    const bool is_code = code >= HEED_INVALID_ARGUMENT && code <= HEED_CANCELLED;
    return guard(code,
                 [&] { return fail(is_code ? static_cast<Code>(code) : Code::invalid_argument, text_of(message)); });
  };

  host.node_version = [](const heed_node* node) { return node->version; };
  host.node_input_count = [](const heed_node* node) { return node->input_count(); };
  host.node_output_count = [](const heed_node* node) { return node->output_count(); };
  host.node_has_input = [](const heed_node* node, int32_t input) { return node->input_value(input) ? 1 : 0; };
  host.node_has_output = [](const heed_node* node, int32_t output) { return node->output_value(output) ? 1 : 0; };
  host.node_input = [](const heed_node* node, int32_t input) {
    const Value* value = node->input_value(input);
    return value ? heed_node::type_of(*value) : heed_node::no_type();
  };
  host.node_output = [](const heed_node* node, int32_t output) {
    const Value* value = node->output_value(output);
    return value ? heed_node::type_of(*value) : heed_node::no_type();
  };
  host.node_input_elements = [](const heed_node* node, int32_t input, const heed_dim** elements) {
    return guard(int64_t{-1}, [&] {
      const auto* dims = node->input_elements(input);
      if (dims == nullptr) return int64_t{-1};
      *elements = reinterpret_cast<const heed_dim*>(dims->data());
      return static_cast<int64_t>(dims->size());
    });
  };
  host.node_input_constant = [](const heed_node* node, int32_t input, heed_tensor* constant) {
    return guard(0, [&] { return node->input_constant(input, constant) ? 1 : 0; });
  };
  host.node_attribute = [](const heed_node* node, heed_text name, heed_attribute* attribute) {
    return guard(0, [&] { return node->attribute(text_of(name), attribute) ? 1 : 0; });
  };
  host.node_attribute_count = [](const heed_node* node) { return static_cast<int32_t>(node->node.attributes.size()); };
  host.node_attribute_name = [](const heed_node* node, int32_t index) {
    if (index < 0 || static_cast<size_t>(index) >= node->node.attributes.size()) return heed_text{nullptr, 0};
    const std::string& name = std::next(node->node.attributes.begin(), index)->first;
    return heed_text{name.data(), name.size()};
  };

  host.infer_output = [](heed_node* node, int32_t output, heed_type type) {
    return guard_code([&] { return node->infer_output(output, type); });
  };
  host.infer_output_elements = [](heed_node* node, int32_t output, const heed_dim* elements, size_t count) {
    return guard_code([&] { return node->infer_output_elements(output, elements, count); });
  };
  host.infer_symbol = [](heed_node* node, heed_text hint, heed_dim upper) {
    return guard(unknown_dim().c_dim(), [&] { return node->infer_symbol(hint, upper); });
  };
  host.infer_equal = [](heed_node* node, heed_dim a, heed_dim b, heed_text what) {
    return guard_code([&] { return node->infer_equal(a, b, what); });
  };
  host.infer_rank = [](heed_node* node, int32_t input, int32_t rank) {
    return guard_code([&] { return node->infer_rank(input, rank); });
  };
  host.infer_subgraph = [](heed_node* node, int32_t subgraph, const heed_type* inputs, size_t input_count) {
    return guard_code([&] { return node->infer_subgraph(subgraph, inputs, input_count); });
  };
  host.infer_untaken_subgraph = [](heed_node* node, int32_t subgraph, int32_t* fits) {
    return guard_code([&] { return node->infer_untaken_subgraph(subgraph, *fits); });
  };
  host.infer_becomes = [](heed_node* node, int32_t subgraph) {
    return guard_code([&] { return node->infer_becomes(subgraph); });
  };
  host.subgraph_output_count = [](const heed_node* node, int32_t subgraph) {
    return guard(0, [&] {
      const auto graphs = subgraphs_of(node->node);
      if (subgraph < 0 || static_cast<size_t>(subgraph) >= graphs.size()) return 0;
      return static_cast<int32_t>(graphs[static_cast<size_t>(subgraph)]->outputs.size());
    });
  };
  host.subgraph_output = [](const heed_node* node, int32_t subgraph, int32_t output) {
    return guard(heed_node::no_type(), [&] { return node->subgraph_output(subgraph, output); });
  };

  host.view_source_strides = [](const heed_node* node) {
    return guard(static_cast<const heed_dim*>(nullptr), [&] { return node->view_source_strides(); });
  };
  host.view_output = [](heed_node* node, int32_t output, const heed_dim* strides, heed_dim offset) {
    guard([&] { node->view_output(output, strides, offset); });
  };

  host.plan_decline = [](heed_node* node, heed_text reason) {
    return guard_code([&] { return node->plan_decline(reason); });
  };
  host.plan_strided_input = [](heed_node* node, int32_t input) { guard([&] { node->plan_strided_input(input); }); };
  host.plan_strided_output = [](heed_node* node, int32_t output) { guard([&] { node->plan_strided_output(output); }); };
  host.plan_channels_last_input = [](heed_node* node, int32_t input) -> int32_t {
    bool is_so = false;
    guard([&] { is_so = node->plan_channels_last_input(input); });
    return is_so;
  };
  host.plan_channels_last_output = [](heed_node* node, int32_t output) -> int32_t {
    bool is_so = false;
    guard([&] { is_so = node->plan_channels_last_output(output); });
    return is_so;
  };
  host.plan_channels_last_alike = [](heed_node* node) -> int32_t {
    bool is_so = false;
    guard([&] { is_so = node->plan_channels_last_alike(); });
    return is_so;
  };
  host.plan_in_place = [](heed_node* node, int32_t input, int32_t output) {
    guard([&] { node->plan_in_place(input, output); });
  };
  host.plan_work = [](heed_node* node, heed_dim operation_count) { guard([&] { node->plan_work(operation_count); }); };
  host.gpu_capability = [](const heed_node* node, heed_text name) {
    return guard(uint64_t{0}, [&] { return node->gpu_capability(name); });
  };
  host.plan_variant = [](heed_node* node, const heed_variant* variant) {
    return guard_code([&] { return node->plan_variant(*variant); });
  };

  host.bind_input = [](const heed_node* node, int32_t input) {
    return guard(heed_tensor{}, [&] { return node->bind_input(input); });
  };
  host.bind_output = [](const heed_node* node, int32_t output) {
    return guard(heed_tensor{}, [&] { return node->bind_output(output); });
  };
  host.bind_in_place = [](const heed_node* node, int32_t input, int32_t output) {
    return guard(0, [&] { return node->bind_in_place(input, output) ? 1 : 0; });
  };
  host.bind_scratch = [](heed_node* node, size_t size_bytes) { guard([&] { node->bind_scratch(size_bytes); }); };
  host.bind_dispatch = [](heed_node* node, int32_t variant, const void* parameters, size_t size_bytes,
                          const uint32_t workgroups[3], const heed_window* windows, size_t window_count) {
    return guard_code([&] {
      return node->bind_dispatch(variant, parameters, size_bytes, workgroups, {windows, window_count});
    });
  };
  host.bind_has_kept = [](const heed_node* node) { return guard(0, [&] { return int32_t{node->bind_has_kept()}; }); };

  host.prepare_keep = [](heed_node* node, size_t size_bytes) {
    return guard(static_cast<void*>(nullptr), [&] { return node->prepare_keep(size_bytes); });
  };
  host.prepare_replaced = [](heed_node* node, int32_t input) { guard([&] { node->prepare_replaced(input); }); };
  host.prepare_threads = [](const heed_node* node) { return guard(1, [&] { return node->prepare_threads(); }); };
  host.prepare_option = [](const heed_node* node, heed_text name, heed_text* value) {
    return guard(0, [&] { return node->prepare_option(name, value); });
  };

  host.parallel_for = [](heed_run* run, int64_t count, int64_t grain, heed_loop function, void* context) {
    run->parallel_for(count, grain, function, context);
  };
  host.thread_count = [](const heed_run* run) { return run->thread_count(); };
  host.allocate_output = [](heed_run* run, int32_t output, const int64_t* dims, int32_t rank, heed_tensor* tensor) {
    return guard_code([&] { return run->allocate_output(output, dims, rank, tensor); });
  };
  host.store_text = [](heed_run* run, int32_t output, heed_text bytes) {
    return guard(heed_text{nullptr, 0}, [&] { return run->store_text(output, bytes); });
  };
  host.random_seed = [](heed_run* run) { return run->random_seed(); };

  host.run_input = [](heed_run* run, int32_t input) {
    return guard(static_cast<heed_value*>(nullptr), [&] { return run->input(input); });
  };
  host.run_set_output = [](heed_run* run, int32_t output, heed_value* value) {
    return guard_code([&] { return run->set_output(output, value); });
  };
  host.value_retain = [](heed_value* value) { value->retain(); };
  host.value_release = [](heed_value* value) { value->release(); };
  host.value_kind = [](const heed_value* value) { return static_cast<int32_t>(value->kind); };
  host.value_tensor = [](heed_value* value, heed_tensor* tensor) {
    return guard_code([&] { return value_tensor(value, tensor); });
  };
  host.new_tensor = [](heed_run*, int32_t element, const int64_t* dims, int32_t rank, heed_tensor* tensor) {
    return guard(static_cast<heed_value*>(nullptr), [&] { return new_tensor(element, dims, rank, tensor); });
  };
  host.value_store_text = [](heed_value* value, heed_text bytes) {
    return guard(heed_text{nullptr, 0}, [&] { return value->store_text(bytes); });
  };
  host.new_sequence = [](heed_run*, int32_t element) {
    return guard(static_cast<heed_value*>(nullptr), [&] { return new_sequence(element); });
  };
  host.sequence_copy = [](heed_run* run, int32_t input) {
    return guard(static_cast<heed_value*>(nullptr), [&] { return run->sequence_copy(input); });
  };
  host.sequence_size = [](const heed_value* sequence) { return static_cast<int64_t>(sequence->elements.size()); };
  host.sequence_at = [](const heed_value* sequence, int64_t index) {
    return guard(static_cast<heed_value*>(nullptr), [&]() -> heed_value* {
      if (!is_kind(sequence, Kind::sequence, "sequence_at", "sequence") || !is_inside(sequence, index)) return nullptr;
      return sequence->elements[static_cast<size_t>(index)];
    });
  };
  host.sequence_insert = [](heed_value* sequence, int64_t index, heed_value* element) {
    return guard_code([&] { return sequence_insert(sequence, index, element); });
  };
  host.sequence_erase = [](heed_value* sequence, int64_t index) {
    return guard_code([&] { return sequence_erase(sequence, index); });
  };
  host.new_optional = [](heed_run*, heed_value* content) {
    return guard(static_cast<heed_value*>(nullptr), [&] { return new_optional(content); });
  };
  host.optional_content = [](const heed_value* optional) -> heed_value* {
    return optional->kind == Kind::optional && !optional->elements.empty() ? optional->elements.front() : nullptr;
  };

  host.control_run = [](heed_control* control) { return control->run(); };
  host.control_input_count = [](const heed_control* control) { return control->input_count(); };
  host.control_output_count = [](const heed_control* control) { return control->output_count(); };
  host.control_input = [](heed_control* control, int32_t input) {
    return guard(static_cast<heed_value*>(nullptr), [&] { return control->input(input); });
  };
  host.control_read_scalar = [](heed_control* control, heed_value* value, int64_t* i, double* f) {
    return guard_code([&] { return control->read_scalar(value, i, f); });
  };
  host.control_scalar = [](heed_control* control, int32_t element, int64_t i) {
    return guard(static_cast<heed_value*>(nullptr), [&] { return control->scalar(element, i); });
  };
  host.control_dims = [](heed_control*, heed_value* value, const int64_t** dims, int32_t* rank) -> int32_t {
    if (value == nullptr)
      return guard_code([] { return fail(Code::invalid_argument, "control_dims was given no value"); });
    *dims = value->dims.data();
    *rank = value->kind == Kind::tensor ? static_cast<int32_t>(value->dims.size()) : -1;
    return HEED_OK;
  };
  host.control_call = [](heed_control* control, int32_t subgraph, heed_value* const* arguments, size_t argument_count,
                         heed_value** results, size_t result_count) {
    return guard_code([&] { return control->call(subgraph, arguments, argument_count, results, result_count); });
  };
  host.control_stack = [](heed_control* control, int32_t axis, heed_value* const* values, size_t count,
                          int32_t output) {
    return guard(static_cast<heed_value*>(nullptr), [&] { return control->stack(axis, values, count, output); });
  };
  host.control_slice = [](heed_control* control, heed_value* value, int32_t axis, int64_t index) {
    return guard(static_cast<heed_value*>(nullptr), [&] { return control->slice(value, axis, index); });
  };
  host.control_set_output = [](heed_control* control, int32_t output, heed_value* value) {
    return guard_code([&] { return control->set_output(output, value); });
  };

  host.match_node = [](const heed_match* match, heed_text result) {
    return guard(static_cast<const heed_node*>(nullptr), [&] { return match->node(result); });
  };
  host.match_value = [](const heed_match* match, heed_text name, heed_type* type) {
    return guard(0, [&] { return match->value(name, type); });
  };
  host.match_constant = [](const heed_match* match, heed_text name, heed_tensor* constant) {
    return guard(0, [&] { return match->constant(name, constant); });
  };
  host.match_elements = [](const heed_match* match, heed_text name, const heed_dim** elements) {
    return guard(int64_t{-1}, [&] { return match->elements(name, elements); });
  };
  host.match_set_int = [](heed_match* match, heed_text name, int64_t value) { set(match, name, value); };
  host.match_set_float = [](heed_match* match, heed_text name, float value) { set(match, name, value); };
  host.match_set_ints = [](heed_match* match, heed_text name, const int64_t* values, size_t count) {
    guard([&] { match->set(name, Attribute{std::vector<int64_t>(values, values + count)}); });
  };
  host.match_set_text = [](heed_match* match, heed_text name, heed_text value) {
    guard([&] { match->set(name, Attribute{std::string(text_of(value))}); });
  };
  host.match_replace = [](heed_match* match, heed_text replacement) { guard([&] { match->replace(replacement); }); };
  return host;
}

}  // namespace

const heed_host* host_functions() {
  static const heed_host host = make_host();
  return &host;
}

int32_t fail(Code code, std::string_view text) {
  failure.assign(text);
  return static_cast<int32_t>(code);
}

int32_t fail(const Error& error) { return fail(error.code, error.message); }

std::string take_failure() { return std::exchange(failure, {}); }

}  // namespace heed
