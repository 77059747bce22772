// check_plugin: whether the tables of a plugin are what plugin.h says they are.
#include <algorithm>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "heed/data_type.hpp"
#include "registry/registry.hpp"

namespace heed {
namespace {

std::string_view text_of(heed_text text) { return {text.data, text.size}; }

Error wrong(std::string what) { return Error{Code::invalid_argument, std::move(what)}; }

std::string full_name(heed_text domain, heed_text op_type) {
  return (domain.size == 0 ? "ai.onnx" : std::string(text_of(domain))) + "." + std::string(text_of(op_type));
}

// While the major version is 0, both sides have the same structs.
template <class T>
Result<void> check_size(const T& table, std::string_view what) {
  if (table.struct_size >= sizeof(T)) return {};
  return wrong(std::string(what) + ": struct_size is " + std::to_string(table.struct_size) + ", expected " +
               std::to_string(sizeof(T)) + ". Was it set by sizeof, and built against this version of plugin.h?");
}

template <class T>
Result<void> check_list(const T* list, size_t count, std::string_view what) {
  if (list != nullptr || count == 0) return {};
  return wrong(std::string(what) + ": " + std::to_string(count) + " entries at a null pointer");
}

bool is_data_type(std::string_view name) {
  for (int32_t type = 1; type < data_type_count; ++type) {
    if (name_of(static_cast<DataType>(type)) == name) return true;
  }
  return false;
}

bool is_attribute_kind(int32_t kind) {
  return (kind >= HEED_ATTRIBUTE_FLOAT && kind <= HEED_ATTRIBUTE_STRINGS) || kind == HEED_ATTRIBUTE_SPARSE_TENSOR ||
         kind == HEED_ATTRIBUTE_TYPE;
}

Result<void> check_name(heed_text domain, heed_text op_type, std::string_view what) {
  if (op_type.size == 0 || op_type.data == nullptr) return wrong(std::string(what) + " has no op_type");
  if (text_of(domain) == "ai.onnx") {
    return wrong(std::string(what) + " " + std::string(text_of(op_type)) + ": the domain ai.onnx is written \"\"");
  }
  return {};
}

Result<void> check_parameters(const heed_operator& op, const heed_parameter* list, size_t count,
                              std::string_view what) {
  HEED_TRY(check_list(list, count, what));
  for (size_t i = 0; i < count; ++i) {
    const heed_parameter& parameter = list[i];
    const std::string place = std::string(what) + " " + std::to_string(i);
    HEED_TRY(check_size(parameter, place));
    if (parameter.name.size == 0) return wrong(place + " has no name");
    const std::string_view type = text_of(parameter.type);
    const auto names_type = [&](const heed_type_rule& rule) { return text_of(rule.name) == type; };
    if (!is_data_type(type) && std::none_of(op.types, op.types + op.type_count, names_type)) {
      return wrong(place + " '" + std::string(text_of(parameter.name)) + "' has type '" + std::string(type) +
                   "', which is neither a row of `types` nor a data type");
    }
    if ((parameter.flags & HEED_VARIADIC) && i + 1 < count)
      return wrong(place + " is variadic, which only the last may be");
    if (parameter.state_of < -1 || parameter.state_of >= static_cast<int32_t>(op.input_count)) {
      return wrong(place + " is the state of input " + std::to_string(parameter.state_of) + ", which does not exist");
    }
  }
  return {};
}

Result<void> check_operator(const heed_operator& op) {
  HEED_TRY(check_list(op.versions, op.version_count, "versions"));
  if (op.version_count == 0) return wrong("it has no versions");
  for (size_t i = 0; i < op.version_count; ++i) {
    if (op.versions[i] < 1) return wrong("version " + std::to_string(op.versions[i]) + " is less than 1");
    if (i > 0 && op.versions[i] >= op.versions[i - 1]) return wrong("its versions do not stand newest first");
  }
  HEED_TRY(check_list(op.types, op.type_count, "types"));
  for (size_t i = 0; i < op.type_count; ++i) {
    HEED_TRY(check_size(op.types[i], "type rule " + std::to_string(i)));
    const std::string_view name = text_of(op.types[i].name);
    if (name.empty()) return wrong("type rule " + std::to_string(i) + " has no name");
    for (size_t other = 0; other < i; ++other) {
      if (text_of(op.types[other].name) == name) return wrong("there are two type rules '" + std::string(name) + "'");
    }
  }
  HEED_TRY(check_parameters(op, op.inputs, op.input_count, "input"));
  HEED_TRY(check_parameters(op, op.outputs, op.output_count, "output"));
  HEED_TRY(check_list(op.attributes, op.attribute_count, "attributes"));
  std::set<std::pair<std::string_view, int32_t>> names;  // of one name, one for each kind that versions give it
  for (size_t i = 0; i < op.attribute_count; ++i) {
    const heed_attribute_rule& rule = op.attributes[i];
    HEED_TRY(check_size(rule, "attribute " + std::to_string(i)));
    const std::string name(text_of(rule.name));
    if (name.empty()) return wrong("attribute " + std::to_string(i) + " has no name");
    if (!names.emplace(text_of(rule.name), rule.kind).second)
      return wrong("there are two attributes '" + name + "' of one kind");
    if (!is_attribute_kind(rule.kind)) {
      return wrong("attribute '" + name + "' has kind " + std::to_string(rule.kind) + ", which does not exist");
    }
    const int32_t default_kind = rule.default_value.kind;
    if (default_kind == HEED_ATTRIBUTE_NONE) continue;
    if (default_kind != rule.kind) return wrong("attribute '" + name + "': its default is of another kind");
    const auto& value = rule.default_value;
    const bool is_missing = value.count > 0 && ((default_kind == HEED_ATTRIBUTE_INTS && !value.ints) ||
                                                (default_kind == HEED_ATTRIBUTE_FLOATS && !value.floats) ||
                                                (default_kind == HEED_ATTRIBUTE_STRINGS && !value.strings));
    if (is_missing) return wrong("attribute '" + name + "': its default is a list at a null pointer");
  }
  if (op.infer == nullptr && op.body.size == 0 && op.expression.size == 0) {
    return wrong("it has neither infer, nor a body, nor an expression: nothing tells the types of its outputs");
  }
  if (op.expression.size > 0 && op.output_count != 1) return wrong("an expression makes one output");
  if ((op.flags & HEED_VIEW_STRIDED) && op.view == nullptr) return wrong("it is a strided view and has no `view`");
  if ((op.flags & (HEED_VIEW_DENSE | HEED_VIEW_STRIDED)) && (op.input_count == 0 || op.output_count == 0)) {
    return wrong("a view has an input and an output");
  }
  return {};
}

template <class Kernel>
Result<void> check_kernel(const Kernel* kernel, std::string_view target, size_t index) {
  const std::string place = std::string(target) + " kernel " + std::to_string(index);
  if (kernel == nullptr) return wrong(place + " is null");
  HEED_TRY(check_size(*kernel, place));
  HEED_TRY(check_name(kernel->domain, kernel->op_type, place));
  const std::string name = place + " (" + full_name(kernel->domain, kernel->op_type) + ")";
  if (kernel->since_version > kernel->until_version) {
    return wrong(name + " serves versions " + std::to_string(kernel->since_version) + " to " +
                 std::to_string(kernel->until_version) + ": none");
  }
  return {};
}

// Two rows of one plugin for one operator, name and version leave no choice.
template <class Kernel>
Result<void> check_named_kernels(const Kernel* const* kernels, size_t count, std::string_view target) {
  std::vector<const Kernel*> sorted(kernels, kernels + count);
  const auto key = [](const Kernel* k) {
    return std::tuple(text_of(k->domain), text_of(k->op_type), text_of(k->name), k->since_version);
  };
  std::stable_sort(sorted.begin(), sorted.end(), [&](const Kernel* a, const Kernel* b) { return key(a) < key(b); });
  for (size_t i = 1; i < count; ++i) {
    const Kernel &a = *sorted[i - 1], &b = *sorted[i];
    const bool same = text_of(a.domain) == text_of(b.domain) && text_of(a.op_type) == text_of(b.op_type) &&
                      text_of(a.name) == text_of(b.name);
    if (same && b.since_version <= a.until_version) {
      return wrong("two " + std::string(target) + " kernels of " + full_name(a.domain, a.op_type) + " are named '" +
                   std::string(text_of(a.name)) + "' and serve version " + std::to_string(b.since_version));
    }
  }
  return {};
}

}  // namespace

Result<void> check_plugin(const heed_plugin* plugin) {
  // The head first: the rest may not be there where the version is another.
  constexpr size_t head_bytes = offsetof(heed_plugin, name);
  if (plugin->struct_size < head_bytes) {
    return wrong("its table has struct_size " + std::to_string(plugin->struct_size) +
                 ", which is too short for any version");
  }
  if (plugin->abi_major != HEED_ABI_MAJOR || (HEED_ABI_MAJOR == 0 && plugin->abi_minor != HEED_ABI_MINOR)) {
    return Error{Code::unsupported, "it is built for version " + std::to_string(plugin->abi_major) + "." +
                                        std::to_string(plugin->abi_minor) + " of plugin.h; this Heed has " +
                                        std::to_string(HEED_ABI_MAJOR) + "." + std::to_string(HEED_ABI_MINOR) +
                                        ". Build it again against this Heed's headers."};
  }
  HEED_TRY(check_size(*plugin, "its table"));
  if (plugin->name.size == 0 || plugin->name.data == nullptr) return wrong("it has no name");
  HEED_TRY(check_list(plugin->operators, plugin->operator_count, "operators"));
  HEED_TRY(check_list(plugin->cpu_kernels, plugin->cpu_kernel_count, "cpu_kernels"));
  HEED_TRY(check_list(plugin->gpu_kernels, plugin->gpu_kernel_count, "gpu_kernels"));
  HEED_TRY(check_list(plugin->control_kernels, plugin->control_kernel_count, "control_kernels"));
  HEED_TRY(check_list(plugin->rewrites, plugin->rewrite_count, "rewrites"));

  std::set<std::pair<std::string_view, std::string_view>> names;
  for (size_t i = 0; i < plugin->operator_count; ++i) {
    const heed_operator* op = plugin->operators[i];
    const std::string place = "operator " + std::to_string(i);
    if (op == nullptr) return wrong(place + " is null");
    HEED_TRY(check_size(*op, place));
    HEED_TRY(check_name(op->domain, op->op_type, place));
    const std::string name = "operator " + full_name(op->domain, op->op_type);
    if (!names.emplace(text_of(op->domain), text_of(op->op_type)).second) return wrong(name + " is there twice");
    if (auto checked = check_operator(*op); !checked) return std::move(checked).error().within(name);
  }
  for (size_t i = 0; i < plugin->cpu_kernel_count; ++i) {
    const heed_cpu_kernel* kernel = plugin->cpu_kernels[i];
    HEED_TRY(check_kernel(kernel, "CPU", i));
    if (kernel->run == nullptr)
      return wrong("CPU kernel " + std::to_string(i) + " (" + full_name(kernel->domain, kernel->op_type) +
                   ") has no run");
  }
  for (size_t i = 0; i < plugin->gpu_kernel_count; ++i) {
    const heed_gpu_kernel* kernel = plugin->gpu_kernels[i];
    HEED_TRY(check_kernel(kernel, "GPU", i));
    if (kernel->plan == nullptr || kernel->bind == nullptr) {
      return wrong("GPU kernel " + std::to_string(i) + " (" + full_name(kernel->domain, kernel->op_type) +
                   ") lacks plan or bind");
    }
  }
  for (size_t i = 0; i < plugin->control_kernel_count; ++i) {
    const heed_control_kernel* kernel = plugin->control_kernels[i];
    HEED_TRY(check_kernel(kernel, "control", i));
    if (kernel->run == nullptr)
      return wrong("control kernel " + std::to_string(i) + " (" + full_name(kernel->domain, kernel->op_type) +
                   ") has no run");
  }
  HEED_TRY(check_named_kernels(plugin->cpu_kernels, plugin->cpu_kernel_count, "CPU"));
  HEED_TRY(check_named_kernels(plugin->gpu_kernels, plugin->gpu_kernel_count, "GPU"));
  for (size_t i = 0; i < plugin->rewrite_count; ++i) {
    const heed_rewrite* rewrite = plugin->rewrites[i];
    const std::string place = "rewrite " + std::to_string(i);
    if (rewrite == nullptr) return wrong(place + " is null");
    HEED_TRY(check_size(*rewrite, place));
    if (rewrite->name.size == 0) return wrong(place + " has no name");
    HEED_TRY(check_list(rewrite->patterns, rewrite->pattern_count,
                        place + " (" + std::string(text_of(rewrite->name)) + "): patterns"));
    if (rewrite->pattern_count == 0)
      return wrong(place + " (" + std::string(text_of(rewrite->name)) + ") has no pattern");
  }
  return {};
}

}  // namespace heed
