// What a node tells a plugin in every phase; and what it says when a plugin asks for something in the wrong one.
#include <algorithm>
#include <string>

#include "registry/phases.hpp"
#include "registry/registry.hpp"
#include "registry/value.hpp"

struct heed_node::Lent {
  const void* source = nullptr;  // the tensor, or the list of strings
  std::vector<int64_t> strides;
  std::vector<heed_text> texts;
  std::vector<heed::Dim> elements;
};

namespace {

using heed::Code;

constexpr int64_t unit_stride[1] = {1};

int32_t wrong_phase(std::string_view function, std::string_view phase) {
  return heed::fail(Code::invalid_argument, "host->" + std::string(function) + " was called outside of " +
                                                std::string(phase) + ", where it belongs");
}

bool is_carried(const heed::Tensor& tensor) {
  using heed::DataType;
  if (tensor.type != DataType::i64 && tensor.type != DataType::i32 && tensor.type != DataType::boolean) return false;
  return static_cast<size_t>(tensor.element_count()) <= heed::carried_elements_limit;
}

}  // namespace

heed_node::heed_node(const heed::Graph& graph, const heed::Node& node, const heed::OperatorEntry& contract)
    : graph(graph), node(node), contract(contract), version(contract.version_at(node.opset).value_or(0)) {}

heed_node::~heed_node() = default;
heed_run::~heed_run() = default;
heed_control::~heed_control() = default;
heed_match::~heed_match() = default;

template <class Make>
const heed_node::Lent& heed_node::lend_once(const void* source, Make make) const {
  const std::lock_guard lock(lent_mutex_);
  for (const auto& lent : lent_) {
    if (lent->source == source) return *lent;
  }
  auto lent = std::make_unique<Lent>();
  lent->source = source;
  make(*lent);
  lent_.push_back(std::move(lent));
  return *lent_.back();
}

heed_type heed_node::type_of(const heed::ValueType& type) {
  heed_type c = no_type();
  c.kind = static_cast<int32_t>(type.kind);
  c.sequence_of_optional = type.sequence_of_optional ? 1 : 0;
  if (type.element) c.element = static_cast<int32_t>(*type.element);
  if (type.dims) {
    c.rank = static_cast<int32_t>(type.dims->size());
    c.dims = reinterpret_cast<const heed_dim*>(type.dims->data());
  }
  return c;
}

const heed::Value* heed_node::input_value(int32_t input) const {
  if (input < 0 || static_cast<size_t>(input) >= node.inputs.size()) return nullptr;
  const heed::ValueId id = node.inputs[static_cast<size_t>(input)];
  return id == heed::no_id ? nullptr : &graph.values[id];
}

const heed::Value* heed_node::output_value(int32_t output) const {
  if (output < 0 || static_cast<size_t>(output) >= node.outputs.size()) return nullptr;
  const heed::ValueId id = node.outputs[static_cast<size_t>(output)];
  return id == heed::no_id ? nullptr : &graph.values[id];
}

int32_t heed_node::input_count() const {
  size_t count = node.inputs.size();
  while (count > 0 && node.inputs[count - 1] == heed::no_id) --count;
  return static_cast<int32_t>(count);
}

int32_t heed_node::output_count() const {
  size_t count = node.outputs.size();
  while (count > 0 && node.outputs[count - 1] == heed::no_id) --count;
  return static_cast<int32_t>(count);
}

const std::vector<heed::Dim>* heed_node::input_elements(int32_t input) const {
  const heed::Value* value = input_value(input);
  if (value == nullptr) return nullptr;
  if (value->elements) return &*value->elements;
  const heed::Tensor* constant = value->constant.get();
  if (constant == nullptr || value->is_input || !is_carried(*constant)) return nullptr;
  return &lend_once(&value->constant, [&](Lent& lent) {
            const auto integers = constant->integers(heed::carried_elements_limit);
            if (integers) lent.elements.assign(integers->begin(), integers->end());
          }).elements;
}

heed_tensor heed_node::lend(const heed::Tensor& tensor) const {
  const size_t rank = tensor.dims.size();
  const int64_t* strides = unit_stride;
  if (!tensor.strides.empty()) {
    strides = tensor.strides.data();
  } else if (rank > 1) {
    strides = lend_once(&tensor, [&](Lent& lent) { lent.strides = heed::dense_strides(tensor.dims); }).strides.data();
  }
  return {const_cast<std::byte*>(tensor.data), tensor.dims.data(), strides, 0, static_cast<int32_t>(rank),
          static_cast<int32_t>(tensor.type)};
}

bool heed_node::input_constant(int32_t input, heed_tensor* constant) const {
  const heed::Value* value = input_value(input);
  // An input of the graph that has a default is what the caller makes it.
  if (value == nullptr || value->constant == nullptr || value->is_input) return false;
  *constant = lend(*value->constant);
  return true;
}

bool heed_node::attribute(std::string_view name, heed_attribute* out) const {
  const auto found = node.attributes.find(name);
  if (found == node.attributes.end()) {
    for (size_t i = 0; i < contract.c->attribute_count; ++i) {
      const heed_attribute_rule& rule = contract.c->attributes[i];
      if (std::string_view(rule.name.data, rule.name.size) != name) continue;
      if (rule.default_value.kind == HEED_ATTRIBUTE_NONE) return false;
      *out = rule.default_value;
      return true;
    }
    return false;
  }
  *out = heed_attribute{};
  out->struct_size = sizeof *out;
  out->subgraph = -1;
  const auto& content = found->second.content;
  if (const auto* i = std::get_if<int64_t>(&content)) {
    out->kind = HEED_ATTRIBUTE_INT;
    out->i = *i;
  } else if (const auto* f = std::get_if<float>(&content)) {
    out->kind = HEED_ATTRIBUTE_FLOAT;
    out->f = *f;
  } else if (const auto* s = std::get_if<std::string>(&content)) {
    out->kind = HEED_ATTRIBUTE_STRING;
    out->s = {s->data(), s->size()};
  } else if (const auto* tensor = std::get_if<heed::Tensor>(&content)) {
    out->kind = HEED_ATTRIBUTE_TENSOR;
    out->tensor = lend(*tensor);
  } else if (std::holds_alternative<std::shared_ptr<heed::Graph>>(content)) {
    out->kind = HEED_ATTRIBUTE_GRAPH;
    out->subgraph = 0;
    for (auto before = node.attributes.begin(); before != found; ++before) {
      const auto* many = std::get_if<std::vector<std::shared_ptr<heed::Graph>>>(&before->second.content);
      if (many) out->subgraph += static_cast<int32_t>(many->size());
      if (std::holds_alternative<std::shared_ptr<heed::Graph>>(before->second.content)) ++out->subgraph;
    }
  } else if (const auto* ints = std::get_if<std::vector<int64_t>>(&content)) {
    out->kind = HEED_ATTRIBUTE_INTS;
    out->ints = ints->data();
    out->count = ints->size();
  } else if (const auto* floats = std::get_if<std::vector<float>>(&content)) {
    out->kind = HEED_ATTRIBUTE_FLOATS;
    out->floats = floats->data();
    out->count = floats->size();
  } else if (const auto* strings = std::get_if<std::vector<std::string>>(&content)) {
    const auto& texts = lend_once(strings, [&](Lent& lent) {
                          for (const std::string& text : *strings) lent.texts.push_back({text.data(), text.size()});
                        }).texts;
    out->kind = HEED_ATTRIBUTE_STRINGS;
    out->strings = texts.data();
    out->count = texts.size();
  } else if (const auto* type = std::get_if<heed::ValueType>(&content)) {
    out->kind = HEED_ATTRIBUTE_TYPE;
    out->type = type_of(*type);
  } else {
    return false;  // lists of tensors or graphs, which no contract can name, and references inside of function bodies
  }
  return true;
}

heed_type heed_node::subgraph_output(int32_t subgraph, int32_t output) const {
  const auto graphs = heed::subgraphs_of(node);
  if (subgraph < 0 || static_cast<size_t>(subgraph) >= graphs.size()) return no_type();
  const heed::Graph& body = *graphs[static_cast<size_t>(subgraph)];
  if (output < 0 || static_cast<size_t>(output) >= body.outputs.size()) return no_type();
  return type_of(body.values[body.outputs[static_cast<size_t>(output)]]);
}

int32_t heed_node::infer_output(int32_t, const heed_type&) { return wrong_phase("infer_output", "inference"); }
int32_t heed_node::infer_output_elements(int32_t, const heed_dim*, size_t) {
  return wrong_phase("infer_output_elements", "inference");
}
heed_dim heed_node::infer_symbol(heed_text, heed_dim) {
  wrong_phase("infer_symbol", "inference");
  return heed::Dim::unknown(heed::UnknownDim::outgrown).c_dim();
}
int32_t heed_node::infer_equal(heed_dim, heed_dim, heed_text) { return wrong_phase("infer_equal", "inference"); }
int32_t heed_node::infer_rank(int32_t, int32_t) { return wrong_phase("infer_rank", "inference"); }
int32_t heed_node::infer_subgraph(int32_t, const heed_type*, size_t) {
  return wrong_phase("infer_subgraph", "inference");
}
int32_t heed_node::infer_untaken_subgraph(int32_t, int32_t&) {
  return wrong_phase("infer_untaken_subgraph", "inference");
}
int32_t heed_node::infer_becomes(int32_t) { return wrong_phase("infer_becomes", "inference"); }

int32_t heed_node::plan_decline(heed_text) { return wrong_phase("plan_decline", "planning"); }
void heed_node::plan_strided_input(int32_t) { wrong_phase("plan_strided_input", "planning"); }
void heed_node::plan_strided_output(int32_t) { wrong_phase("plan_strided_output", "planning"); }
bool heed_node::plan_channels_last_input(int32_t) {
  wrong_phase("plan_channels_last_input", "planning");
  return false;
}
bool heed_node::plan_channels_last_output(int32_t) {
  wrong_phase("plan_channels_last_output", "planning");
  return false;
}
bool heed_node::plan_channels_last_alike() {
  wrong_phase("plan_channels_last_alike", "planning");
  return false;
}
void heed_node::plan_in_place(int32_t, int32_t) { wrong_phase("plan_in_place", "planning"); }
void heed_node::plan_work(heed_dim) { wrong_phase("plan_work", "planning"); }
uint64_t heed_node::gpu_capability(heed_text) const { return 0; }
int32_t heed_node::plan_variant(const heed_variant&) { return wrong_phase("plan_variant", "planning for a GPU"); }
const heed_dim* heed_node::view_source_strides() const {
  wrong_phase("view_source_strides", "heed_operator.view");
  return nullptr;
}
void heed_node::view_output(int32_t, const heed_dim*, heed_dim) { wrong_phase("view_output", "heed_operator.view"); }

heed_tensor heed_node::bind_input(int32_t) const {
  wrong_phase("bind_input", "bind");
  return {};
}
heed_tensor heed_node::bind_output(int32_t) const {
  wrong_phase("bind_output", "bind");
  return {};
}
bool heed_node::bind_in_place(int32_t, int32_t) const { return false; }
void heed_node::bind_scratch(size_t) { wrong_phase("bind_scratch", "bind"); }
int32_t heed_node::bind_dispatch(int32_t, const void*, size_t, const uint32_t[3], std::span<const heed_window>) {
  return wrong_phase("bind_dispatch", "the bind of a GPU kernel");
}
bool heed_node::bind_has_kept() const { return false; }

void* heed_node::prepare_keep(size_t) {
  wrong_phase("prepare_keep", "prepare");
  return nullptr;
}
void heed_node::prepare_replaced(int32_t) { wrong_phase("prepare_replaced", "prepare"); }
int32_t heed_node::prepare_threads() const { return 1; }
int32_t heed_node::prepare_option(heed_text, heed_text*) const { return 0; }
