// ScatterElements (until opset 10 Scatter) and ScatterND: the data with updates in the places that indices tell, as
// GatherElements and GatherND read them; where several meet, the later one wins, or all are reduced with what is there.
// TensorScatter: a cache with updates from a place on along the sequence axis, for each batch its own.
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"
#include "strided_copy.hpp"

namespace heed::ops {
namespace {

enum { data_input, indices_input, updates_input };

// Mirrors shaders/scatter.comp: none moves, the others compute.
enum Reduction : uint32_t { add_to, multiply, least, greatest, none };

Result<Reduction> reduction_of(const NodeView& node) {
  const auto name = node.text("reduction", "none");
  if (name == "none") return none;
  if (name == "add") return add_to;
  if (name == "mul") return multiply;
  if (name == "min") return least;
  if (name == "max") return greatest;
  return Error{Code::invalid_model,
               "attribute 'reduction' is '" + std::string(name) + "'; expected none, add, mul, min or max"};
}

Result<void> check_reduction(const NodeView& node) {
  HEED_ASSIGN(const Reduction reduction, reduction_of(node));
  const auto element = node.input(data_input).element();
  if (reduction != none && node.input(data_input).has_element() &&
      (element == DataType::string || is_complex(element) || is_packed(element)))
    return Error{Code::invalid_model, "there is no reduction of " + std::string(name_of(element))};
  return {};
}

Result<void> infer_elements(Inference& node) {
  HEED_TRY(check_reduction(node));
  const auto data = node.input(data_input), indices = node.input(indices_input), updates = node.input(updates_input);
  if (data.has_rank()) {
    HEED_TRY(node.axis("axis", data.rank()));
    HEED_TRY(node.require_rank(indices_input, data.rank()));
    HEED_TRY(node.require_rank(updates_input, data.rank()));
  }
  if (indices.has_rank() && updates.has_rank() && indices.rank() == updates.rank())
    for (int32_t k = 0; k < indices.rank(); ++k)
      HEED_TRY(node.require_equal(indices.dim(k), updates.dim(k),
                                  "axis " + std::to_string(k) + " of the indices and the updates"));
  return like_input(node);
}

Result<void> infer_nd(Inference& node) {
  HEED_TRY(check_reduction(node));
  const auto data = node.input(data_input), indices = node.input(indices_input), updates = node.input(updates_input);
  if (indices.has_rank() && indices.rank() < 1)
    return Error{Code::shape_mismatch, "the indices have rank 0; expected tuples along their last axis"};
  if (data.has_rank() && indices.has_rank() && indices.dim(-1).is_number()) {
    const int64_t tuple = indices.dim(-1).number();
    if (tuple < 1 || tuple > data.rank())
      return Error{Code::shape_mismatch,
                   "tuples of " + std::to_string(tuple) + " indices choose from the axes of " + text_of(data.dims())};
    Dims expected(indices.dims().begin(), indices.dims().end() - 1);
    expected.insert(expected.end(), data.dims().begin() + tuple, data.dims().end());
    HEED_TRY(node.require_rank(updates_input, static_cast<int32_t>(expected.size())));
    if (updates.has_rank())
      for (int32_t k = 0; k < updates.rank(); ++k)
        HEED_TRY(node.require_equal(updates.dim(k), expected[static_cast<size_t>(k)],
                                    "axis " + std::to_string(k) + " of the updates and " + text_of(expected)));
  }
  return like_input(node);
}

// Mirrors shaders/scatter.comp.
struct Parameters {
  Rows rows;
  uint32_t tuple_size = 1, words_per_index = 2;
  uint32_t has_indices = 1;
  int32_t y_offset = 0;
  int32_t sizes[most_axes] = {}, y_strides[most_axes] = {};
};

// The data is copied, unless the output lies there. Then a thread takes each row of updates that may meet; where only
// places are taken and the rows are few and long, threads take an update each, in turns: they clear the claims, claim a
// place each, and write.
enum { copy_variant_index, rows_in_order, clear_claims, claim, write_claimed };
constexpr int64_t few_rows = 4096, long_row = 64;  // untuned

Result<GpuPlan> plan_scatter(Planning& node, Reduction reduction, int32_t updates, int32_t indices,
                             std::vector<heed_constant> constants = {}) {
  if (node.has_input(indices) && !node.input(indices).has_rank())
    return decline("the rank of the indices is not known");
  HEED_ASSIGN(auto copy, copy_variant(node, node.input(data_input)));
  copy.bindings = {read(data_input), write(0)};
  HEED_ASSIGN(auto scatter, moving_variant(node, node.input(updates), shaders::scatter));
  if (reduction != none) {
    HEED_ASSIGN(scatter.shader, shader_for(node, shaders::scatter_reduced));
    constants.push_back({2, reduction});
  }
  scatter.constants = std::move(constants);
  // What is absent is bound to what is there, and never touched.
  scatter.bindings = {read(node.has_input(indices) ? indices : updates), read(updates), read_write(0), error_word(),
                      read(updates)};
  node.take_strided(data_input);
  node.take_strided(updates);
  node.in_place(data_input, 0);
  std::vector<Variant> variants{std::move(copy), scatter};
  if (reduction == none) {
    variants.push_back({.name = "clear claims", .shader = shaders::constant_of_shape, .bindings = {scratch()}});
    scatter.bindings.back() = scratch();
    scatter.name = "claim";
    scatter.constants.push_back({5, 1});
    variants.push_back(scatter);
    scatter.name = "write what is claimed";
    scatter.constants.back().value = 2;
    variants.push_back(scatter);
  }
  return GpuPlan{.variants = std::move(variants),
                 .bindings = {},
                 .error = "element {} of the indices is outside of the axis that it chooses from"};
}

Result<GpuPlan> plan(Planning& node) {
  HEED_ASSIGN(const Reduction reduction, reduction_of(node));
  return plan_scatter(node, reduction, updates_input, indices_input);
}

Result<GpuPlan> plan_nd(Planning& node) {
  if (const auto indices = node.input(indices_input); indices.has_rank() && !indices.dim(-1).is_number())
    return decline("how many indices a tuple has is known to the run alone");
  return plan(node);
}

// The tensors as they are walked over the updates; the tuples choose from the axes `first_chosen` and on of y.
Result<Launch> launch_of(const Binding& node, const TensorView& indices, const TensorView& updates, const TensorView& y,
                         const std::vector<bool>& within_row, int32_t first_chosen, int32_t chosen) {
  const auto data = node.input(data_input), all = node.output(0);
  HEED_TRY(check_addressable(data, "the data"));
  HEED_TRY(check_addressable(all, "the output"));
  HEED_TRY(check_addressable(updates, "the updates"));
  if (indices.present()) HEED_TRY(check_addressable(indices, "the indices"));
  Launch launch;
  if (!node.in_place(data_input, 0)) HEED_TRY(add_copy(launch, node, copy_variant_index, data, all));
  if (updates.count() == 0) return launch;
  Parameters p{.rows = rows_of(updates.dims(), within_row, std::array{indices, updates, y}),
               .tuple_size = static_cast<uint32_t>(chosen),
               .words_per_index = indices.element() == DataType::i64 ? 2u : 1u,
               .has_indices = indices.present(),
               .y_offset = offset_of(all)};
  for (int32_t k = 0; k < chosen; ++k) {
    p.sizes[k] = static_cast<int32_t>(all.dim(first_chosen + k));
    p.y_strides[k] = stride_of(all, first_chosen + k);
  }
  const int64_t claim_bytes = all.count() * 4;
  const bool in_turns = node.text("reduction", "none") == "none" && p.rows.row_count < few_rows &&
                        p.rows.row_length >= long_row &&
                        claim_bytes <= static_cast<int64_t>(node.capability("max_binding_bytes"));
  if (!in_turns) {
    launch.dispatches.push_back({rows_in_order, bytes_of(p), {workgroups_for(p.rows.row_count, row_threads), 1, 1}});
    return launch;
  }
  launch.scratch_bytes = static_cast<size_t>(claim_bytes);
  const std::array<uint32_t, 4> zeros{static_cast<uint32_t>(all.count())};  // shaders/constant_of_shape.comp
  launch.dispatches.push_back({clear_claims, bytes_of(zeros), {workgroups_for(all.count(), 64), 1, 1}});
  for (const int32_t variant : {claim, write_claimed})
    launch.dispatches.push_back({variant, bytes_of(p), {workgroups_for(updates.count(), row_threads), 1, 1}});
  return launch;
}

Result<Launch> bind_elements(const Binding& node) {
  const auto indices = node.input(indices_input), updates = node.input(updates_input);
  TensorView y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_ASSIGN(const int32_t axis, node.axis("axis", y.rank()));
  for (int32_t k = 0; k < y.rank(); ++k)
    if (k != axis && updates.dim(k) > y.dim(k))
      return Error{Code::shape_mismatch, "axis " + std::to_string(k) + " of the updates has " +
                                             std::to_string(updates.dim(k)) + " elements, that of the data " +
                                             std::to_string(y.dim(k))};
  std::vector<bool> within_row(static_cast<size_t>(y.rank()));
  within_row[static_cast<size_t>(axis)] = true;
  std::vector<int64_t> strides(y.strides().begin(), y.strides().end());
  strides[static_cast<size_t>(axis)] = 0;
  y.c.strides = strides.data();
  return launch_of(node, indices, updates, y, within_row, axis, 1);
}

Result<Launch> bind_nd(const Binding& node) {
  TensorView indices = node.input(indices_input), y = node.output(0);
  const auto updates = node.input(updates_input);
  if (y.count() == 0) return Launch{};
  const int32_t tuple_axes = indices.rank() - 1;
  const auto tuple = static_cast<int32_t>(indices.dim(-1));
  // Over the updates' axes: those of the tuples, and those of a slice.
  std::vector<int64_t> y_strides(updates.dims().size(), 0), indices_strides(updates.dims().size(), 0);
  for (int32_t k = 0; k < tuple_axes; ++k) indices_strides[static_cast<size_t>(k)] = indices.stride(k);
  for (int32_t k = tuple; k < y.rank(); ++k) y_strides[static_cast<size_t>(tuple_axes + k - tuple)] = y.stride(k);
  indices.c.dims = y.c.dims = updates.c.dims;
  indices.c.rank = y.c.rank = updates.rank();
  indices.c.strides = indices_strides.data();
  y.c.strides = y_strides.data();
  auto within_row = last_axes(updates.rank(), 0);
  std::fill(within_row.begin(), within_row.begin() + tuple_axes, true);
  return launch_of(node, indices, updates, y, within_row, 0, tuple);
}

Operator scatter_elements_named(std::string_view op_type, std::vector<int32_t> versions) {
  return {.op_type = op_type,
          .versions = std::move(versions),
          .inputs = {{"data", "T"}, {"indices", "I"}, {"updates", "T"}},
          .outputs = {{"output", "T"}},
          .types = {{"T", any_type}, {"I", {DataType::i32, DataType::i64}}},
          .attributes = {attribute("axis", 0), attribute("reduction", "none")},
          .infer = infer_elements,
          .plan = plan,
          .bind = bind_elements};
}

// ---- TensorScatter
// ---------------------------------------------------------------------------------------------------

enum { cache_input, update_input, write_indices_input };

Result<void> infer_cache(Inference& node) {
  if (const auto mode = node.text("mode", "linear"); mode != "linear" && mode != "circular")
    return Error{Code::invalid_model, "attribute 'mode' is '" + std::string(mode) + "'; expected linear or circular"};
  const auto cache = node.input(cache_input), update = node.input(update_input);
  if (!cache.has_rank()) return like_input(node);
  HEED_ASSIGN(const int32_t axis, node.axis("axis", cache.rank(), -2));
  if (axis == 0) return Error{Code::invalid_model, "attribute 'axis' names axis 0, the batch; expected a later one"};
  HEED_TRY(node.require_rank(update_input, cache.rank()));
  if (update.has_rank())
    for (int32_t k = 0; k < cache.rank(); ++k)
      if (k != axis)
        HEED_TRY(node.require_equal(cache.dim(k), update.dim(k),
                                    "axis " + std::to_string(k) + " of the cache and the update"));
  if (node.has_input(write_indices_input)) {
    HEED_TRY(node.require_rank(write_indices_input, 1));
    if (node.input(write_indices_input).has_rank())
      HEED_TRY(node.require_equal(node.input(write_indices_input).dim(0), cache.dim(0), "batch of write_indices"));
  }
  return like_input(node);
}

Result<GpuPlan> plan_cache(Planning& node) {
  return plan_scatter(node, none, update_input, write_indices_input,
                      {{3, 1}, {4, node.text("mode", "linear") == "circular"}});
}

Result<Launch> bind_cache(const Binding& node) {
  const auto update = node.input(update_input);
  TensorView y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_ASSIGN(const int32_t axis, node.axis("axis", y.rank(), -2));
  if (update.dim(axis) > y.dim(axis))
    return Error{Code::shape_mismatch, std::to_string(update.dim(axis)) + " elements do not fit into the " +
                                           std::to_string(y.dim(axis)) + " of the cache"};
  std::vector<bool> within_row(static_cast<size_t>(y.rank()));
  within_row[static_cast<size_t>(axis)] = true;
  std::vector<int64_t> strides(y.strides().begin(), y.strides().end());
  strides[static_cast<size_t>(axis)] = 0;
  y.c.strides = strides.data();
  if (!node.has_input(write_indices_input)) return launch_of(node, {}, update, y, within_row, axis, 1);
  TensorView indices = node.input(write_indices_input);
  std::vector<int64_t> batches(update.dims().begin(), update.dims().end()), steps(update.dims().size(), 0);
  steps[0] = indices.stride(0);
  indices.c.dims = batches.data();
  indices.c.strides = steps.data();
  indices.c.rank = update.rank();
  return launch_of(node, indices, update, y, within_row, axis, 1);
}

}  // namespace

extern const Operator scatter = scatter_elements_named("Scatter", {11, 9});
extern const Operator scatter_elements = scatter_elements_named("ScatterElements", {18, 16, 13, 11});

extern const Operator scatter_nd{.op_type = "ScatterND",
                                 .versions = {18, 16, 13, 11},
                                 .inputs = {{"data", "T"}, {"indices", "I"}, {"updates", "T"}},
                                 .outputs = {{"output", "T"}},
                                 .types = {{"T", any_type}, {"I", {DataType::i64}}},
                                 .attributes = {attribute("reduction", "none")},
                                 .infer = infer_nd,
                                 .plan = plan_nd,
                                 .bind = bind_nd};

extern const Operator tensor_scatter{
    .op_type = "TensorScatter",
    .versions = {24},
    .inputs = {{"past_cache", "T"}, {"update", "T"}, {"write_indices", "I", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{.name = "present_cache", .type = "T", .state_of = cache_input}},
    .types = {{"T", any_type}, {"I", {DataType::i64}}},
    .attributes = {attribute("mode", "linear"), attribute("axis", -2)},
    .infer = infer_cache,
    .plan = plan_cache,
    .bind = bind_cache};

}  // namespace heed::ops
