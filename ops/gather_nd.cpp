// GatherND: slices of the data, each chosen by a tuple of indices, the last axis of `indices`. GatherElements: an
// element of the data for each index, whose place along `axis` the index tells, and along the other axes its own place.
// Negative indices count from the end.
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer_elements(Inference& node) {
  const auto data = node.input(0), indices = node.input(1);
  if (data.has_rank() && indices.has_rank()) {
    if (data.rank() < 1 || data.rank() != indices.rank())
      return Error{Code::shape_mismatch, "the data has rank " + std::to_string(data.rank()) + ", the indices rank " +
                                             std::to_string(indices.rank()) + "; expected the same, at least 1"};
    HEED_ASSIGN(const int32_t axis, node.axis("axis", data.rank()));
    for (int32_t k = 0; k < data.rank(); ++k)
      if (k != axis && data.dim(k).is_number() && indices.dim(k).is_number() &&
          indices.dim(k).number() > data.dim(k).number())
        return Error{Code::shape_mismatch, "axis " + std::to_string(k) + " of the indices " + text_of(indices.dims()) +
                                               " reaches past that of the data " + text_of(data.dims())};
  }
  if (!indices.has_rank()) return node.set_output(0, data.element());
  return node.set_output(0, data.element(), indices.dims());
}

Result<void> infer_nd(Inference& node) {
  const auto data = node.input(0), indices = node.input(1);
  if (!data.has_rank() || !indices.has_rank()) return node.set_output(0, data.element());
  const int64_t batch = node.integer("batch_dims");
  if (data.rank() < 1 || indices.rank() < 1 || batch < 0 || batch >= std::min(data.rank(), indices.rank()))
    return Error{Code::invalid_model, "attribute 'batch_dims' is " + std::to_string(batch) + " for data of rank " +
                                          std::to_string(data.rank()) + " and indices of rank " +
                                          std::to_string(indices.rank())};
  for (int32_t k = 0; k < batch; ++k)
    HEED_TRY(node.require_equal(data.dim(k), indices.dim(k), "batch axis " + std::to_string(k)));
  if (!indices.dim(-1).is_number()) return node.set_output(0, data.element());
  const int64_t tuple = indices.dim(-1).number();
  if (tuple < 1 || tuple > data.rank() - batch)
    return Error{Code::shape_mismatch, "tuples of " + std::to_string(tuple) + " indices choose from the axes of " +
                                           text_of(data.dims()) + " behind " + std::to_string(batch)};
  Dims dims(indices.dims().begin(), indices.dims().end() - 1);
  dims.insert(dims.end(), data.dims().begin() + batch + tuple, data.dims().end());
  return node.set_output(0, data.element(), dims);
}

// Mirrors shaders/gather_nd.comp.
struct Parameters {
  Rows rows;
  uint32_t tuple_size, words_per_index;
  int32_t y_offset;
  int32_t sizes[most_axes] = {}, data_strides[most_axes] = {};
};

Result<GpuPlan> plan(Planning& node) {
  HEED_ASSIGN(auto variant, moving_variant(node, node.input(0), shaders::gather_nd));
  HEED_TRY(moving_variant(node, node.output(0), shaders::gather_nd));
  node.take_strided(0);
  return GpuPlan{.variants = {std::move(variant)},
                 .bindings = {read(0), read(1), write(0), error_word()},
                 .error = "element {} of the indices is outside of the axis that it chooses from"};
}

// `indices` and `data` as they are walked over y; the tuples choose from `chosen` axes of the data.
Result<Launch> launch_of(const Binding& node, const TensorView& indices, const TensorView& data, int32_t first_chosen,
                         int32_t chosen) {
  const auto all = node.input(0), y = node.output(0);
  HEED_TRY(check_addressable(all, "the data"));
  HEED_TRY(check_addressable(node.input(1), "the indices"));
  HEED_TRY(check_addressable(y, "the output"));
  Parameters p{.rows = rows_of(y.dims(), last_axes(y.rank(), 0), std::array{indices, data}),
               .tuple_size = static_cast<uint32_t>(chosen),
               .words_per_index = indices.element() == DataType::i64 ? 2u : 1u,
               .y_offset = offset_of(y)};
  for (int32_t k = 0; k < chosen; ++k) {
    if (all.dim(first_chosen + k) == 0)
      return Error{Code::invalid_argument, "axis " + std::to_string(first_chosen + k) + " of the data is empty"};
    p.sizes[k] = static_cast<int32_t>(all.dim(first_chosen + k));
    p.data_strides[k] = stride_of(all, first_chosen + k);
  }
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(y.count(), row_threads), 1, 1}}}};
}

Result<Launch> bind_elements(const Binding& node) {
  TensorView data = node.input(0);
  const auto indices = node.input(1);
  if (indices.count() == 0) return Launch{};
  HEED_ASSIGN(const int32_t axis, node.axis("axis", data.rank()));
  for (int32_t k = 0; k < data.rank(); ++k)
    if (k != axis && indices.dim(k) > data.dim(k))
      return Error{Code::shape_mismatch, "axis " + std::to_string(k) + " of the indices has " +
                                             std::to_string(indices.dim(k)) + " elements, that of the data " +
                                             std::to_string(data.dim(k))};
  std::vector<int64_t> strides(data.strides().begin(), data.strides().end());
  strides[static_cast<size_t>(axis)] = 0;
  data.c.strides = strides.data();
  return launch_of(node, indices, data, axis, 1);
}

Result<Launch> bind_nd(const Binding& node) {
  TensorView data = node.input(0), indices = node.input(1);
  const auto y = node.output(0);
  if (y.count() == 0) return Launch{};
  const auto batch = static_cast<int32_t>(node.integer("batch_dims"));
  const auto tuple = static_cast<int32_t>(indices.dim(-1));
  // Over y's axes: those of the tuples, of which the first are batches of the data too, and those of a slice.
  std::vector<int64_t> data_strides(y.dims().size(), 0), indices_strides(y.dims().size(), 0);
  for (int32_t k = 0; k < indices.rank() - 1; ++k) {
    indices_strides[static_cast<size_t>(k)] = indices.stride(k);
    if (k < batch) data_strides[static_cast<size_t>(k)] = data.stride(k);
  }
  for (int32_t k = batch + tuple; k < data.rank(); ++k)
    data_strides[static_cast<size_t>(indices.rank() - 1 + k - batch - tuple)] = data.stride(k);
  data.c.dims = indices.c.dims = y.c.dims;
  data.c.rank = indices.c.rank = y.rank();
  data.c.strides = data_strides.data();
  indices.c.strides = indices_strides.data();
  return launch_of(node, indices, data, batch, tuple);
}

}  // namespace

extern const Operator gather_elements{.op_type = "GatherElements",
                                      .versions = {13, 11},
                                      .inputs = {{"data", "T"}, {"indices", "I"}},
                                      .outputs = {{"output", "T"}},
                                      .types = {{"T", any_type}, {"I", {DataType::i32, DataType::i64}}},
                                      .attributes = {attribute("axis", 0)},
                                      .infer = infer_elements,
                                      .plan = plan,
                                      .bind = bind_elements};

extern const Operator gather_nd{.op_type = "GatherND",
                                .versions = {13, 12, 11},
                                .inputs = {{"data", "T"}, {"indices", "I"}},
                                .outputs = {{"output", "T"}},
                                .types = {{"T", any_type}, {"I", {DataType::i64}}},
                                .attributes = {attribute("batch_dims", 0)},
                                .infer = infer_nd,
                                .plan = plan,
                                .bind = bind_nd};

}  // namespace heed::ops
