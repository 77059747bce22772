// fold_constants: views of constants share their bytes; the rest goes through the CPU kernels.
#include "passes/fold_constants.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "passes/check_node.hpp"
#include "passes/infer_shapes.hpp"
#include "registry/cpu_run.hpp"
#include "registry/phases.hpp"

namespace heed {
namespace {

// Below it, what a constant weighs does not matter.
constexpr size_t small_bytes = 1024;
constexpr int32_t round_limit = 16;
// Between a value and the constant that it looks at: each node on the way asks anew.
constexpr int32_t most_views = 8;

bool all_numbers(const std::vector<Dim>& dims) {
  return std::all_of(dims.begin(), dims.end(), [](Dim dim) { return dim.is_number(); });
}

std::optional<std::vector<int64_t>> numbers(const std::optional<std::vector<Dim>>& dims) {
  if (!dims || !all_numbers(*dims)) return std::nullopt;
  std::vector<int64_t> result;
  for (const Dim dim : *dims) result.push_back(dim.number());
  return result;
}

const Tensor* constant_of(const Value& value) { return value.is_input ? nullptr : value.constant.get(); }

std::optional<size_t> known_size_bytes(const ValueType& type) {
  const auto dims = numbers(type.dims);
  if (!dims || !type.element) return std::nullopt;
  const auto size = dense_size_bytes(*type.element, *dims);
  return size ? std::optional(*size) : std::nullopt;
}

// The tensor whose elements inference knows, if it knows them all.
std::optional<Tensor> tensor_from_elements(const Value& value) {
  const auto dims = numbers(value.type.dims);
  if (!value.elements || !all_numbers(*value.elements) || !dims || !value.type.element) return std::nullopt;
  size_t count = 1;
  for (const int64_t dim : *dims) count *= static_cast<size_t>(dim);  // few: they are carried
  if (count != value.elements->size()) return std::nullopt;
  const auto narrowed = [&]<class T>(T) -> std::optional<Tensor> {
    std::vector<T> elements;
    for (const Dim element : *value.elements) {
      if (element.number() != static_cast<int64_t>(static_cast<T>(element.number()))) return std::nullopt;
      elements.push_back(static_cast<T>(element.number()));
    }
    return Tensor::of<T>(*value.type.element, *dims, elements);
  };
  switch (*value.type.element) {
    case DataType::i64:
      return narrowed(int64_t{});
    case DataType::i32:
      return narrowed(int32_t{});
    case DataType::boolean:
      return narrowed(uint8_t{});
    default:
      return std::nullopt;
  }
}

// A node on the way through all phases of a CPU kernel at once, or through those of a view.
class FoldedNode : public heed_node {
 public:
  FoldedNode(const Graph& graph, const Node& node, const OperatorEntry& contract) : heed_node(graph, node, contract) {}

  // Null where no kernel takes the node or the one that does fails.
  std::optional<std::vector<Tensor>> compute(const Registry& registry);
  // Output 0 as a strided look at input 0, made dense. Null where the operator says that it is no view here.
  std::optional<Tensor> view();

  int32_t plan_decline(heed_text) override {
    declined_ = true;
    return HEED_OK;
  }
  void plan_strided_input(int32_t) override {}
  void plan_strided_output(int32_t) override {}
  void plan_in_place(int32_t, int32_t) override {}
  const heed_dim* view_source_strides() const override {
    return reinterpret_cast<const heed_dim*>(source_strides_.data());
  }
  void view_output(int32_t output, const heed_dim* strides, heed_dim offset) override;

  heed_tensor bind_input(int32_t input) const override {
    return input < static_cast<int32_t>(inputs_.size()) ? without_data(inputs_[static_cast<size_t>(input)])
                                                        : heed_tensor{};
  }
  heed_tensor bind_output(int32_t output) const override {
    return output < static_cast<int32_t>(outputs_.size()) ? without_data(outputs_[static_cast<size_t>(output)])
                                                          : heed_tensor{};
  }
  void bind_scratch(size_t size_bytes) override { scratch_bytes_ = size_bytes; }

  void* prepare_keep(size_t size_bytes) override {
    auto memory = allocate_host_memory(size_bytes);
    if (!memory) return nullptr;
    std::memset(memory.get(), 0, size_bytes);
    kept_.push_back(memory);
    return memory.get();
  }
  void prepare_replaced(int32_t) override {}
  int32_t prepare_threads() const override { return 1; }

 private:
  static heed_tensor without_data(heed_tensor tensor) {
    tensor.data = nullptr;
    return tensor;
  }
  Result<void> run(const heed_cpu_kernel& kernel);
  Result<void> arrange();

  std::vector<heed_tensor> inputs_, outputs_;
  std::vector<SharedValue> rooms_;  // of outputs whose size is known
  std::vector<CpuInput> input_values_;
  std::vector<CpuOutput> output_values_;
  std::vector<std::shared_ptr<void>> kept_;
  size_t scratch_bytes_ = 0;
  bool declined_ = false;

  std::vector<Dim> source_strides_;
  std::optional<std::pair<std::vector<int64_t>, int64_t>> strides_;  // of output 0, and its offset
};

Result<void> FoldedNode::arrange() {
  inputs_.assign(static_cast<size_t>(input_count()), heed_tensor{});
  for (int32_t i = 0; i < input_count(); ++i) (void)input_constant(i, &inputs_[static_cast<size_t>(i)]);
  input_values_.assign(inputs_.size(), CpuInput{});
  outputs_.assign(static_cast<size_t>(output_count()), heed_tensor{});
  output_values_.assign(outputs_.size(), CpuOutput{});
  rooms_.assign(outputs_.size(), SharedValue{});
  for (size_t i = 0; i < outputs_.size(); ++i) {
    const Value* value = output_value(static_cast<int32_t>(i));
    if (value == nullptr) continue;
    outputs_[i].element = static_cast<int32_t>(*value->type.element);
    outputs_[i].rank = -1;
    const auto dims = numbers(value->type.dims);
    if (!dims) continue;
    HEED_ASSIGN(rooms_[i], new_host_tensor(*value->type.element, *dims));
    outputs_[i] = view_of(*rooms_[i].get());
  }
  return {};
}

Result<void> FoldedNode::run(const heed_cpu_kernel& kernel) {
  HEED_TRY(arrange());
  void* kept = nullptr;
  if (kernel.prepare) HEED_TRY(call_plugin([&] { return kernel.prepare(this, &kept, kernel.user); }));
  if (kernel.bind) HEED_TRY(call_plugin([&] { return kernel.bind(this, kept, kernel.user); }));
  const auto scratch = scratch_bytes_ ? allocate_host_memory(scratch_bytes_) : nullptr;
  if (scratch_bytes_ && !scratch) return Error{Code::out_of_memory, "no memory for scratch"};
  heed_arguments arguments{};
  arguments.struct_size = sizeof arguments;
  arguments.inputs = inputs_.data();
  arguments.outputs = outputs_.data();
  arguments.input_count = static_cast<int32_t>(inputs_.size());
  arguments.output_count = static_cast<int32_t>(outputs_.size());
  arguments.kept = kept;
  arguments.scratch = scratch.get();
  return CpuRun(nullptr, nullptr).run(kernel, *this, {&arguments, input_values_, output_values_});
}

std::optional<std::vector<Tensor>> FoldedNode::compute(const Registry& registry) {
  auto kernels = registry.cpu_kernels(contract.domain(), contract.op_type(), version);
  if (!kernels) return std::nullopt;
  for (const CpuKernelEntry* entry : *kernels) {
    declined_ = false;
    if (entry->c->plan) {
      const auto planned = call_plugin([&] { return entry->c->plan(this, entry->c->user); });
      if (!planned) return std::nullopt;
    }
    if (declined_) continue;
    if (!run(*entry->c)) return std::nullopt;
    std::vector<Tensor> tensors(outputs_.size());
    for (size_t i = 0; i < outputs_.size(); ++i) {
      if (outputs_[i].element == 0) continue;
      const SharedValue& made = output_values_[i].value ? output_values_[i].value : rooms_[i];
      if (output_values_[i].texts) made->texts.push_back(output_values_[i].texts);
      auto tensor = tensor_of(*made.get());
      if (!tensor) return std::nullopt;
      tensors[i] = std::move(*tensor);
    }
    return tensors;
  }
  return std::nullopt;
}

void FoldedNode::view_output(int32_t output, const heed_dim* strides, heed_dim offset) {
  const auto dims = output == 0 ? numbers(output_value(0)->type.dims) : std::nullopt;
  if (!dims || !Dim(offset).is_number()) return;
  std::vector<int64_t> result;
  for (size_t axis = 0; axis < dims->size(); ++axis) {
    if (!Dim(strides[axis]).is_number()) return;
    result.push_back(strides[axis].number);
  }
  strides_.emplace(std::move(result), offset.number);
}

// Whether every element that a strided look reaches lies in [0, count).
bool is_inside(const std::vector<int64_t>& dims, const std::vector<int64_t>& strides, int64_t offset, int64_t count) {
  int64_t first = offset, last = offset;
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    int64_t reach = 0;
    if (dims[axis] == 0) return true;
    if (__builtin_mul_overflow(dims[axis] - 1, strides[axis], &reach)) return false;
    if (__builtin_add_overflow(reach < 0 ? first : last, reach, reach < 0 ? &first : &last)) return false;
  }
  return first >= 0 && last < count;
}

std::optional<Tensor> FoldedNode::view() {
  const Value *source = input_value(0), *target = output_value(0);
  const Tensor* constant = source ? constant_of(*source) : nullptr;
  const auto dims = target ? numbers(target->type.dims) : std::nullopt;
  if (constant == nullptr || !dims || is_packed(constant->type) || target->type.element != constant->type)
    return std::nullopt;
  for (const int64_t stride : dense_strides(constant->dims)) source_strides_.emplace_back(stride);
  if (!call_plugin([&] { return contract.c->view(this, contract.c->user); }) || !strides_) return std::nullopt;
  const auto& [strides, offset] = *strides_;
  if (!is_inside(*dims, strides, offset, constant->element_count())) return std::nullopt;
  const size_t element_bytes =
      constant->type == DataType::string ? sizeof(heed_text) : static_cast<size_t>(bits_of(constant->type)) / 8;
  const auto* data = constant->data ? constant->data + offset * static_cast<int64_t>(element_bytes) : nullptr;
  const heed_tensor look{
      const_cast<std::byte*>(data),        dims->data(), strides.data(), 0, static_cast<int32_t>(dims->size()),
      static_cast<int32_t>(constant->type)};
  auto copy = copy_to_host_tensor(look);
  if (!copy) return std::nullopt;
  auto tensor = tensor_of(*copy->get());
  return tensor ? std::optional(std::move(*tensor)) : std::nullopt;
}

class Folding {
 public:
  Folding(const Registry& registry, Folded nodes, const Stop* stop) : registry_(registry), nodes_(nodes), stop_(stop) {}

  Result<void> fold(Graph& graph);

  size_t folded_count = 0;
  bool changed_types = false;  // of values that others' types depend on

 private:
  bool fold(Graph& graph, Node& node);
  std::vector<bool> values_that_tell_sizes(const Graph& graph) const;
  std::optional<std::vector<Tensor>> compute(Graph& graph, const Node& node, const OperatorEntry& contract);
  NodeId view_that_makes(const Graph& graph, ValueId id) const;
  bool is_known(const Graph& graph, ValueId id) const;
  bool fold_view(Graph& graph, ValueId id);
  void replace(Graph& graph, Node& node, std::vector<std::optional<Tensor>> known);

  const Registry& registry_;
  Folded nodes_;
  const Stop* stop_;
  std::vector<bool> tells_sizes_;  // of each value of the graph being folded
};

size_t attribute_bytes(const Node& node) {
  size_t size_bytes = 0;
  for (const auto& [name, attribute] : node.attributes) {
    if (const auto* tensor = std::get_if<Tensor>(&attribute.content)) size_bytes += tensor->size_bytes;
  }
  return size_bytes;
}

// A constant written as a node holds its bytes already: they are taken from there.
Tensor shared_with_attribute(const Node& node, Tensor tensor) {
  if (tensor.size_bytes <= small_bytes || tensor.type == DataType::string) return tensor;
  for (const auto& [name, attribute] : node.attributes) {
    const auto* held = std::get_if<Tensor>(&attribute.content);
    if (held && held->type == tensor.type && held->dims == tensor.dims && held->size_bytes == tensor.size_bytes &&
        std::memcmp(held->data, tensor.data, tensor.size_bytes) == 0) {
      return *held;
    }
  }
  return tensor;
}

// The node that picks the value out of its first input as a strided view, told how by constants; no_id: none does.
NodeId Folding::view_that_makes(const Graph& graph, ValueId id) const {
  const NodeId producer = graph.values[id].producer;
  if (producer == no_id) return no_id;
  const Node& node = graph.nodes[producer];
  const OperatorEntry* contract = registry_.find_operator(node.domain, node.op_type);
  if (contract == nullptr || !contract->is(HEED_VIEW_STRIDED) || contract->is(HEED_ENLARGES)) return no_id;
  if (node.outputs.size() != 1 || node.inputs.empty() || node.inputs[0] == no_id) return no_id;
  const bool told = std::all_of(node.inputs.begin() + 1, node.inputs.end(),
                                [&](ValueId input) { return input == no_id || constant_of(graph.values[input]); });
  return told ? producer : no_id;
}

// Whether it is a constant, or a view of one through no more than a few others.
bool Folding::is_known(const Graph& graph, ValueId id) const {
  for (int32_t views = 0; views <= most_views; ++views) {
    if (id == no_id || constant_of(graph.values[id])) return true;
    const NodeId view = view_that_makes(graph, id);
    if (view == no_id) return false;
    id = graph.nodes[view].inputs[0];
  }
  return false;
}

// Makes constants of a known value and of those that it looks at.
bool Folding::fold_view(Graph& graph, ValueId id) {
  if (id == no_id || constant_of(graph.values[id])) return true;
  Node& node = graph.nodes[graph.values[id].producer];
  if (!fold_view(graph, node.inputs[0])) return false;
  auto tensor = FoldedNode(graph, node, *registry_.find_operator(node.domain, node.op_type)).view();
  if (!tensor) return false;
  replace(graph, node, {std::move(tensor)});
  return true;
}

std::optional<std::vector<Tensor>> Folding::compute(Graph& graph, const Node& node, const OperatorEntry& contract) {
  FoldedNode folded(graph, node, contract);
  const auto output_count = folded.output_count();
  const Value* first = node.inputs.empty() || node.inputs[0] == no_id ? nullptr : &graph.values[node.inputs[0]];
  const Tensor* source = first ? constant_of(*first) : nullptr;

  if (contract.is(HEED_VIEW_DENSE) && source && output_count == 1) {
    const Value& target = *folded.output_value(0);
    const auto dims = numbers(target.type.dims);
    const auto size = known_size_bytes(target.type);
    if (dims && size && *size == source->size_bytes && target.type.element == source->type) {
      Tensor tensor = *source;
      tensor.dims = *dims;
      return std::vector{std::move(tensor)};
    }
  }

  size_t input_bytes = attribute_bytes(node), output_bytes = 0;
  bool all_known = true, all_integers = true;
  for (const ValueId id : node.inputs) {
    if (id == no_id) continue;
    all_known = all_known && is_known(graph, id);
    input_bytes += known_size_bytes(graph.values[id].type).value_or(0);
  }
  for (const ValueId id : node.outputs) {
    if (id == no_id) continue;
    const ValueType& type = graph.values[id].type;
    if (type.kind != Kind::tensor || !type.element) return std::nullopt;
    all_integers = all_integers && (*type.element == DataType::i64 || *type.element == DataType::i32 ||
                                    *type.element == DataType::boolean);
    output_bytes += known_size_bytes(type).value_or(0);
  }
  // Arithmetic on shapes grows, too, and is folded all the same.
  const bool is_small = output_bytes <= small_bytes;
  if (!is_small && output_bytes > input_bytes) return std::nullopt;
  const bool is_larger = first && output_bytes > known_size_bytes(first->type).value_or(0);
  if (contract.is(HEED_ENLARGES) && is_larger && !(is_small && all_integers)) return std::nullopt;
  if (contract.is(HEED_VIEW_STRIDED) && first && known_size_bytes(first->type).value_or(0) > small_bytes)
    return std::nullopt;

  if (contract.is(HEED_VIEW_STRIDED) && source && output_count == 1) {
    if (auto tensor = folded.view()) return std::vector{std::move(*tensor)};
  }
  if (!all_known) return std::nullopt;
  // Views of large constants share their bytes, but where what reads them is computed here.
  for (const ValueId id : node.inputs)
    if (!fold_view(graph, id)) return std::nullopt;
  auto tensors = folded.compute(registry_);
  if (!tensors) return std::nullopt;
  for (Tensor& tensor : *tensors) {
    if (tensor.size_bytes > small_bytes && tensor.size_bytes > input_bytes) return std::nullopt;
    tensor = shared_with_attribute(node, std::move(tensor));
  }
  return tensors;
}

bool reads_nothing(const Node& node) {
  return std::all_of(node.inputs.begin(), node.inputs.end(), [](ValueId id) { return id == no_id; });
}

bool Folding::fold(Graph& graph, Node& node) {
  if (nodes_ == Folded::sources && !reads_nothing(node)) return false;
  const OperatorEntry* contract = registry_.find_operator(node.domain, node.op_type);
  if (contract == nullptr || contract->is(HEED_RANDOM) || contract->is(HEED_CONTROL) || !subgraphs_of(node).empty())
    return false;
  bool all_known = true;
  std::vector<std::optional<Tensor>> known;
  for (const ValueId id : node.outputs) {
    known.push_back(id == no_id ? std::nullopt : tensor_from_elements(graph.values[id]));
    all_known = all_known && (id == no_id || known.back());
  }
  if (!all_known) {
    auto tensors = compute(graph, node, *contract);
    if (!tensors) return false;
    known.assign(node.outputs.size(), std::nullopt);
    std::move(tensors->begin(), tensors->end(), known.begin());
  }
  replace(graph, node, std::move(known));
  return true;
}

// The outputs of the node become constants.
void Folding::replace(Graph& graph, Node& node, std::vector<std::optional<Tensor>> known) {
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == no_id) continue;
    Value& value = graph.values[node.outputs[i]];
    std::vector<Dim> dims(known[i]->dims.begin(), known[i]->dims.end());
    changed_types = changed_types || value.type.dims != dims || tells_sizes_[node.outputs[i]];
    // Integers that become known are sizes that others may have wished to know.
    if (!value.elements || !all_numbers(*value.elements)) {
      const bool is_carried = static_cast<size_t>(known[i]->element_count()) <= carried_elements_limit;
      if (is_carried) {
        if (auto integers = known[i]->integers(carried_elements_limit)) {
          value.elements.emplace(integers->begin(), integers->end());
          changed_types = true;
        }
      }
    }
    value.type.dims = std::move(dims);
    value.constant = std::make_shared<const Tensor>(std::move(*known[i]));
    value.producer = no_id;
  }
  node.removed = true;
  ++folded_count;
}

// Whose elements inference reads, floats such as the scales of Resize too.
std::vector<bool> Folding::values_that_tell_sizes(const Graph& graph) const {
  std::vector<bool> tells_sizes(graph.values.size());
  for (const Node& node : graph.nodes) {
    const OperatorEntry* contract = node.removed ? nullptr : registry_.find_operator(node.domain, node.op_type);
    for (size_t i = 0; contract && i < node.inputs.size(); ++i) {
      const auto* parameter = parameter_at(contract->c->inputs, contract->c->input_count, i);
      if (node.inputs[i] != no_id && parameter && (parameter->flags & HEED_SHAPE_DATA))
        tells_sizes[node.inputs[i]] = true;
    }
  }
  return tells_sizes;
}

Result<void> Folding::fold(Graph& graph) {
  tells_sizes_ = values_that_tell_sizes(graph);
  for (Node& node : graph.nodes) {
    if (stop_ && stop_->is_reached()) return stop_->error();
    if (node.removed || node.becomes >= 0 || fold(graph, node)) continue;
    for (const auto& body : subgraphs_of(node)) {
      for (Value& value : body->values) {
        if (value.captured == no_id) continue;
        const Value& outer = graph.values[value.captured];
        value.constant = outer.is_input ? nullptr : outer.constant;
        value.elements = outer.elements;
      }
      auto of_this_graph = std::move(tells_sizes_);
      HEED_TRY(fold(*body));
      tells_sizes_ = std::move(of_this_graph);
    }
  }
  return graph.order();
}

}  // namespace

Result<size_t> fold_constants(Graph& graph, const Registry& registry, Folded nodes, const Stop* stop) {
  size_t total = 0;
  for (int32_t round = 0; round < round_limit; ++round) {
    Folding folding(registry, nodes, stop);
    HEED_TRY(folding.fold(graph));
    total += folding.folded_count;
    if (!folding.changed_types) break;
    HEED_TRY(infer_shapes(graph, registry));
  }
  return total;
}

}  // namespace heed
