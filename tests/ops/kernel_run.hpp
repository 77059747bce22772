// One CPU kernel on one node, with memory laid out as the test says: strides, gaps, a cache in place. Tables of plain
// cases (cases.hpp) need none of this.
#pragma once

#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/thread_pool.hpp"
#include "built_in.hpp"
#include "graph/graph_builder.hpp"
#include "graph/parse.hpp"
#include "ops/ops.hpp"
#include "passes/infer_shapes.hpp"
#include "plugins/cpu/cpu.hpp"
#include "plugins/cpu/isa.hpp"
#include "registry/cpu_run.hpp"

namespace heed::test {

// A tensor somewhere in memory. Elements that are no part of it are NaN (all bits set), so that whoever reads them
// shows.
struct Laid {
  DataType type = DataType::undefined;  // undefined: absent
  std::vector<int64_t> dims, strides;
  std::shared_ptr<std::vector<uint64_t>> memory;
  int64_t offset = 0;     // in elements
  bool constant = false;  // an initializer

  bool is_absent() const { return type == DataType::undefined; }
  size_t element_bytes() const { return static_cast<size_t>(bits_of(type)) / 8; }
  std::byte* data() const {
    return reinterpret_cast<std::byte*>(memory->data()) + static_cast<size_t>(offset) * element_bytes();
  }
  heed_tensor c() const {
    if (is_absent()) return {};
    return {data(), dims.data(), strides.data(), 0, static_cast<int32_t>(dims.size()), static_cast<int32_t>(type)};
  }
  int64_t count() const {
    int64_t product = 1;
    for (const int64_t dim : dims) product *= dim;
    return product;
  }
  // The element at a row-major index, and where it lies.
  std::byte* at(int64_t index) const {
    int64_t position = 0;
    for (size_t axis = dims.size(); axis-- > 0; index /= dims[axis]) position += index % dims[axis] * strides[axis];
    return data() + position * static_cast<int64_t>(element_bytes());
  }
};

// Room for a tensor: axes lie in memory in `order`, outermost first, `gap` elements behind each of their rows.
inline Laid room(DataType type, std::vector<int64_t> dims, std::vector<size_t> order = {}, int64_t gap = 0) {
  Laid laid{type, dims, std::vector<int64_t>(dims.size()), nullptr, 0, false};
  if (order.empty())
    for (size_t axis = 0; axis < dims.size(); ++axis) order.push_back(axis);
  int64_t stride = 1;
  for (size_t i = order.size(); i-- > 0;) {
    laid.strides[order[i]] = stride;
    stride = stride * std::max<int64_t>(dims[order[i]], 1) + gap;
  }
  laid.memory = std::make_shared<std::vector<uint64_t>>(static_cast<size_t>(stride) * laid.element_bytes() / 8 + 16,
                                                        ~uint64_t{0});
  return laid;
}

inline Laid laid(const Tensor& tensor, std::vector<size_t> order = {}, int64_t gap = 0) {
  Laid laid = room(tensor.type, tensor.dims, std::move(order), gap);
  for (int64_t i = 0; i < laid.count(); ++i)
    std::memcpy(laid.at(i), tensor.data + static_cast<size_t>(i) * laid.element_bytes(), laid.element_bytes());
  return laid;
}

inline Laid constant(Laid laid) {
  laid.constant = true;
  return laid;
}

inline Tensor dense(const Laid& laid) {
  auto tensor = *Tensor::allocate(laid.type, laid.dims);
  for (int64_t i = 0; i < laid.count(); ++i)
    std::memcpy(tensor.writable() + static_cast<size_t>(i) * laid.element_bytes(), laid.at(i), laid.element_bytes());
  return tensor;
}

// What a kernel's functions talk to.
class KernelNode : public heed_node {
 public:
  KernelNode(const Graph& graph, const Node& node, const OperatorEntry& op, ThreadPool* pool)
      : heed_node(graph, node, op), pool_(pool) {}

  int32_t plan_decline(heed_text reason) override { return declined = std::string(reason.data, reason.size), 0; }
  void plan_strided_input(int32_t) override {}
  void plan_strided_output(int32_t) override {}
  // As if all of them lay so; how they do is the test's.
  bool plan_channels_last_input(int32_t) override { return true; }
  bool plan_channels_last_output(int32_t) override { return true; }
  bool plan_channels_last_alike() override { return true; }
  void plan_in_place(int32_t, int32_t) override {}
  heed_tensor bind_input(int32_t input) const override { return without_data(inputs, input); }
  heed_tensor bind_output(int32_t output) const override { return without_data(outputs, output); }
  void bind_scratch(size_t size_bytes) override { scratch.assign(size_bytes / 8 + 8, ~uint64_t{0}); }
  void* prepare_keep(size_t size_bytes) override {
    // 64-byte aligned, as the host's.
    kept_.push_back(std::make_unique<std::vector<uint64_t>>(size_bytes / 8 + 9));
    const auto address = reinterpret_cast<uintptr_t>(kept_.back()->data());
    return reinterpret_cast<void*>((address + 63) / 64 * 64);
  }
  // What is packed is gone.
  void prepare_replaced(int32_t input) override { inputs[static_cast<size_t>(input)].data = nullptr; }
  int32_t prepare_threads() const override { return pool_ ? pool_->thread_count() : 1; }
  int32_t prepare_option(heed_text name, heed_text* value) const override {
    if (isa.empty() || std::string_view(name.data, name.size) != "cpu.isa") return 0;
    *value = {isa.data(), isa.size()};
    return 1;
  }

  std::string isa;  // the option "cpu.isa"; empty: not given
  std::vector<heed_tensor> inputs, outputs;
  std::vector<uint64_t> scratch;
  std::optional<std::string> declined;

 private:
  static heed_tensor without_data(const std::vector<heed_tensor>& list, int32_t index) {
    if (index >= static_cast<int32_t>(list.size())) return {};
    heed_tensor tensor = list[static_cast<size_t>(index)];
    tensor.data = nullptr;
    return tensor;
  }
  ThreadPool* pool_;
  std::vector<std::unique_ptr<std::vector<uint64_t>>> kept_;
};

// A kernel planned, prepared and bound, to be run as often as one likes. Its tensors stay where they lie.
class ReadyKernel {
 public:
  // The kernel named `kernel` of `call`, "heed.Attention<causal = 1>" for one, on inputs and outputs as they lie. Where
  // it declines, the error is its reason (Code::unsupported).
  static Result<std::unique_ptr<ReadyKernel>> make(const std::string& kernel, const std::string& call,
                                                   std::vector<Laid> inputs, std::vector<Laid> outputs,
                                                   ThreadPool* pool = nullptr, std::string isa = "") {
    auto ready = std::unique_ptr<ReadyKernel>(new ReadyKernel(std::move(inputs), std::move(outputs), pool));
    HEED_TRY(ready->type(call));
    HEED_TRY(ready->prepare(kernel, std::move(isa)));
    return ready;
  }

  Result<void> run() { return cpu_run_.run(*kernel_, *node_, {&arguments_, input_values_, output_values_}); }

 private:
  ReadyKernel(std::vector<Laid> inputs, std::vector<Laid> outputs, ThreadPool* pool)
      : inputs_(std::move(inputs)),
        outputs_(std::move(outputs)),
        pool_(pool),
        cpu_run_(pool, nullptr),
        input_values_(inputs_.size()),
        output_values_(outputs_.size()) {}

  // Builds the graph of one node and infers its outputs, which must be those that were laid out.
  Result<void> type(const std::string& call) {
    GraphBuilder builder(std::make_shared<DimPool>(), GraphBuilder::Scope::complete);
    std::string results, arguments;
    for (size_t i = 0; i < outputs_.size(); ++i)
      results += (i ? ", " : "") + (outputs_[i].is_absent() ? "\"\"" : "o" + std::to_string(i));
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const Laid& input = inputs_[i];
      const auto name = "i" + std::to_string(i);
      arguments += (i ? ", " : "") + (input.is_absent() ? "\"\"" : name);
      if (input.is_absent()) continue;
      if (input.constant) {
        HEED_TRY(builder.add_constant(name, dense(input)));
        continue;
      }
      ValueType type{Kind::tensor, false, input.type, std::vector<Dim>(input.dims.begin(), input.dims.end())};
      HEED_TRY(builder.add_input(name, type));
    }
    HEED_ASSIGN(auto statements, parse_statements(results + " = " + call + "(" + arguments + ")"));
    HEED_TRY(builder.add_statement(statements.at(0)));
    for (size_t i = 0; i < outputs_.size(); ++i)
      if (!outputs_[i].is_absent()) builder.add_output("o" + std::to_string(i), {});
    HEED_ASSIGN(graph_, std::move(builder).build({{"", newest_opset}, {"heed", 1}, {"com.microsoft", 1}}));
    HEED_TRY(infer_shapes(*graph_, registry()));

    const Node& node = graph_->nodes.at(0);
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (!inputs_[i].constant) continue;
      auto strided = *graph_->values[node.inputs[i]].constant;
      strided.data = inputs_[i].data();
      strided.strides = inputs_[i].strides;
      graph_->values[node.inputs[i]].constant = std::make_shared<const Tensor>(strided);
    }
    for (size_t i = 0; i < outputs_.size(); ++i) {
      if (outputs_[i].is_absent()) continue;
      const auto& type = graph_->values[node.outputs[i]].type;
      if (type.element != outputs_[i].type ||
          type.dims != std::vector<Dim>(outputs_[i].dims.begin(), outputs_[i].dims.end()))
        return Error{Code::shape_mismatch, "output " + std::to_string(i) + " is inferred to be " + to_string(type)};
    }
    return {};
  }

  Result<void> prepare(const std::string& name, std::string isa) {
    const Node& node = graph_->nodes.at(0);
    node_ = std::make_unique<KernelNode>(*graph_, node, *registry().find_operator(node.domain, node.op_type),
                                         pool_);
    node_->isa = std::move(isa);
    HEED_ASSIGN(const auto kernels, registry().cpu_kernels(node.domain, node.op_type, node_->version));
    for (const auto* entry : kernels)
      if (std::string_view(entry->c->name.data, entry->c->name.size) == name) kernel_ = entry->c;
    if (kernel_ == nullptr) return Error{Code::invalid_argument, "there is no kernel named " + name};
    if (kernel_->plan) HEED_TRY(call_plugin([&] { return kernel_->plan(node_.get(), kernel_->user); }));
    if (node_->declined) return Error{Code::unsupported, *node_->declined};
    for (const Laid& input : inputs_) node_->inputs.push_back(input.c());
    for (const Laid& output : outputs_) node_->outputs.push_back(output.c());
    void* kept = nullptr;
    if (kernel_->prepare) HEED_TRY(call_plugin([&] { return kernel_->prepare(node_.get(), &kept, kernel_->user); }));
    if (kernel_->bind) HEED_TRY(call_plugin([&] { return kernel_->bind(node_.get(), kept, kernel_->user); }));
    arguments_.struct_size = sizeof arguments_;
    arguments_.inputs = node_->inputs.data();
    arguments_.outputs = node_->outputs.data();
    arguments_.input_count = static_cast<int32_t>(inputs_.size());
    arguments_.output_count = static_cast<int32_t>(outputs_.size());
    arguments_.kept = kept;
    arguments_.scratch = node_->scratch.empty() ? nullptr : node_->scratch.data();
    return {};
  }

  std::vector<Laid> inputs_, outputs_;
  ThreadPool* pool_;
  CpuRun cpu_run_;
  std::shared_ptr<Graph> graph_;
  std::unique_ptr<KernelNode> node_;
  const heed_cpu_kernel* kernel_ = nullptr;
  heed_arguments arguments_{};
  std::vector<CpuInput> input_values_;
  std::vector<CpuOutput> output_values_;
};

inline Result<void> run_kernel(const std::string& kernel, const std::string& call, std::vector<Laid> inputs,
                               std::vector<Laid> outputs, ThreadPool* pool = nullptr, std::string isa = "") {
  HEED_ASSIGN(const auto ready,
              ReadyKernel::make(kernel, call, std::move(inputs), std::move(outputs), pool, std::move(isa)));
  return ready->run();
}

// Numbers in [-1, 1), the same for the same seed.
inline Tensor noise(std::vector<int64_t> dims, uint64_t seed) {
  auto tensor = *Tensor::allocate(DataType::f32, std::move(dims));
  auto* values = reinterpret_cast<float*>(tensor.writable());
  RandomSeeds seeds{seed};
  for (int64_t i = 0; i < tensor.element_count(); ++i)
    values[i] = static_cast<float>(static_cast<double>(seeds.next() >> 11) * 0x1p-52 - 1);
  return tensor;
}

inline std::string text_of(const Result<void>& result) { return result ? "" : result.error().message; }

// The kernels of MatMul that this machine can run on elements of `type`; those of f32 are attention's too.
inline std::vector<std::string> kernels_here(DataType type = DataType::f32) {
  std::vector<std::string> names;
  for (const cpu::Isa isa : cpu::every_isa) {
    const bool of_bf16 = isa == cpu::Isa::avx512_bf16 || isa == cpu::Isa::amx;
    if (cpu::machine_has(isa) && (of_bf16 ? type == DataType::bf16 : isa == cpu::base_of(isa)))
      names.emplace_back(cpu::name_of(isa));
  }
  return names;
}

// How far the element that is farthest from what is expected is, relative to 1 or to its size; NaN is infinitely far.
template <class T>
double farthest(const Laid& got, const std::vector<T>& expected) {
  if (got.count() != static_cast<int64_t>(expected.size())) return INFINITY;
  double worst = 0;
  for (int64_t i = 0; i < got.count(); ++i) {
    float value = 0;
    if (got.type == DataType::f32) std::memcpy(&value, got.at(i), sizeof value);
    if (got.type == DataType::f16) value = static_cast<float>(*reinterpret_cast<const Float16*>(got.at(i)));
    if (got.type == DataType::bf16) value = static_cast<float>(*reinterpret_cast<const BFloat16*>(got.at(i)));
    const double wanted = static_cast<double>(expected[static_cast<size_t>(i)]);
    if (std::isnan(value) && std::isnan(wanted)) continue;
    const double error = std::fabs(value - wanted) / std::max(1.0, std::fabs(wanted));
    worst = std::isnan(error) ? INFINITY : std::max(worst, error);
  }
  return worst;
}

}  // namespace heed::test
