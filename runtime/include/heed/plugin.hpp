// plugin.hpp: write an operator for Heed. Contracts, shape inference, CPU kernels, GPU halves, control kernels and
// rewrites are plain structs of data and functions; HEED_PLUGIN makes a library of them. Nothing of the runtime is linked:
// everything goes through plugin.h, which this page wraps.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <exception>
#include <initializer_list>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "heed/data_type.hpp"
#include "heed/dim.hpp"
#include "heed/numeric.hpp"
#include "heed/plugin.h"
#include "heed/result.hpp"

namespace heed {

// The host that this plugin was given; set once by its entry function.
[[gnu::visibility("hidden")]] inline const heed_host* host = nullptr;

inline heed_text to_c(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view from_c(heed_text text) { return {text.data, text.size}; }

// ---- what every phase sees of a node --------------------------------------------------------------------------------

using Dims = std::vector<Dim>;

// The type of an input or output, as far as it is known; borrowed for the call.
struct TypeView {
  heed_type c;
  bool is_tensor() const { return c.kind == HEED_TENSOR; }
  DataType element() const { return static_cast<DataType>(c.element); }
  bool has_element() const { return c.element != 0; }
  bool has_rank() const { return c.rank >= 0; }
  int32_t rank() const { return c.rank; }
  std::span<const Dim> dims() const { return {reinterpret_cast<const Dim*>(c.dims), static_cast<size_t>(std::max(c.rank, 0))}; }
  Dim dim(int32_t axis) const { return dims()[static_cast<size_t>(axis < 0 ? axis + c.rank : axis)]; }
};

// A tensor's data at a run; at bind only its shape. Borrowed for the call.
struct TensorView {
  heed_tensor c;
  bool present() const { return c.element != 0; }
  DataType element() const { return static_cast<DataType>(c.element); }
  int32_t rank() const { return c.rank; }
  std::span<const int64_t> dims() const { return {c.dims, static_cast<size_t>(c.rank)}; }
  std::span<const int64_t> strides() const { return {c.strides, static_cast<size_t>(c.rank)}; }
  int64_t dim(int32_t axis) const { return c.dims[axis < 0 ? axis + c.rank : axis]; }
  int64_t stride(int32_t axis) const { return c.strides[axis < 0 ? axis + c.rank : axis]; }
  int64_t count() const { return count(0, c.rank); }
  int64_t count(int32_t begin_axis, int32_t end_axis) const {  // the product of dims [begin, end)
    uint64_t product = 1;  // which wraps, where one size is 0 and others are absurd
    for (int32_t axis = begin_axis; axis < end_axis; ++axis) product *= static_cast<uint64_t>(c.dims[axis]);
    return static_cast<int64_t>(product);
  }
  template <class T>
  T* data() const { return static_cast<T*>(c.data); }
  template <class T>
  std::span<T> as() const { return {static_cast<T*>(c.data), static_cast<size_t>(count())}; }
  // The elements of an i32, i64 or boolean tensor, widened.
  std::vector<int64_t> integers() const {
    std::vector<int64_t> values(static_cast<size_t>(count()));
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = element() == DataType::i64 ? data<int64_t>()[i] : element() == DataType::i32 ? data<int32_t>()[i] : data<uint8_t>()[i];
    return values;
  }
};

class NodeView {
 public:
  explicit NodeView(const heed_node* node) : node_(const_cast<heed_node*>(node)) {}

  int32_t version() const { return host->node_version(node_); }
  int32_t input_count() const { return host->node_input_count(node_); }
  int32_t output_count() const { return host->node_output_count(node_); }
  bool has_input(int32_t input) const { return host->node_has_input(node_, input) != 0; }
  bool has_output(int32_t output) const { return host->node_has_output(node_, output) != 0; }
  TypeView input(int32_t input) const { return {host->node_input(node_, input)}; }
  TypeView output(int32_t output) const { return {host->node_output(node_, output)}; }
  // The elements of a small integer input as sizes, where they are known.
  std::optional<std::span<const Dim>> elements(int32_t input) const {
    const heed_dim* elements = nullptr;
    const int64_t count = host->node_input_elements(node_, input, &elements);
    if (count < 0) return std::nullopt;
    return std::span(reinterpret_cast<const Dim*>(elements), static_cast<size_t>(count));
  }
  std::optional<TensorView> constant(int32_t input) const {
    TensorView constant{};
    if (!host->node_input_constant(node_, input, &constant.c)) return std::nullopt;
    return constant;
  }

  // Attributes, with the contract's defaults; `otherwise` where there is none.
  bool has_attribute(std::string_view name) const { return attribute(name).has_value(); }
  int64_t integer(std::string_view name, int64_t otherwise = 0) const {
    const auto a = attribute(name, HEED_ATTRIBUTE_INT);
    return a ? a->i : otherwise;
  }
  float number(std::string_view name, float otherwise = 0) const {
    const auto a = attribute(name, HEED_ATTRIBUTE_FLOAT);
    return a ? a->f : otherwise;
  }
  std::string_view text(std::string_view name, std::string_view otherwise = "") const {
    const auto a = attribute(name, HEED_ATTRIBUTE_STRING);
    return a ? from_c(a->s) : otherwise;
  }
  std::optional<std::span<const int64_t>> integers(std::string_view name) const {
    const auto a = attribute(name, HEED_ATTRIBUTE_INTS);
    return a ? std::optional(std::span(a->ints, a->count)) : std::nullopt;
  }
  std::optional<std::span<const float>> numbers(std::string_view name) const {
    const auto a = attribute(name, HEED_ATTRIBUTE_FLOATS);
    return a ? std::optional(std::span(a->floats, a->count)) : std::nullopt;
  }
  std::optional<std::span<const heed_text>> texts(std::string_view name) const {
    const auto a = attribute(name, HEED_ATTRIBUTE_STRINGS);
    return a ? std::optional(std::span(a->strings, a->count)) : std::nullopt;
  }
  std::optional<TensorView> tensor(std::string_view name) const {
    const auto a = attribute(name, HEED_ATTRIBUTE_TENSOR);
    return a ? std::optional(TensorView{a->tensor}) : std::nullopt;
  }
  // Which of the node's subgraphs an attribute holds; -1 where it holds none.
  int32_t subgraph(std::string_view name) const {
    const auto a = attribute(name, HEED_ATTRIBUTE_GRAPH);
    return a ? a->subgraph : -1;
  }
  std::optional<heed_attribute> attribute(std::string_view name, int32_t kind = HEED_ATTRIBUTE_NONE) const {
    heed_attribute a{};
    a.struct_size = sizeof a;
    if (!host->node_attribute(node_, to_c(name), &a)) return std::nullopt;
    if (kind != HEED_ATTRIBUTE_NONE && a.kind != kind) return std::nullopt;
    return a;
  }

  // The attribute `name` as an axis in [0, rank); fails outside of [-rank, rank).
  Result<int32_t> axis(std::string_view name, int32_t rank, int64_t otherwise = 0) const {
    return checked_axis(integer(name, otherwise), rank, name);
  }
  static Result<int32_t> checked_axis(int64_t axis, int32_t rank, std::string_view name = "axis") {
    if (axis < -rank || axis >= rank)
      return Error{Code::invalid_model, "attribute '" + std::string(name) + "' is " + std::to_string(axis) +
                                            ", outside of [" + std::to_string(-rank) + ", " + std::to_string(rank - 1) +
                                            "], the axes of a tensor of rank " + std::to_string(rank)};
    return static_cast<int32_t>(axis < 0 ? axis + rank : axis);
  }

  heed_node* c() const { return node_; }

 protected:
  heed_node* node_;
};

// ---- shape inference --------------------------------------------------------------------------------------------------

class Inference : public NodeView {
 public:
  using NodeView::NodeView;
  Result<void> set_output(int32_t output, DataType element, std::span<const Dim> dims) {
    heed_type type{HEED_TENSOR, static_cast<int32_t>(element), static_cast<int32_t>(dims.size()), 0,
                   reinterpret_cast<const heed_dim*>(dims.data())};
    return set_output(output, TypeView{type});
  }
  // A tensor whose rank is not known.
  Result<void> set_output(int32_t output, DataType element) {
    return set_output(output, TypeView{{HEED_TENSOR, static_cast<int32_t>(element), -1, 0, nullptr}});
  }
  Result<void> set_output(int32_t output, TypeView type) { return result_of(host->infer_output(node_, output, type.c)); }
  // The output's elements as sizes, for small integer tensors.
  void set_elements(int32_t output, std::span<const Dim> elements) {
    (void)host->infer_output_elements(node_, output, reinterpret_cast<const heed_dim*>(elements.data()), elements.size());
  }
  Dim fresh_symbol(std::string_view hint, Dim upper = std::numeric_limits<int64_t>::max()) {
    return Dim(host->infer_symbol(node_, to_c(hint), upper.c_dim()));
  }
  Result<void> require_equal(Dim a, Dim b, std::string_view what) {
    return result_of(host->infer_equal(node_, a.c_dim(), b.c_dim(), to_c(what)));
  }
  Result<void> require_rank(int32_t index, int32_t rank) const {
    if (!input(index).has_rank()) return result_of(host->infer_rank(node_, index, rank));
    if (input(index).rank() == rank) return {};
    return Error{Code::shape_mismatch, "input " + std::to_string(index) + " has rank " +
                                           std::to_string(input(index).rank()) + "; expected rank " + std::to_string(rank)};
  }
  Result<void> infer_subgraph(int32_t subgraph, std::span<const TypeView> inputs) {
    static_assert(sizeof(TypeView) == sizeof(heed_type));
    return result_of(host->infer_subgraph(node_, subgraph, reinterpret_cast<const heed_type*>(inputs.data()), inputs.size()));
  }
  // Whether the shapes in a subgraph without inputs fit each other; where they do not, who calls it meets the error.
  Result<bool> infer_untaken_subgraph(int32_t subgraph) {
    int32_t fits = 0;
    HEED_TRY(result_of(host->infer_untaken_subgraph(node_, subgraph, &fits)));
    return fits != 0;
  }
  // The node does what this subgraph, which takes no inputs, does: its nodes take the node's place.
  Result<void> becomes(int32_t subgraph) { return result_of(host->infer_becomes(node_, subgraph)); }
  int32_t subgraph_output_count(int32_t subgraph) const { return host->subgraph_output_count(node_, subgraph); }
  TypeView subgraph_output(int32_t subgraph, int32_t output) const { return {host->subgraph_output(node_, subgraph, output)}; }

  static Result<void> result_of(int32_t code) {
    if (code == HEED_OK) return {};
    return Error{static_cast<Code>(code), ""};  // the host has the text already
  }
};

// How many elements a tensor of these sizes has.
inline Dim count_of(std::span<const Dim> dims) {
  Dim count = 1;
  for (const Dim dim : dims) count *= dim;
  return count;
}

// The shape that two shapes broadcast to (numpy's rule).
inline Dims broadcast(std::span<const Dim> a, std::span<const Dim> b) {
  if (a.size() < b.size()) std::swap(a, b);
  Dims dims(a.begin(), a.end());
  const size_t lead = a.size() - b.size();
  for (size_t i = 0; i < b.size(); ++i) dims[lead + i] = broadcast(a[lead + i], b[i]);
  return dims;
}

// The shape to which all inputs of an element-wise operator broadcast. Sizes that cannot meet fail here; sizes that may are
// checked when they are numbers.
inline Result<Dims> broadcast_inputs(Inference& node) {
  Dims dims;
  for (int32_t input = 0; input < node.input_count(); ++input) {
    if (!node.input(input).has_rank())
      return Error{Code::unsupported, "input " + std::to_string(input) + " has a rank that only the run tells"};
    const auto next = node.input(input).dims();
    if (next.size() > dims.size()) dims.insert(dims.begin(), next.size() - dims.size(), Dim(1));
    for (size_t i = 0; i < next.size(); ++i) {
      Dim& met = dims[dims.size() - next.size() + i];
      const Dim sides[] = {met, next[i]};
      met = broadcast(sides[0], sides[1]);
      const std::string what = "axis " + std::to_string(dims.size() - next.size() + i) + " of the broadcast inputs";
      if (met.is_unknown()) {
        if (met.why_unknown() == UnknownDim::mismatch)
          return Error{Code::shape_mismatch, what + ": the sizes differ, and none of them is 1"};
        met = node.fresh_symbol("broadcast");
      } else if (met.is_number() && sides[0] != sides[1] && !sides[0].is_number(1) && !sides[1].is_number(1)) {
        for (const Dim side : sides)  // broadcast(n, 12) is 12 without a look at n
          if (!side.is_number()) HEED_TRY(node.require_equal(select(equal(side, 1), met, side), met, what));
      }
    }
  }
  return dims;
}

// ---- views ------------------------------------------------------------------------------------------------------------

// Tells how outputs look at input 0, once per node and over Dims: strides in elements, and the element to begin at.
// Leaving without set() means that this is no view here: a kernel copies.
class Viewing : public NodeView {
 public:
  using NodeView::NodeView;
  std::span<const Dim> source_strides() const {
    return {reinterpret_cast<const Dim*>(host->view_source_strides(node_)), input(0).dims().size()};
  }
  void set(int32_t output, std::span<const Dim> strides, Dim offset_elements = 0) {
    host->view_output(node_, output, reinterpret_cast<const heed_dim*>(strides.data()), offset_elements.c_dim());
  }
};

// ---- planning and binding ---------------------------------------------------------------------------------------------

// Once per node and device: types and symbolic shapes are known, sizes are not. A refusal is an Error of Code::unsupported;
// its text is the reason that `heed explain` shows.
class Planning : public NodeView {
 public:
  using NodeView::NodeView;
  void take_strided(int32_t input) { host->plan_strided_input(node_, input); }
  void give_strided(int32_t output) { host->plan_strided_output(node_, output); }
  // Whether it will lie so, as far as is known.
  bool take_channels_last(int32_t input) { return host->plan_channels_last_input(node_, input) != 0; }
  bool give_channels_last(int32_t output) { return host->plan_channels_last_output(node_, output) != 0; }
  // Output 0 and all inputs that have its spatial axes, where all of them lie so.
  bool keep_channels_last() { return host->plan_channels_last_alike(node_) != 0; }
  void in_place(int32_t input, int32_t output) { host->plan_in_place(node_, input, output); }
  // Additions and multiplications of a run, where its bytes do not tell its cost.
  void work(Dim operation_count) { host->plan_work(node_, operation_count.c_dim()); }
  uint64_t capability(std::string_view name) const { return host->gpu_capability(node_, to_c(name)); }
};

inline Error decline(std::string reason) { return {Code::unsupported, std::move(reason)}; }

// Sizes are numbers now: what every bind function sees.
class Binding : public NodeView {
 public:
  using NodeView::NodeView;
  TensorView input(int32_t input) const { return {host->bind_input(node_, input)}; }
  TensorView output(int32_t output) const { return {host->bind_output(node_, output)}; }
  // Whether an output lies where an input lies, element for element.
  bool in_place(int32_t input, int32_t output) const { return host->bind_in_place(node_, input, output) != 0; }
  uint64_t capability(std::string_view name) const { return host->gpu_capability(node_, to_c(name)); }
  void scratch(size_t size_bytes) { host->bind_scratch(node_, size_bytes); }
  // Whether the operator's prepare has kept something for this node.
  bool has_kept() const { return host->bind_has_kept(node_) != 0; }
  // Of prepare: the constant's own bytes are not read again by this node.
  void replaced(int32_t input) const { host->prepare_replaced(node_, input); }
};

// A compiled shader, as the build embeds it (shaders.hpp), or GLSL text that the runtime compiles at load.
struct Shader {
  const uint32_t* words = nullptr;
  size_t word_count = 0;
  std::string_view glsl = {};
};

inline heed_binding read(int32_t input) { return {HEED_BIND_INPUT, input, 0, 0}; }
inline heed_binding write(int32_t output) { return {HEED_BIND_OUTPUT, output, 1, 0}; }
inline heed_binding read_write(int32_t output) { return {HEED_BIND_OUTPUT, output, 2, 0}; }
inline heed_binding scratch() { return {HEED_BIND_SCRATCH, 0, 2, 0}; }
inline heed_binding error_word() { return {HEED_BIND_ERROR, 0, 2, 0}; }
// What the operator's prepare made: read by runs, made by the variants that it dispatches.
inline heed_binding kept() { return {HEED_BIND_KEPT, 0, 0, 0}; }
inline heed_binding make_kept() { return {HEED_BIND_KEPT, 0, 2, 0}; }
// The same for a kernel whose dispatches bind windows of a tensor that is longer than a binding may be; others get none.
inline heed_binding in_windows(heed_binding binding) { return binding.windowed = 1, binding; }

struct Variant {
  std::string name;
  Shader shader;
  std::vector<heed_constant> constants = {};  // {constant_id, bits}
  std::vector<heed_binding> bindings = {};    // empty: those of the plan
};

// The first half of a GPU kernel. Binding n of set 0 is bindings[n]; the parameters' buffer comes after the last.
struct GpuPlan {
  std::vector<Variant> variants;
  std::vector<heed_binding> bindings;
  std::string error = {};  // of kernels that bind the error word: "index {} of the indices is outside of the axis"
};

struct Dispatch {
  int32_t variant = 0;
  std::vector<std::byte> parameters;
  uint32_t workgroups[3] = {1, 1, 1};
  std::vector<heed_window> windows = {};  // empty: every binding whole
};

// The second half: dispatches in order, each seeing what those before it wrote. None: nothing to do (an empty tensor).
struct Launch {
  std::vector<Dispatch> dispatches;
  size_t scratch_bytes = 0;
};

template <class T>
std::vector<std::byte> bytes_of(const T& parameters) {
  static_assert(std::is_trivially_copyable_v<T>);
  const auto* begin = reinterpret_cast<const std::byte*>(&parameters);
  return {begin, begin + sizeof(T)};
}

// Once per Model: packs constants and keeps what a run needs.
class Preparing : public NodeView {
 public:
  using NodeView::NodeView;
  int32_t thread_count() const { return host->prepare_threads(node_); }
  std::string_view option(std::string_view name) const {
    heed_text value{};
    return host->prepare_option(node_, to_c(name), &value) ? from_c(value) : std::string_view{};
  }
  // 64-byte aligned, zeroed, owned by the Model; null when memory is out.
  void* keep_bytes(size_t size_bytes) { return host->prepare_keep(node_, size_bytes); }
  // A T that the run finds by kept<T>(); it is never destroyed.
  template <class T>
  T* keep() {
    static_assert(std::is_trivially_destructible_v<T>);
    void* memory = keep_bytes(sizeof(T));
    return static_cast<T*>(kept_ = memory ? new (memory) T{} : nullptr);
  }
  void replaced(int32_t input) { host->prepare_replaced(node_, input); }
  void* kept() const { return kept_; }

 private:
  void* kept_ = nullptr;
};

// ---- running ----------------------------------------------------------------------------------------------------------

// A counted reference to a tensor, sequence or optional at a run.
class ValueRef {
 public:
  ValueRef() = default;
  static ValueRef own(heed_value* value) { return ValueRef(value); }
  static ValueRef borrow(heed_value* value) {
    if (value) host->value_retain(value);
    return ValueRef(value);
  }
  ValueRef(ValueRef&& other) noexcept : value_(std::exchange(other.value_, nullptr)) {}
  ValueRef(const ValueRef& other) : ValueRef(borrow(other.value_)) {}
  ValueRef& operator=(ValueRef other) noexcept { return std::swap(value_, other.value_), *this; }
  ~ValueRef() {
    if (value_) host->value_release(value_);
  }
  explicit operator bool() const { return value_ != nullptr; }
  int32_t kind() const { return host->value_kind(value_); }
  Result<TensorView> tensor() const {
    TensorView view{};
    HEED_TRY(Inference::result_of(host->value_tensor(value_, &view.c)));
    return view;
  }
  int64_t size() const { return host->sequence_size(value_); }                          // sequences
  ValueRef at(int64_t index) const { return borrow(host->sequence_at(value_, index)); }
  Result<void> insert(int64_t index, const ValueRef& element) {
    return Inference::result_of(host->sequence_insert(value_, index, element.c()));
  }
  Result<void> erase(int64_t index) { return Inference::result_of(host->sequence_erase(value_, index)); }
  heed_text store_text(std::string_view bytes) { return host->value_store_text(value_, to_c(bytes)); }  // a new tensor's
  ValueRef content() const { return borrow(host->optional_content(value_)); }           // optionals
  heed_value* c() const { return value_; }
  heed_value* release() { return std::exchange(value_, nullptr); }

 private:
  explicit ValueRef(heed_value* value) : value_(value) {}
  heed_value* value_ = nullptr;
};

class Running : public NodeView {
 public:
  Running(heed_arguments* arguments, const heed_node* node) : NodeView(node), arguments_(arguments) {}

  TensorView input(int32_t input) const {
    return input < arguments_->input_count ? TensorView{arguments_->inputs[input]} : TensorView{};
  }
  TensorView output(int32_t output) const {
    return output < arguments_->output_count ? TensorView{arguments_->outputs[output]} : TensorView{};
  }
  int32_t input_count() const { return arguments_->input_count; }
  int32_t output_count() const { return arguments_->output_count; }
  template <class T>
  const T* kept() const { return static_cast<const T*>(arguments_->kept); }
  template <class T>
  T* scratch() const { return static_cast<T*>(arguments_->scratch); }
  int32_t thread_count() const { return host->thread_count(arguments_->run); }

  // body(begin, end) or body(begin, end, thread) over [0, count) in pieces of at least `grain`, on the session's threads.
  template <class Body>
  void parallel_for(int64_t count, int64_t grain, Body&& body) const {
    if (count <= 0) return;
    host->parallel_for(
        arguments_->run, count, grain,
        [](void* context, int64_t begin, int64_t end, [[maybe_unused]] int32_t thread) {
          if constexpr (std::is_invocable_v<Body&, int64_t, int64_t, int32_t>)
            (*static_cast<std::remove_reference_t<Body>*>(context))(begin, end, thread);
          else
            (*static_cast<std::remove_reference_t<Body>*>(context))(begin, end);
        },
        const_cast<void*>(static_cast<const void*>(&body)));
  }

  // Makes room for an output whose size may depend on data; one that has room already is given back, after a check.
  Result<TensorView> allocate(int32_t output, std::span<const int64_t> dims) const {
    TensorView view{};
    HEED_TRY(Inference::result_of(
        host->allocate_output(arguments_->run, output, dims.data(), static_cast<int32_t>(dims.size()), &view.c)));
    return view;
  }
  heed_text store_text(int32_t output, std::string_view bytes) const {
    return host->store_text(arguments_->run, output, to_c(bytes));
  }
  uint64_t random_seed() const { return host->random_seed(arguments_->run); }

  ValueRef input_value(int32_t input) const { return ValueRef::borrow(host->run_input(arguments_->run, input)); }
  Result<void> set_output(int32_t output, ValueRef value) const {
    return Inference::result_of(host->run_set_output(arguments_->run, output, value.release()));
  }
  ValueRef new_tensor(DataType element, std::span<const int64_t> dims, TensorView& view) const {
    return ValueRef::own(host->new_tensor(arguments_->run, static_cast<int32_t>(element), dims.data(),
                                          static_cast<int32_t>(dims.size()), &view.c));
  }
  ValueRef new_sequence(DataType element) const {
    return ValueRef::own(host->new_sequence(arguments_->run, static_cast<int32_t>(element)));
  }
  ValueRef sequence_copy(int32_t input) const { return ValueRef::own(host->sequence_copy(arguments_->run, input)); }
  ValueRef new_optional(const ValueRef& content) const {
    return ValueRef::own(host->new_optional(arguments_->run, content.c()));
  }

 private:
  heed_arguments* arguments_;
};

// output[i] = function(inputs[i]...) over output 0, to which the first `count` inputs broadcast; all dense and of type T. On
// all threads of the session.
template <class T, size_t count, class Function>
void for_each_element(const Running& run, Function&& function) {
  const auto out = run.output(0);
  TensorView in[count];
  for (size_t k = 0; k < count; ++k) in[k] = run.input(static_cast<int32_t>(k));
  run.parallel_for(out.count(), 4096, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      T values[count];
      for (size_t k = 0; k < count; ++k) {
        int64_t at = i;
        if (in[k].count() != out.count()) {  // some axes are repeated
          int64_t rest = i, step = 1;
          at = 0;
          for (int32_t back = 1; back <= in[k].rank(); ++back) {
            const int64_t size = in[k].dim(in[k].rank() - back), out_size = out.dim(out.rank() - back);
            if (size != 1) at += rest % out_size * step;
            rest /= out_size;
            step *= size;
          }
        }
        values[k] = in[k].template data<const T>()[at];
      }
      out.template data<T>()[i] = std::apply(function, std::to_array(values));
    }
  });
}

// A control kernel's view: opaque values that stay where they are, and subgraphs to call.
class Controlling : public NodeView {
 public:
  Controlling(heed_control* control, const heed_node* node) : NodeView(node), control_(control) {}
  int32_t input_count() const { return host->control_input_count(control_); }
  int32_t output_count() const { return host->control_output_count(control_); }
  ValueRef input(int32_t input) const { return ValueRef::borrow(host->control_input(control_, input)); }
  // The only call that waits for a device.
  Result<int64_t> read_integer(const ValueRef& value) const {
    int64_t i = 0;
    double f = 0;
    HEED_TRY(Inference::result_of(host->control_read_scalar(control_, value.c(), &i, &f)));
    return i;
  }
  ValueRef scalar(DataType element, int64_t value) const {
    return ValueRef::own(host->control_scalar(control_, static_cast<int32_t>(element), value));
  }
  // The sizes of a tensor; nullopt for other kinds.
  std::optional<std::vector<int64_t>> dims(const ValueRef& value) const {
    const int64_t* dims = nullptr;
    int32_t rank = -1;
    (void)host->control_dims(control_, value.c(), &dims, &rank);
    return rank < 0 ? std::nullopt : std::optional(std::vector<int64_t>(dims, dims + rank));
  }
  Result<std::vector<ValueRef>> call(int32_t subgraph, std::span<const ValueRef> arguments, int32_t result_count) const {
    std::vector<heed_value*> in, out(static_cast<size_t>(result_count));
    for (const auto& argument : arguments) in.push_back(argument.c());
    std::vector<ValueRef> results;
    results.reserve(out.size());  // before there is anything that could be lost
    HEED_TRY(Inference::result_of(host->control_call(control_, subgraph, in.data(), in.size(), out.data(), out.size())));
    for (auto* value : out) results.push_back(ValueRef::own(value));
    return results;
  }
  ValueRef stack(int32_t axis, std::span<const ValueRef> values, int32_t output) const {
    std::vector<heed_value*> in;
    for (const auto& value : values) in.push_back(value.c());
    return ValueRef::own(host->control_stack(control_, axis, in.data(), in.size(), output));
  }
  ValueRef slice(const ValueRef& value, int32_t axis, int64_t index) const {
    return ValueRef::own(host->control_slice(control_, value.c(), axis, index));
  }
  // On the host, to be filled.
  ValueRef new_tensor(DataType element, std::span<const int64_t> dims, TensorView& view) const {
    return ValueRef::own(host->new_tensor(host->control_run(control_), static_cast<int32_t>(element), dims.data(),
                                          static_cast<int32_t>(dims.size()), &view.c));
  }
  ValueRef new_sequence(DataType element) const {
    return ValueRef::own(host->new_sequence(host->control_run(control_), static_cast<int32_t>(element)));
  }
  ValueRef new_optional(const ValueRef& content) const {
    return ValueRef::own(host->new_optional(host->control_run(control_), content.c()));
  }
  Result<void> set_output(int32_t output, ValueRef value) const {
    return Inference::result_of(host->control_set_output(control_, output, value.release()));
  }

 private:
  heed_control* control_;
};

// ---- rewrites -----------------------------------------------------------------------------------------------------------

class Match {
 public:
  explicit Match(heed_match* match) : match_(match) {}
  NodeView node(std::string_view result) const { return NodeView(host->match_node(match_, to_c(result))); }
  std::optional<TypeView> type(std::string_view name) const {
    TypeView type{};
    if (!host->match_value(match_, to_c(name), &type.c)) return std::nullopt;
    return type;
  }
  std::optional<TensorView> constant(std::string_view name) const {
    TensorView constant{};
    if (!host->match_constant(match_, to_c(name), &constant.c)) return std::nullopt;
    return constant;
  }
  // A constant of one element, of any float or integer type.
  std::optional<double> scalar(std::string_view name) const {
    const auto tensor = constant(name);
    if (!tensor || tensor->count() != 1) return std::nullopt;
    switch (tensor->element()) {
      case DataType::f32: return *tensor->data<float>();
      case DataType::f64: return *tensor->data<double>();
      case DataType::i32: return *tensor->data<int32_t>();
      case DataType::i64: return static_cast<double>(*tensor->data<int64_t>());
      case DataType::boolean: return *tensor->data<uint8_t>();
      case DataType::f16: return static_cast<float>(*tensor->data<Float16>());
      case DataType::bf16: return static_cast<float>(*tensor->data<BFloat16>());
      default: return std::nullopt;
    }
  }
  std::optional<std::span<const Dim>> elements(std::string_view name) const {
    const heed_dim* elements = nullptr;
    const int64_t count = host->match_elements(match_, to_c(name), &elements);
    if (count < 0) return std::nullopt;
    return std::span(reinterpret_cast<const Dim*>(elements), static_cast<size_t>(count));
  }
  void set(std::string_view name, int64_t value) { host->match_set_int(match_, to_c(name), value); }
  void set(std::string_view name, float value) { host->match_set_float(match_, to_c(name), value); }
  void set(std::string_view name, std::span<const int64_t> values) {
    host->match_set_ints(match_, to_c(name), values.data(), values.size());
  }
  void set(std::string_view name, std::string_view value) { host->match_set_text(match_, to_c(name), to_c(value)); }
  // Another replacement than the rewrite's own, for this match.
  void replace_by(std::string_view replacement) { host->match_replace(match_, to_c(replacement)); }

 private:
  heed_match* match_;
};

// ---- what a plugin brings -------------------------------------------------------------------------------------------------

// A set of data types, for type rules.
class Types {
 public:
  constexpr Types(std::initializer_list<DataType> types) {
    for (const auto type : types) bits_ |= uint64_t{1} << static_cast<int32_t>(type);
  }
  friend constexpr Types operator|(Types a, Types b) { return a.bits_ |= b.bits_, a; }
  constexpr uint64_t bits() const { return bits_; }

 private:
  uint64_t bits_ = 0;
};

inline constexpr Types any_float{DataType::f32, DataType::f16, DataType::bf16, DataType::f64};
inline constexpr Types any_signed{DataType::i8, DataType::i16, DataType::i32, DataType::i64};
inline constexpr Types any_unsigned{DataType::u8, DataType::u16, DataType::u32, DataType::u64};
inline constexpr Types any_integer = any_signed | any_unsigned;
inline constexpr Types any_number = any_float | any_integer;
inline constexpr Types any_type{};  // no bits: all

struct Parameter {
  std::string_view name;
  std::string_view type;
  uint32_t flags = 0;       // heed_parameter_flags
  int32_t state_of = -1;    // outputs: the input whose later self it is
  int32_t state_axis = -1;  // the axis along which it grows, or -1
};

struct TypeRule {
  std::string_view name;
  Types elements = any_type;
  uint32_t kinds = 1u << HEED_TENSOR;
};

struct Required {
  int32_t kind;  // heed_attribute_kind
};
struct NoDefault {
  int32_t kind;
};

struct AttributeRule {
  std::string_view name;
  std::variant<Required, NoDefault, int64_t, float, std::string_view, std::vector<int64_t>> value;
};
inline AttributeRule attribute(std::string_view name, int64_t value) { return {name, value}; }
inline AttributeRule attribute(std::string_view name, int value) { return {name, int64_t{value}}; }
inline AttributeRule attribute(std::string_view name, float value) { return {name, value}; }
inline AttributeRule attribute(std::string_view name, const char* value) { return {name, std::string_view(value)}; }
inline AttributeRule attribute(std::string_view name, std::vector<int64_t> value) { return {name, std::move(value)}; }
inline AttributeRule required(std::string_view name, heed_attribute_kind kind) { return {name, Required{kind}}; }
inline AttributeRule optional(std::string_view name, heed_attribute_kind kind) { return {name, NoDefault{kind}}; }

// A contract, and the GPU half of the operator: see heed_operator in plugin.h for each member.
struct Operator {
  std::string_view domain = "";
  std::string_view op_type;
  std::string_view role = "";
  std::vector<int32_t> versions = {1};
  uint32_t flags = 0;
  std::vector<Parameter> inputs = {};
  std::vector<Parameter> outputs = {};
  std::vector<TypeRule> types = {};
  std::vector<AttributeRule> attributes = {};
  std::string_view body = "";
  std::string_view expression = "";
  Result<void> (*infer)(Inference&) = nullptr;
  Result<void> (*view)(Viewing&) = nullptr;
  Result<GpuPlan> (*plan)(Planning&) = nullptr;
  Result<Launch> (*bind)(const Binding&) = nullptr;
  // What is made of constants once per Model, scratch_bytes long, and bound as kept(); see heed_gpu_kernel.prepare.
  Result<Launch> (*prepare)(const Binding&) = nullptr;
};

inline constexpr int32_t newest = std::numeric_limits<int32_t>::max();

struct CpuKernel {
  std::string_view domain = "";
  std::string_view op_type;
  int32_t since = 1;
  int32_t until = newest;
  std::string_view name = "scalar";
  int32_t score = 0;
  Result<void> (*plan)(Planning&) = nullptr;
  Result<void> (*prepare)(Preparing&) = nullptr;
  Result<void> (*bind)(Binding&) = nullptr;
  Result<void> (*run)(Running&) = nullptr;
};

struct ControlKernel {
  std::string_view domain = "";
  std::string_view op_type;
  int32_t since = 1;
  int32_t until = newest;
  Result<void> (*run)(Controlling&) = nullptr;
};

struct Rewrite {
  std::string_view name;
  std::vector<std::string_view> patterns;
  std::string_view replacement;
  bool (*accept)(Match&) = nullptr;
};

struct PluginContent {
  std::string_view name;
  std::string_view version;
  std::vector<const Operator*> operators = {};
  std::vector<const CpuKernel*> cpu_kernels = {};
  std::vector<const ControlKernel*> control_kernels = {};
  std::vector<const Rewrite*> rewrites = {};
};

namespace detail {

inline int32_t code_of(const Error& error) {
  return error.message.empty() ? static_cast<int32_t>(error.code)
                               : host->fail(static_cast<int32_t>(error.code), to_c(error.message));
}

// Nothing that is thrown crosses the door.
template <class Function>
int32_t guarded(Function&& function) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return host->fail(HEED_OUT_OF_MEMORY, to_c("out of memory"));
  } catch (const std::exception& exception) {
    return host->fail(HEED_INVALID_ARGUMENT, to_c(exception.what()));
  }
}

template <class Function>
int32_t guarded_result(Function&& function) {
  return guarded([&]() -> int32_t {
    const auto result = function();
    return result ? HEED_OK : code_of(result.error());
  });
}

template <class Kernel>
int32_t plan_of(heed_node* node, void* user) {
  return guarded([&]() -> int32_t {
    Planning planning(node);
    const auto result = static_cast<const Kernel*>(user)->plan(planning);
    if (!result)
      return result.error().code == Code::unsupported ? host->plan_decline(node, to_c(result.error().message))
                                                      : code_of(result.error());
    if constexpr (std::is_same_v<Kernel, Operator>) {
      for (const auto& variant : result->variants) {
        const auto& bindings = variant.bindings.empty() ? result->bindings : variant.bindings;
        const heed_variant c{sizeof c, to_c(variant.name), variant.shader.words, variant.shader.word_count,
                             to_c(variant.shader.glsl), bindings.data(), bindings.size(), variant.constants.data(),
                             variant.constants.size(), to_c(result->error)};
        if (const int32_t code = host->plan_variant(node, &c)) return code;
      }
    }
    return HEED_OK;
  });
}

// What one of an operator's functions wants dispatched.
template <auto function>
int32_t launch_of(heed_node* node, void* user) {
  return guarded([&]() -> int32_t {
    const auto launch = (static_cast<const Operator*>(user)->*function)(Binding(node));
    if (!launch) return code_of(launch.error());
    if (launch->scratch_bytes) host->bind_scratch(node, launch->scratch_bytes);
    for (const auto& dispatch : launch->dispatches)
      if (const int32_t code = host->bind_dispatch(node, dispatch.variant, dispatch.parameters.data(),
                                                   dispatch.parameters.size(), dispatch.workgroups,
                                                   dispatch.windows.data(), dispatch.windows.size()))
        return code;
    return HEED_OK;
  });
}

// The C tables of one plugin, kept for the life of the library.
class Tables {
 public:
  explicit Tables(const PluginContent& content) {
    for (const auto* op : content.operators) add(*op);
    for (const auto* kernel : content.cpu_kernels) add(*kernel);
    for (const auto* kernel : content.control_kernels) add(*kernel);
    for (const auto* rewrite : content.rewrites) add(*rewrite);
    plugin_ = {sizeof plugin_, HEED_ABI_MAJOR, HEED_ABI_MINOR, to_c(content.name), to_c(content.version),
               operators_.data(), operators_.size(), cpu_kernels_.data(), cpu_kernels_.size(),
               gpu_kernels_.data(), gpu_kernels_.size(), control_kernels_.data(), control_kernels_.size(),
               rewrites_.data(), rewrites_.size(), nullptr};
  }
  const heed_plugin* plugin() const { return &plugin_; }

 private:
  template <class T>
  const T* keep(std::vector<T> list) {
    auto held = std::make_shared<std::vector<T>>(std::move(list));
    held_.push_back(held);
    return held->data();
  }
  template <class T>
  const T* keep_one(T value) { return keep(std::vector<T>{std::move(value)}); }

  static std::vector<heed_parameter> to_c_parameters(const std::vector<Parameter>& list) {
    std::vector<heed_parameter> out;
    for (const auto& p : list)
      out.push_back({sizeof(heed_parameter), to_c(p.name), to_c(p.type), p.flags, p.state_of, p.state_axis});
    return out;
  }

  heed_attribute_rule to_c_rule(const AttributeRule& rule) {
    heed_attribute_rule c{};
    c.struct_size = sizeof c;
    c.name = to_c(rule.name);
    auto& value = c.default_value;
    value.struct_size = sizeof value;
    if (const auto* r = std::get_if<Required>(&rule.value)) {
      c.kind = r->kind;
      c.required = 1;
      return c;
    }
    if (const auto* r = std::get_if<NoDefault>(&rule.value)) {
      c.kind = r->kind;
      return c;
    }
    if (const auto* i = std::get_if<int64_t>(&rule.value)) value.kind = HEED_ATTRIBUTE_INT, value.i = *i;
    if (const auto* f = std::get_if<float>(&rule.value)) value.kind = HEED_ATTRIBUTE_FLOAT, value.f = *f;
    if (const auto* s = std::get_if<std::string_view>(&rule.value)) value.kind = HEED_ATTRIBUTE_STRING, value.s = to_c(*s);
    if (const auto* list = std::get_if<std::vector<int64_t>>(&rule.value))
      value.kind = HEED_ATTRIBUTE_INTS, value.ints = list->data(), value.count = list->size();
    c.kind = value.kind;
    return c;
  }

  void add(const Operator& op) {
    std::vector<heed_type_rule> types;
    for (const auto& rule : op.types) types.push_back({sizeof(heed_type_rule), to_c(rule.name), rule.elements.bits(), rule.kinds});
    std::vector<heed_attribute_rule> attributes;
    for (const auto& rule : op.attributes) attributes.push_back(to_c_rule(rule));
    heed_operator c{};
    c.struct_size = sizeof c;
    c.domain = to_c(op.domain);
    c.op_type = to_c(op.op_type);
    c.role = to_c(op.role);
    c.versions = op.versions.data();
    c.version_count = op.versions.size();
    c.flags = op.flags;
    c.inputs = keep(to_c_parameters(op.inputs));
    c.input_count = op.inputs.size();
    c.outputs = keep(to_c_parameters(op.outputs));
    c.output_count = op.outputs.size();
    c.types = keep(std::move(types));
    c.type_count = op.types.size();
    c.attributes = keep(std::move(attributes));
    c.attribute_count = op.attributes.size();
    c.body = to_c(op.body);
    c.expression = to_c(op.expression);
    c.user = const_cast<Operator*>(&op);
    if (op.infer)
      c.infer = [](heed_node* node, void* user) {
        return guarded_result([&] {
          Inference inference(node);
          return static_cast<const Operator*>(user)->infer(inference);
        });
      };
    if (op.view)
      c.view = [](heed_node* node, void* user) {
        return guarded_result([&] {
          Viewing viewing(node);
          return static_cast<const Operator*>(user)->view(viewing);
        });
      };
    operators_.push_back(keep_one(c));
    if (!op.plan) return;
    heed_gpu_kernel gpu{};
    gpu.struct_size = sizeof gpu;
    gpu.domain = c.domain;
    gpu.op_type = c.op_type;
    gpu.since_version = *std::min_element(op.versions.begin(), op.versions.end());
    gpu.until_version = newest;
    gpu.name = to_c("vulkan");
    gpu.user = c.user;
    gpu.plan = plan_of<Operator>;
    gpu.bind = launch_of<&Operator::bind>;
    if (op.prepare) gpu.prepare = launch_of<&Operator::prepare>;
    gpu_kernels_.push_back(keep_one(gpu));
  }

  void add(const CpuKernel& kernel) {
    heed_cpu_kernel c{};
    c.struct_size = sizeof c;
    c.domain = to_c(kernel.domain);
    c.op_type = to_c(kernel.op_type);
    c.since_version = kernel.since;
    c.until_version = kernel.until;
    c.name = to_c(kernel.name);
    c.score = kernel.score;
    c.user = const_cast<CpuKernel*>(&kernel);
    if (kernel.plan) c.plan = plan_of<CpuKernel>;
    if (kernel.prepare)
      c.prepare = [](heed_node* node, void** kept, void* user) {
        return guarded_result([&] {
          Preparing preparing(node);
          const auto result = static_cast<const CpuKernel*>(user)->prepare(preparing);
          *kept = preparing.kept();
          return result;
        });
      };
    if (kernel.bind)
      c.bind = [](heed_node* node, const void*, void* user) {
        return guarded_result([&] {
          Binding binding(node);
          return static_cast<const CpuKernel*>(user)->bind(binding);
        });
      };
    c.run = [](heed_arguments* arguments, const heed_node* node, void* user) {
      return guarded_result([&] {
        Running running(arguments, node);
        return static_cast<const CpuKernel*>(user)->run(running);
      });
    };
    cpu_kernels_.push_back(keep_one(c));
  }

  void add(const ControlKernel& kernel) {
    heed_control_kernel c{};
    c.struct_size = sizeof c;
    c.domain = to_c(kernel.domain);
    c.op_type = to_c(kernel.op_type);
    c.since_version = kernel.since;
    c.until_version = kernel.until;
    c.user = const_cast<ControlKernel*>(&kernel);
    c.run = [](heed_control* control, const heed_node* node, void* user) {
      return guarded_result([&] {
        Controlling controlling(control, node);
        return static_cast<const ControlKernel*>(user)->run(controlling);
      });
    };
    control_kernels_.push_back(keep_one(c));
  }

  void add(const Rewrite& rewrite) {
    std::vector<heed_text> patterns;
    for (const auto pattern : rewrite.patterns) patterns.push_back(to_c(pattern));
    heed_rewrite c{};
    c.struct_size = sizeof c;
    c.name = to_c(rewrite.name);
    c.pattern_count = patterns.size();
    c.patterns = keep(std::move(patterns));
    c.replacement = to_c(rewrite.replacement);
    c.user = const_cast<Rewrite*>(&rewrite);
    if (rewrite.accept)
      c.accept = [](heed_match* match, void* user) {
        return guarded([&]() -> int32_t {
          Match view(match);
          return static_cast<const Rewrite*>(user)->accept(view) ? 1 : 0;
        });
      };
    rewrites_.push_back(keep_one(c));
  }

  std::vector<std::shared_ptr<void>> held_;
  std::vector<const heed_operator*> operators_;
  std::vector<const heed_cpu_kernel*> cpu_kernels_;
  std::vector<const heed_gpu_kernel*> gpu_kernels_;
  std::vector<const heed_control_kernel*> control_kernels_;
  std::vector<const heed_rewrite*> rewrites_;
  heed_plugin plugin_{};
};

}  // namespace detail

// Takes the host and gives the tables of a plugin: the body of every entry function. Null where the host is of another
// major version.
inline const heed_plugin* enter(const heed_host* given, const detail::Tables& tables) {
  if (given->abi_major == HEED_ABI_MAJOR) {
    host = given;
    dim_algebra = given->dims;
  }
  return tables.plugin();
}

}  // namespace heed

// HEED_PLUGIN(.name = "acme", .version = "1.0.0", .operators = {&swiglu}, .cpu_kernels = {&swiglu_cpu})
// makes a shared library a plugin. Once per library.
#define HEED_PLUGIN(...)                                                                      \
  extern "C" __attribute__((visibility("default"))) const heed_plugin* heed_plugin_entry(     \
      const heed_host* host) {                                                                \
    static const heed::detail::Tables tables{heed::PluginContent{__VA_ARGS__}};               \
    return heed::enter(host, tables);                                                         \
  }
