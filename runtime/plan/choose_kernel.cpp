// Which kernel carries out a node, and on what terms.
#include "plan/choose_kernel.hpp"

#include <algorithm>

namespace heed {
namespace {

constexpr std::string_view fused_elementwise_role = "fused_elementwise";

std::string_view text_of(heed_text text) { return {text.data, text.size}; }

// What a kernel's plan function talks to.
struct AskedNode : heed_node {
  AskedNode(const Graph& graph, const Node& node, const OperatorEntry& op, const PlanOptions& options,
            const std::vector<bool>* channels_last = nullptr)
      : heed_node(graph, node, op), options(options), channels_last(channels_last) {
    choice.strided_inputs.resize(node.inputs.size());
    choice.strided_outputs.resize(node.outputs.size());
    choice.channels_last_inputs.resize(node.inputs.size());
    choice.channels_last_outputs.resize(node.outputs.size());
  }

  int32_t plan_decline(heed_text reason) override {
    refusal = text_of(reason);
    return HEED_OK;
  }
  void plan_strided_input(int32_t input) override { say(choice.strided_inputs, input); }
  void plan_strided_output(int32_t output) override { say(choice.strided_outputs, output); }
  bool plan_channels_last_input(int32_t input) override {
    return say(choice.channels_last_inputs, input) && lies_so(node.inputs[static_cast<size_t>(input)]);
  }
  bool plan_channels_last_output(int32_t output) override {
    return say(choice.channels_last_outputs, output) && lies_so(node.outputs[static_cast<size_t>(output)]);
  }
  void plan_in_place(int32_t input, int32_t output) override {
    if (input >= 0 && static_cast<size_t>(input) < node.inputs.size() && output >= 0 &&
        static_cast<size_t>(output) < node.outputs.size())
      choice.in_place.emplace_back(input, output);
  }
  void plan_work(heed_dim operation_count) override { choice.operation_count = Dim(operation_count); }
  uint64_t gpu_capability(heed_text name) const override {
    return options.gpu_capability ? options.gpu_capability(options.gpu_context, text_of(name)) : 0;
  }
  int32_t prepare_option(heed_text name, heed_text* value) const override {
    for (const auto& [key, content] : options.kernel_options) {
      if (key != text_of(name)) continue;
      *value = {content.data(), content.size()};
      return 1;
    }
    return 0;
  }
  int32_t plan_variant(const heed_variant& variant) override {
    choice.variants.push_back({std::string(text_of(variant.name)),
                               variant.spirv,
                               variant.spirv_word_count,
                               std::string(text_of(variant.glsl)),
                               {variant.bindings, variant.bindings + variant.binding_count},
                               {variant.constants, variant.constants + variant.constant_count},
                               std::string(text_of(variant.error))});
    return HEED_OK;
  }

  bool plan_channels_last_alike() override {
    const ValueId output = node.outputs.empty() ? no_id : node.outputs[0];
    if (output == no_id || !lies_so(output)) return false;
    const auto is_image = [&](ValueId input) {
      return input != no_id && has_spatial_axes_of(graph.values[input].type, *graph.values[output].type.dims);
    };
    if (std::none_of(node.inputs.begin(), node.inputs.end(), is_image)) return false;
    for (const ValueId input : node.inputs)
      if (is_image(input) && !lies_so(input)) return false;
    for (size_t i = 0; i < node.inputs.size(); ++i)
      if (is_image(node.inputs[i])) choice.channels_last_inputs[i] = true;
    return choice.channels_last_outputs[0] = true;
  }
  // Of one channel both layouts are one.
  static bool has_spatial_axes_of(const ValueType& type, std::span<const Dim> image) {
    return type.dims && type.dims->size() == image.size() && !(*type.dims)[1].is_number(1) &&
           std::equal(image.begin() + 2, image.end(), type.dims->begin() + 2);
  }
  // False where there is no such index.
  static bool say(std::vector<bool>& flags, int32_t index) {
    const bool there = index >= 0 && static_cast<size_t>(index) < flags.size();
    if (there) flags[static_cast<size_t>(index)] = true;
    return there;
  }
  bool lies_so(ValueId value) const {
    return channels_last && value < channels_last->size() && (*channels_last)[value];
  }

  const PlanOptions& options;
  const std::vector<bool>* channels_last;
  Choice choice;
  std::optional<std::string> refusal;
};

// What a contract's view function talks to.
struct ViewedNode : heed_node {
  ViewedNode(const Graph& graph, const Node& node, const OperatorEntry& op, std::span<const Dim> source_strides)
      : heed_node(graph, node, op), source_strides(source_strides) {
    told.resize(node.outputs.size());
    view.outputs.resize(node.outputs.size());
  }
  const heed_dim* view_source_strides() const override {
    return reinterpret_cast<const heed_dim*>(source_strides.data());
  }
  void view_output(int32_t output, const heed_dim* strides, heed_dim offset) override {
    if (output < 0 || static_cast<size_t>(output) >= told.size() || node.outputs[output] == no_id) return;
    const auto& dims = graph.values[node.outputs[output]].type.dims;
    if (!dims) return;
    const auto* first = reinterpret_cast<const Dim*>(strides);
    view.outputs[output] = {{first, first + dims->size()}, Dim(offset)};
    told[output] = true;
  }
  std::span<const Dim> source_strides;
  ViewOfSource view;
  std::vector<bool> told;
};

// The kernels of one kind in order: an explicitly named one first.
template <class Entry>
void prefer(std::vector<const Entry*>& kernels, const PlanOptions& options) {
  for (const auto& [key, name] : options.kernel_options)
    if (key == "kernel")  // clang 14 captures no structured binding by itself
      std::stable_partition(kernels.begin(), kernels.end(),
                            [&wanted = name](const Entry* entry) { return text_of(entry->c->name) == wanted; });
}

// Of a tensor whose sizes are all numbers.
std::optional<uint64_t> known_size_bytes(const ValueType& type) {
  if (type.kind != Kind::tensor || !type.element || !type.dims) return std::nullopt;
  std::vector<int64_t> dims;
  for (const Dim dim : *type.dims) {
    if (!dim.is_number()) return std::nullopt;
    dims.push_back(dim.number());
  }
  const auto size_bytes = dense_size_bytes(*type.element, dims);
  return size_bytes ? *size_bytes : UINT64_MAX;
}

// Whether the kernel binds windows of an input or output that is longer than a binding may be.
bool is_windowed(const Choice& choice, heed_binding_kind kind, size_t index) {
  bool windowed = false;
  for (const auto& variant : choice.variants)
    for (const auto& binding : variant.bindings) {
      if (binding.kind != kind || static_cast<size_t>(binding.index) != index) continue;
      if (!binding.windowed) return false;
      windowed = true;
    }
  return windowed;
}

// Why the device cannot run the shaders that a kernel gave.
std::optional<std::string> exceeded_limit(const Graph& graph, const Node& node, const Choice& choice,
                                          const PlanOptions& options) {
  if (!options.gpu_capability) return std::nullopt;
  const uint64_t most_bytes = options.gpu_capability(options.gpu_context, "max_binding_bytes");
  for (const auto kind : {HEED_BIND_INPUT, HEED_BIND_OUTPUT}) {
    const auto& list = kind == HEED_BIND_INPUT ? node.inputs : node.outputs;
    for (size_t i = 0; i < list.size(); ++i) {
      const ValueId value = list[i];
      if (value == no_id || is_windowed(choice, kind, i)) continue;
      const auto size_bytes = known_size_bytes(graph.values[value].type);
      if (size_bytes && *size_bytes > most_bytes)
        return "'" + graph.values[value].name + "' has " + std::to_string(*size_bytes) +
               " bytes; a buffer of the device has at most " + std::to_string(most_bytes);
    }
  }
  const uint64_t most_bindings = options.gpu_capability(options.gpu_context, "max_bindings");
  for (const auto& variant : choice.variants)
    if (variant.bindings.size() + 1 > most_bindings)
      return "it binds " + std::to_string(variant.bindings.size()) + " buffers and its parameters; the device takes " +
             std::to_string(most_bindings);
  return std::nullopt;
}

// Why no shader can be told the sizes that a node meets.
std::optional<std::string> unknown_sizes(const Graph& graph, const Node& node) {
  for (const ValueId id : node.inputs)
    if (id != no_id && graph.values[id].type.kind == Kind::tensor && !graph.values[id].type.dims)
      return "'" + graph.values[id].name + "' has a rank that only the run tells";
  for (const ValueId id : node.outputs)
    if (id != no_id && graph.values[id].sizes_declared)
      return "what the model declares of '" + graph.values[id].name + "' is all that is known of its sizes";
  return std::nullopt;
}

// Why the device is not trusted with these shaders. A fused node is the expressions of its operators.
std::optional<std::string> quarantine_reason(const Graph& graph, const Node& node, const OperatorEntry& op,
                                             const Choice& choice, const PlanOptions& options) {
  if (!options.gpu_refuses) return std::nullopt;
  const auto refuses = [&](const Graph& in, const Node& asked, std::string_view variants) {
    const auto first = asked.inputs.empty() ? no_id : asked.inputs[0];
    const auto element = first == no_id ? std::nullopt : in.values[first].type.element;
    return options.gpu_refuses(options.gpu_context, asked.domain, asked.op_type, variants,
                               element ? name_of(*element) : "");
  };
  if (const auto reason = refuses(graph, node, names_of(choice.variants))) return reason;
  if (text_of(op.c->role) != fused_elementwise_role || !node.replaced) return std::nullopt;
  const Graph& body = *node.replaced->body;
  for (const Node& inner : body.nodes)
    if (const auto reason = refuses(body, inner, expression_variant)) return inner.op_type + " " + *reason;
  return std::nullopt;
}

}  // namespace

std::string names_of(const std::vector<KernelVariant>& variants) {
  std::string names;
  for (const auto& variant : variants) names += (names.empty() ? "" : " | ") + variant.name;
  return names;
}

Result<GpuAnswer> ask_gpu_kernels(const Graph& graph, const Node& node, const OperatorEntry& op,
                                  const Registry& registry, const PlanOptions& options) {
  GpuAnswer answer;
  HEED_ASSIGN(auto kernels, registry.gpu_kernels(op.domain(), op.op_type(), op.version_at(node.opset).value_or(1)));
  prefer(kernels, options);
  if (kernels.empty()) answer.declined.push_back({"vulkan", "no kernel for it"});
  if (auto reason = unknown_sizes(graph, node); reason && !kernels.empty()) {
    answer.declined.push_back({"vulkan", std::move(*reason)});
    return answer;
  }
  for (const auto* entry : kernels) {
    AskedNode asked(graph, node, op, options);
    HEED_TRY(call_plugin([&] { return entry->c->plan(&asked, entry->c->user); }));
    if (!asked.refusal) asked.refusal = exceeded_limit(graph, node, asked.choice, options);
    if (!asked.refusal) asked.refusal = quarantine_reason(graph, node, op, asked.choice, options);
    if (!asked.refusal && !asked.choice.variants.empty()) {
      asked.choice.gpu = entry->c;
      asked.choice.declined = std::move(answer.declined);
      answer.choice = std::move(asked.choice);
      return answer;
    }
    answer.declined.push_back({"vulkan", asked.refusal.value_or("it gave no shader")});
  }
  return answer;
}

Result<Choice> choose_cpu_kernel(const Graph& graph, const Node& node, const OperatorEntry& op,
                                 const Registry& registry, const PlanOptions& options,
                                 const std::vector<bool>* channels_last, std::vector<Declined> declined) {
  const int32_t version = op.version_at(node.opset).value_or(1);
  if (op.is(HEED_CONTROL)) {
    if (const auto* entry = registry.control_kernel(op.domain(), op.op_type(), version)) {
      AskedNode asked(graph, node, op, options);
      asked.choice.control = entry->c;
      return std::move(asked.choice);
    }
  }
  HEED_ASSIGN(auto kernels, registry.cpu_kernels(op.domain(), op.op_type(), version));
  prefer(kernels, options);
  for (const auto* entry : kernels) {
    AskedNode asked(graph, node, op, options, channels_last);
    if (entry->c->plan) HEED_TRY(call_plugin([&] { return entry->c->plan(&asked, entry->c->user); }));
    if (!asked.refusal) {
      asked.choice.cpu = entry->c;
      asked.choice.declined = std::move(declined);
      return std::move(asked.choice);
    }
    declined.push_back({"cpu " + std::string(text_of(entry->c->name)), *asked.refusal});
  }
  std::string message = "no kernel takes it";
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == no_id) continue;
    const Value& value = graph.values[node.inputs[i]];
    if (value.type.kind == Kind::tensor && !value.type.dims)
      message += "; '" + value.name + "' has a rank that only the run tells: a shape in the model would help";
  }
  for (const auto& refusal : declined) message += "; " + refusal.kernel + ": " + refusal.reason;
  if (kernels.empty()) message += "; there is no CPU kernel for version " + std::to_string(version);
  return Error{Code::unsupported, message};
}

std::optional<ViewOfSource> ask_view(const Graph& graph, const Node& node, const OperatorEntry& op,
                                     std::span<const Dim> source_strides) {
  if (!op.c->view) return std::nullopt;
  ViewedNode viewed(graph, node, op, source_strides);
  if (!call_plugin([&] { return op.c->view(&viewed, op.c->user); })) return std::nullopt;
  for (size_t output = 0; output < node.outputs.size(); ++output)
    if (node.outputs[output] != no_id && !viewed.told[output]) return std::nullopt;
  return std::move(viewed.view);
}

}  // namespace heed
