// Scan: runs its body for each element of the scan inputs along an axis, states going from one iteration to the next,
// and stacks what the body gives beside them. The contract and its control kernel: no data is touched here. Version 8
// does so for each batch, axis 0 of all, and has the lengths of batches before the states.
#include "carried.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

// Where states and scan inputs stand, and along which axes and in which direction scan inputs and outputs are walked.
struct Layout {
  bool has_batches;
  int32_t first, state_count, input_count, output_count;
  std::vector<int64_t> input_axes, input_backward, output_axes, output_backward;
};

Result<Layout> layout_of(const NodeView& node, int32_t node_inputs, int32_t node_outputs) {
  Layout layout{};
  layout.has_batches = node.version() < 9;
  layout.first = layout.has_batches ? 1 : 0;
  const int64_t count = node.integer("num_scan_inputs");
  if (count < 1 || count > node_inputs - layout.first)
    return Error{Code::invalid_model, "attribute 'num_scan_inputs' is " + std::to_string(count) + "; expected 1 to " +
                                          std::to_string(node_inputs - layout.first)};
  layout.input_count = static_cast<int32_t>(count);
  layout.state_count = node_inputs - layout.first - layout.input_count;
  if (node_outputs < layout.state_count)
    return Error{Code::invalid_model,
                 std::to_string(node_outputs) + " outputs for " + std::to_string(layout.state_count) + " states"};
  layout.output_count = node_outputs - layout.state_count;
  const auto list = [&](std::string_view name, int32_t expected, std::vector<int64_t>& values) -> Result<void> {
    const auto given = node.integers(name);
    values = given ? std::vector<int64_t>(given->begin(), given->end())
                   : std::vector<int64_t>(static_cast<size_t>(expected), 0);
    if (std::ssize(values) != expected)
      return Error{Code::invalid_model, "attribute '" + std::string(name) + "' has " + std::to_string(values.size()) +
                                            " numbers; expected " + std::to_string(expected)};
    return {};
  };
  HEED_TRY(
      list(layout.has_batches ? "directions" : "scan_input_directions", layout.input_count, layout.input_backward));
  HEED_TRY(list("scan_output_directions", layout.output_count, layout.output_backward));
  HEED_TRY(list("scan_input_axes", layout.input_count, layout.input_axes));
  HEED_TRY(list("scan_output_axes", layout.output_count, layout.output_axes));
  return layout;
}

// A tensor without one of its axes.
TypeView without_axis(TypeView type, int32_t axis, Dims& dims) {
  if (!type.has_rank()) return type;
  dims.assign(type.dims().begin(), type.dims().end());
  dims.erase(dims.begin() + axis);
  type.c.rank = static_cast<int32_t>(dims.size());
  type.c.dims = reinterpret_cast<const heed_dim*>(dims.data());
  return type;
}

Result<void> infer(Inference& node) {
  const int32_t body = node.subgraph("body");
  HEED_ASSIGN(const Layout layout, layout_of(node, node.input_count(), node.output_count()));
  std::optional<Dim> batch, length;
  const auto meet = [&](std::optional<Dim>& met, Dim dim, const char* what) -> Result<void> {
    if (!met) return met = dim, Result<void>{};
    return node.require_equal(*met, dim, what);
  };
  std::deque<Dims> dims;
  std::vector<Carried> carried;
  for (int32_t i = 0; i < layout.state_count; ++i) {
    auto state = node.input(layout.first + i);
    if (layout.has_batches && state.has_rank()) {
      if (state.rank() == 0) return Error{Code::shape_mismatch, "a state has no batch axis"};
      HEED_TRY(meet(batch, state.dim(0), "batch of the states"));
      state = without_axis(state, 0, dims.emplace_back());
    }
    carried.emplace_back(state);
  }
  std::vector<TypeView> slices;
  for (int32_t i = 0; i < layout.input_count; ++i) {
    auto input = node.input(layout.first + layout.state_count + i);
    if (layout.has_batches && input.has_rank()) {
      if (input.rank() < 2)
        return Error{Code::shape_mismatch,
                     "a scan input " + text_of(input.dims()) + "; expected [batch, sequence, ...]"};
      HEED_TRY(meet(batch, input.dim(0), "batch of the scan inputs"));
      input = without_axis(input, 0, dims.emplace_back());
    }
    if (input.has_rank()) {
      HEED_ASSIGN(const int32_t axis,
                  NodeView::checked_axis(layout.input_axes[static_cast<size_t>(i)], input.rank(), "scan_input_axes"));
      HEED_TRY(meet(length, input.dim(axis), "lengths of the scan inputs"));
      input = without_axis(input, axis, dims.emplace_back());
    }
    slices.push_back(input);
  }
  HEED_TRY(infer_carried(node, body, carried, {}, slices, 0));

  const auto with_batch = [&](std::span<const Dim> inner) {
    Dims all(inner.begin(), inner.end());
    if (layout.has_batches) all.insert(all.begin(), batch ? *batch : node.fresh_symbol("batch"));
    return all;
  };
  for (int32_t i = 0; i < node.output_count(); ++i) {
    if (!node.has_output(i)) continue;
    const auto result = node.subgraph_output(body, i);
    if (i < layout.state_count && !layout.has_batches) {
      HEED_TRY(set_last(node, i, carried[static_cast<size_t>(i)], result));
      continue;
    }
    if (!result.has_rank()) {
      HEED_TRY(node.set_output(i, result.element()));
      continue;
    }
    Dims inner(result.dims().begin(), result.dims().end());
    const auto is_kept = [&](size_t axis) {
      if (i >= layout.state_count) return false;
      const auto& changes = carried[static_cast<size_t>(i)].changes;
      return axis < changes.size() && !changes[axis];
    };
    for (size_t axis = 0; axis < inner.size(); ++axis)
      if (!inner[axis].is_number() && !is_kept(axis)) inner[axis] = node.fresh_symbol("scanned");  // a run knows
    if (i >= layout.state_count) {
      const auto rank = static_cast<int32_t>(inner.size()) + 1;
      HEED_ASSIGN(const int32_t axis,
                  NodeView::checked_axis(layout.output_axes[static_cast<size_t>(i - layout.state_count)], rank,
                                         "scan_output_axes"));
      inner.insert(inner.begin() + axis, length ? *length : node.fresh_symbol("iterations"));
    }
    HEED_TRY(node.set_output(i, result.element(), with_batch(inner)));
  }
  return {};
}

struct Results {
  std::vector<ValueRef> states;
  std::vector<std::vector<ValueRef>> scans;  // of each scan output what the iterations gave
};

// The iterations over `length` elements of the inputs; nullopt: over all.
Result<Results> iterate(Controlling& node, const Layout& layout, std::vector<ValueRef> states,
                        const std::vector<ValueRef>& inputs, std::optional<int64_t> length) {
  std::vector<int32_t> axes;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto dims = node.dims(inputs[i]);
    if (!dims) return Error{Code::invalid_model, "scan input " + std::to_string(i) + " is no tensor"};
    HEED_ASSIGN(axes.emplace_back(),
                NodeView::checked_axis(layout.input_axes[i], static_cast<int32_t>(dims->size()), "scan_input_axes"));
    const int64_t size = (*dims)[static_cast<size_t>(axes.back())];
    if (!length) length = size;
    if (layout.has_batches ? size < *length : size != *length)
      return Error{Code::shape_mismatch,
                   "scan inputs of " + std::to_string(*length) + " and " + std::to_string(size) + " elements"};
  }
  Results all{std::move(states), std::vector<std::vector<ValueRef>>(static_cast<size_t>(layout.output_count))};
  for (int64_t t = 0; t < *length; ++t) {
    std::vector<ValueRef> arguments = std::move(all.states);
    for (size_t i = 0; i < inputs.size(); ++i)
      arguments.push_back(node.slice(inputs[i], axes[i], layout.input_backward[i] != 0 ? *length - 1 - t : t));
    HEED_ASSIGN(auto results, node.call(node.subgraph("body"), arguments, layout.state_count + layout.output_count));
    const auto first_scan = results.begin() + layout.state_count;
    all.states.assign(std::make_move_iterator(results.begin()), std::make_move_iterator(first_scan));
    for (size_t i = 0; i < all.scans.size(); ++i)
      all.scans[i].push_back(std::move(first_scan[static_cast<ptrdiff_t>(i)]));
  }
  for (size_t i = 0; i < all.scans.size(); ++i)
    if (layout.output_backward[i] != 0) std::reverse(all.scans[i].begin(), all.scans[i].end());
  return all;
}

Result<ValueRef> zeros(Controlling& node, DataType element, std::span<const int64_t> dims) {
  TensorView view{};
  auto value = node.new_tensor(element, dims, view);
  if (!value) return Error{Code::out_of_memory, "no memory for what stands behind the end of a batch"};
  if (const int64_t bytes = size_bytes_or_negative(element, view.count()); bytes > 0)
    std::memset(view.c.data, 0, static_cast<size_t>(bytes));
  return value;
}

// [batch, length, ...] from what the iterations of each batch gave: zeros stand where a batch is over.
Result<ValueRef> stack_batches(Controlling& node, std::vector<std::vector<ValueRef>> batches, int64_t length,
                               int32_t output) {
  const auto type = node.NodeView::output(output);
  std::vector<int64_t> dims;
  const auto longest = std::find_if(batches.begin(), batches.end(), [](const auto& batch) { return !batch.empty(); });
  if (longest != batches.end()) {
    dims = *node.dims(longest->front());
  } else if (type.has_rank()) {
    for (const Dim dim : type.dims().subspan(2)) dims.push_back(dim.is_number() ? dim.number() : 0);
  }
  if (batches.empty() || length == 0) {
    dims.insert(dims.begin(), {std::ssize(batches), length});
    return zeros(node, type.element(), dims);
  }
  std::vector<ValueRef> parts;
  for (auto& batch : batches) {
    if (std::ssize(batch) < length) {
      HEED_ASSIGN(const auto behind_end, zeros(node, type.element(), dims));
      batch.resize(static_cast<size_t>(length), behind_end);
    }
    parts.push_back(node.stack(0, batch, output));
  }
  return node.stack(0, parts, output);
}

Result<void> require_batch(Controlling& node, const std::vector<ValueRef>& values, int64_t batch_count) {
  for (const auto& value : values) {
    const auto dims = node.dims(value);
    if (!dims || dims->empty() || dims->front() != batch_count)
      return Error{Code::shape_mismatch, "the first scan input is a batch of " + std::to_string(batch_count) +
                                             "; a state, another scan input or sequence_lens is of another size"};
  }
  return {};
}

Result<void> run_batches(Controlling& node, const Layout& layout, const std::vector<ValueRef>& states,
                         const std::vector<ValueRef>& inputs) {
  const auto dims = node.dims(inputs.front());
  if (!dims || dims->size() < 2) return Error{Code::shape_mismatch, "a scan input is no [batch, sequence, ...]"};
  const int64_t batch_count = (*dims)[0], sequence = (*dims)[1];
  const auto lengths = node.input(0);
  HEED_TRY(require_batch(node, states, batch_count));
  HEED_TRY(require_batch(node, inputs, batch_count));
  if (lengths) HEED_TRY(require_batch(node, {lengths}, batch_count));
  std::vector<std::vector<ValueRef>> last(static_cast<size_t>(layout.state_count));
  std::vector<std::vector<std::vector<ValueRef>>> scans(static_cast<size_t>(layout.output_count));
  for (int64_t b = 0; b < batch_count; ++b) {
    int64_t length = sequence;
    if (lengths) {
      HEED_ASSIGN(length, node.read_integer(node.slice(lengths, 0, b)));
      if (length < 0 || length > sequence)
        return Error{Code::invalid_argument, "sequence_lens of batch " + std::to_string(b) + " is " +
                                                 std::to_string(length) + "; expected 0 to " +
                                                 std::to_string(sequence)};
    }
    const auto of_batch = [&](const std::vector<ValueRef>& all) {
      std::vector<ValueRef> slices;
      for (const auto& value : all) slices.push_back(node.slice(value, 0, b));
      return slices;
    };
    HEED_ASSIGN(auto results, iterate(node, layout, of_batch(states), of_batch(inputs), length));
    for (size_t i = 0; i < last.size(); ++i) last[i].push_back(std::move(results.states[i]));
    for (size_t i = 0; i < scans.size(); ++i) scans[i].push_back(std::move(results.scans[i]));
  }
  for (int32_t i = 0; i < node.output_count(); ++i) {
    if (!node.has_output(i)) continue;
    if (i < layout.state_count) {
      HEED_TRY(node.set_output(i, node.stack(0, last[static_cast<size_t>(i)], i)));
    } else {
      HEED_ASSIGN(auto all,
                  stack_batches(node, std::move(scans[static_cast<size_t>(i - layout.state_count)]), sequence, i));
      HEED_TRY(node.set_output(i, std::move(all)));
    }
  }
  return {};
}

Result<void> run(Controlling& node) {
  HEED_ASSIGN(const Layout layout, layout_of(node, node.input_count(), node.output_count()));
  const auto inputs_from = [&](int32_t first, int32_t count) {
    std::vector<ValueRef> values;
    for (int32_t i = 0; i < count; ++i) values.push_back(node.input(first + i));
    return values;
  };
  auto states = inputs_from(layout.first, layout.state_count);
  const auto inputs = inputs_from(layout.first + layout.state_count, layout.input_count);
  if (layout.has_batches) return run_batches(node, layout, states, inputs);
  HEED_ASSIGN(auto results, iterate(node, layout, std::move(states), inputs, std::nullopt));
  for (int32_t i = 0; i < node.output_count(); ++i) {
    if (!node.has_output(i)) continue;
    if (i < layout.state_count) {
      HEED_TRY(node.set_output(i, std::move(results.states[static_cast<size_t>(i)])));
      continue;
    }
    const auto own = static_cast<size_t>(i - layout.state_count);
    const auto& scan = results.scans[own];
    const auto met = scan.empty() ? std::nullopt : node.dims(scan.front());
    const auto rank = met ? static_cast<int32_t>(met->size()) + 1 : node.NodeView::output(i).rank();
    HEED_ASSIGN(const int32_t axis, NodeView::checked_axis(layout.output_axes[own], rank, "scan_output_axes"));
    HEED_TRY(node.set_output(i, node.stack(axis, scan, i)));
  }
  return {};
}

}  // namespace

extern const Operator scan{
    .op_type = "Scan",
    .versions = {25, 24, 23, 21, 19, 16, 11, 9, 8},
    .flags = HEED_CONTROL,
    .inputs = {{"initial_state_and_scan_inputs", "V", HEED_VARIADIC | HEED_HETEROGENEOUS | HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"final_state_and_scan_outputs", "W", HEED_VARIADIC | HEED_HETEROGENEOUS}},
    .types = {{"V", any_type}, {"W", any_type}},
    .attributes = {required("body", HEED_ATTRIBUTE_GRAPH), optional("directions", HEED_ATTRIBUTE_INTS),
                   required("num_scan_inputs", HEED_ATTRIBUTE_INT), optional("scan_input_axes", HEED_ATTRIBUTE_INTS),
                   optional("scan_input_directions", HEED_ATTRIBUTE_INTS),
                   optional("scan_output_axes", HEED_ATTRIBUTE_INTS),
                   optional("scan_output_directions", HEED_ATTRIBUTE_INTS)},
    .infer = infer};

extern const ControlKernel scan_control{.op_type = "Scan", .run = run};

}  // namespace heed::ops
