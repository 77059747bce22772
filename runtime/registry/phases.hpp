// The host's side of plugin.h: what the opaque heed_node, heed_run, heed_control and heed_match are. Each room that
// runs a phase derives from them; host.cpp makes the table of functions that a plugin gets.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.hpp"
#include "heed/plugin.h"
#include "heed/result.hpp"

namespace heed {

struct OperatorEntry;

// What host->fail does, for the host's own functions that a plugin calls: keeps the text for this thread, gives the
// code.
int32_t fail(Code code, std::string_view text);
int32_t fail(const Error& error);

// Integer tensors of at most so many elements are carried as Dims.
inline constexpr size_t carried_elements_limit = 256;

}  // namespace heed

// A node as a phase shows it to a plugin. The base class answers what every phase may ask; what a phase adds it
// overrides, and a call in the wrong phase fails with a text that says so.
struct heed_node {
  heed_node(const heed::Graph& graph, const heed::Node& node, const heed::OperatorEntry& contract);
  virtual ~heed_node();
  heed_node(const heed_node&) = delete;

  const heed::Graph& graph;
  const heed::Node& node;
  const heed::OperatorEntry& contract;
  int32_t version;  // of the operator

  // Inference (passes/infer_shapes.cpp).
  virtual int32_t infer_output(int32_t output, const heed_type& type);
  virtual int32_t infer_output_elements(int32_t output, const heed_dim* elements, size_t count);
  virtual heed_dim infer_symbol(heed_text hint, heed_dim upper);
  virtual int32_t infer_equal(heed_dim a, heed_dim b, heed_text what);
  virtual int32_t infer_rank(int32_t input, int32_t rank);
  virtual int32_t infer_subgraph(int32_t subgraph, const heed_type* inputs, size_t input_count);
  virtual int32_t infer_untaken_subgraph(int32_t subgraph, int32_t& fits);
  virtual int32_t infer_becomes(int32_t subgraph);
  virtual heed_type subgraph_output(int32_t subgraph, int32_t output) const;  // also after inference

  // Planning (plan/choose_kernel.cpp).
  virtual int32_t plan_decline(heed_text reason);
  virtual void plan_strided_input(int32_t input);
  virtual void plan_strided_output(int32_t output);
  virtual bool plan_channels_last_input(int32_t input);
  virtual bool plan_channels_last_output(int32_t output);
  virtual bool plan_channels_last_alike();
  virtual void plan_in_place(int32_t input, int32_t output);
  virtual void plan_work(heed_dim operation_count);
  virtual int32_t plan_variant(const heed_variant& variant);
  virtual uint64_t gpu_capability(heed_text name) const;  // binding too
  virtual const heed_dim* view_source_strides() const;
  virtual void view_output(int32_t output, const heed_dim* strides, heed_dim offset);

  // Binding (session/frame.cpp).
  virtual heed_tensor bind_input(int32_t input) const;
  virtual heed_tensor bind_output(int32_t output) const;
  virtual bool bind_in_place(int32_t input, int32_t output) const;
  virtual void bind_scratch(size_t size_bytes);
  virtual int32_t bind_dispatch(int32_t variant, const void* parameters, size_t size_bytes,
                                const uint32_t workgroups[3], std::span<const heed_window> windows);
  virtual bool bind_has_kept() const;

  // Preparing (session/prepare.cpp).
  virtual void* prepare_keep(size_t size_bytes);
  virtual void prepare_replaced(int32_t input);
  virtual int32_t prepare_threads() const;
  virtual int32_t prepare_option(heed_text name, heed_text* value) const;

  // The C form of a value's type; dims point into it.
  static heed_type type_of(const heed::ValueType& type);
  static heed_type type_of(const heed::Value& value) { return type_of(value.type); }
  static heed_type no_type() { return {HEED_TENSOR, 0, -1, 0, nullptr}; }

  // These are what the table offers; any thread may call them while nobody changes the graph. What they lend lives as
  // long as this object and the graph.
  const heed::Value* input_value(int32_t input) const;  // null where absent
  const heed::Value* output_value(int32_t output) const;
  int32_t input_count() const;  // trailing absent ones are not counted
  int32_t output_count() const;
  // The elements of a small integer input as far as they are known, from inference or from a constant.
  const std::vector<heed::Dim>* input_elements(int32_t input) const;
  bool input_constant(int32_t input, heed_tensor* constant) const;
  bool attribute(std::string_view name, heed_attribute* attribute) const;
  // A tensor as a plugin sees it.
  heed_tensor lend(const heed::Tensor& tensor) const;

 private:
  struct Lent;  // lists that a plugin may still look at
  template <class Make>
  const Lent& lend_once(const void* source, Make make) const;

  mutable std::mutex lent_mutex_;
  mutable std::vector<std::unique_ptr<Lent>> lent_;
};

// One execution of a CPU kernel: registry/cpu_run.hpp implements it; the session and constant folding use it.
struct heed_run {
  virtual ~heed_run();
  virtual void parallel_for(int64_t count, int64_t grain, heed_loop function, void* context) = 0;
  virtual int32_t thread_count() const = 0;
  virtual int32_t allocate_output(int32_t output, const int64_t* dims, int32_t rank, heed_tensor* tensor) = 0;
  virtual heed_text store_text(int32_t output, heed_text bytes) = 0;
  virtual uint64_t random_seed() = 0;
  virtual heed_value* input(int32_t input) = 0;
  virtual int32_t set_output(int32_t output, heed_value* value) = 0;
  virtual heed_value* sequence_copy(int32_t input) = 0;
};

// One execution of a control kernel: implemented by session/.
struct heed_control {
  virtual ~heed_control();
  virtual heed_run* run() = 0;
  virtual int32_t input_count() const = 0;
  virtual int32_t output_count() const = 0;
  virtual heed_value* input(int32_t input) = 0;
  virtual int32_t read_scalar(heed_value* value, int64_t* i, double* f) = 0;
  virtual heed_value* scalar(int32_t element, int64_t i) = 0;
  virtual int32_t call(int32_t subgraph, heed_value* const* arguments, size_t argument_count, heed_value** results,
                       size_t result_count) = 0;
  virtual heed_value* stack(int32_t axis, heed_value* const* values, size_t count, int32_t output) = 0;
  virtual heed_value* slice(heed_value* value, int32_t axis, int64_t index) = 0;
  virtual int32_t set_output(int32_t output, heed_value* value) = 0;
};

// One place where a rewrite's pattern fits: implemented by passes/rewrite.cpp.
struct heed_match {
  virtual ~heed_match();
  virtual const heed_node* node(heed_text result) const = 0;
  virtual int32_t value(heed_text name, heed_type* type) const = 0;
  virtual int32_t constant(heed_text name, heed_tensor* constant) const = 0;
  virtual int64_t elements(heed_text name, const heed_dim** elements) const = 0;
  virtual void set(heed_text name, heed::Attribute value) = 0;
  virtual void replace(heed_text replacement) = 0;
};
