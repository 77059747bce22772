// Gather: slices of the data along an axis, chosen by indices; negative ones count from the end.
#include "gather.hpp"

#include "pieces.hpp"
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto data = node.input(0), indices = node.input(1);
  if (!data.has_rank() || !indices.has_rank()) return node.set_output(0, data.element());
  if (data.rank() < 1) return Error{Code::shape_mismatch, "the data has rank 0; expected at least one axis"};
  HEED_ASSIGN(const int32_t axis, node.axis("axis", data.rank()));
  Dims dims(data.dims().begin(), data.dims().begin() + axis);
  dims.insert(dims.end(), indices.dims().begin(), indices.dims().end());
  dims.insert(dims.end(), data.dims().begin() + axis + 1, data.dims().end());
  HEED_TRY(node.set_output(0, data.element(), dims));

  const auto elements = node.elements(0);
  const auto chosen = numbers_of(node.elements(1));
  if (!elements || !chosen || data.rank() != 1) return {};
  Dims picked;
  for (auto index : *chosen) {
    if (index < 0) index += static_cast<int64_t>(elements->size());
    if (index < 0 || index >= static_cast<int64_t>(elements->size()))
      return Error{Code::shape_mismatch, "index " + std::to_string(index) + " is outside of the " +
                                             std::to_string(elements->size()) + " elements of the data"};
    picked.push_back((*elements)[static_cast<size_t>(index)]);
  }
  node.set_elements(0, picked);
  return {};
}

// Mirrors shaders/gather.comp.
struct Parameters {
  Rows rows;  // the data
  uint32_t count, chosen_count, words_per_index;
  int32_t axis_size, axis_stride;
  int32_t indices_offset, y_offset;
  uint32_t first_chosen = 0;
  int32_t axis_begin = 0, axis_end;
};

// Of data that are longer than a binding, or into such an output, in windows: for each index of the outer axes the rows
// that are chosen, [chosen, row]; a row is not cut.
Result<Launch> bind_in_windows(const Binding& node, int32_t axis, Parameters part) {
  const auto data = node.input(0), y = node.output(0);
  const int64_t chosen_count = part.chosen_count, row_length = part.rows.row_length;
  Box box;
  box.add_axis(data.dim(axis));
  box.add_axis(chosen_count);
  auto& from = box.add(0, data.element(), data.c.offset);
  auto& to = box.add(2, y.element(), y.c.offset);
  from.strides[0] = data.stride(axis);
  to.strides[1] = row_length;
  std::vector<int64_t> dims(static_cast<size_t>(axis) + 1, 1);  // of a row
  for (int32_t inner = axis + 1; inner < data.rank(); ++inner) {
    dims.push_back(data.dim(inner));
    from.strides[box.rank] = data.stride(inner);
    to.strides[box.rank] = data.count(inner + 1, data.rank());
    box.add_axis(data.dim(inner), data.dim(inner));
  }
  part.rows = rows_of(dims, last_axes(data.rank(), data.rank() - axis), std::array{data});
  Launch launch;
  for (int64_t outer = 0; outer < data.count(0, axis); ++outer) {
    from.offset = data.c.offset;
    int64_t rest = outer;
    for (int32_t k = axis - 1; k >= 0; rest /= data.dim(k--)) from.offset += rest % data.dim(k) * data.stride(k);
    to.offset = y.c.offset + outer * chosen_count * row_length;
    HEED_ASSIGN(auto pieces, pieces_of(box, most_binding_bytes(node)));
    for (Piece& piece : pieces) {
      part.rows.axes.offsets[0] = static_cast<int32_t>(piece.offsets[0]);
      part.y_offset = static_cast<int32_t>(piece.offsets[1]);
      part.axis_begin = static_cast<int32_t>(piece.begin[0]);
      part.axis_end = static_cast<int32_t>(piece.begin[0] + piece.dims[0]);
      part.first_chosen = static_cast<uint32_t>(piece.begin[1]);
      part.chosen_count = static_cast<uint32_t>(piece.dims[1]);
      part.count = part.chosen_count * part.rows.row_length;
      launch.dispatches.push_back(
          {0, bytes_of(part), {workgroups_for(part.count, row_threads), 1, 1}, std::move(piece.windows)});
    }
  }
  return launch;
}

Result<Launch> bind(const Binding& node) {
  HEED_ASSIGN(const int32_t axis, node.axis("axis", node.input(0).rank()));
  return bind_gather(node, axis);
}

}  // namespace

Result<GpuPlan> plan_gather(Planning& node) {
  HEED_ASSIGN(auto variant, moving_variant(node, node.input(0), shaders::gather));
  // Long data that lie strided are copied first: their rows may reach beyond a window.
  if (!is_known_longer(node, node.input(0))) node.take_strided(0);
  return GpuPlan{.variants = {std::move(variant)},
                 .bindings = {in_windows(read(0)), read(1), in_windows(write(0)), error_word()},
                 .error = "element {} of the indices is outside of the axis that it chooses from"};
}

Result<Launch> bind_gather(const Binding& node, int32_t axis) {
  const auto data = node.input(0), indices = node.input(1), y = node.output(0);
  if (y.count() == 0) return Launch{};
  if (data.dim(axis) == 0)
    return Error{Code::invalid_argument, "axis " + std::to_string(axis) + " is empty; there is nothing to choose from"};
  HEED_TRY(check_addressable(data, "the data"));
  HEED_TRY(check_addressable(indices, "the indices"));
  HEED_TRY(check_addressable(y, "the output"));
  std::vector<int64_t> dims(data.dims().begin(), data.dims().end());
  dims[static_cast<size_t>(axis)] = 1;
  const Parameters parameters{.rows = rows_of(dims, last_axes(data.rank(), data.rank() - axis), std::array{data}),
                              .count = static_cast<uint32_t>(y.count()),
                              .chosen_count = static_cast<uint32_t>(indices.count()),
                              .words_per_index = indices.element() == DataType::i64 ? 2u : 1u,
                              .axis_size = static_cast<int32_t>(data.dim(axis)),
                              .axis_stride = stride_of(data, axis),
                              .indices_offset = offset_of(indices),
                              .y_offset = offset_of(y),
                              .axis_end = static_cast<int32_t>(data.dim(axis))};
  const int64_t most_bytes = most_binding_bytes(node);
  if (!fits_binding(data, most_bytes) || !fits_binding(y, most_bytes)) return bind_in_windows(node, axis, parameters);
  return Launch{.dispatches = {{0, bytes_of(parameters), {workgroups_for(y.count(), row_threads), 1, 1}}}};
}

extern const Operator gather{.op_type = "Gather",
                             .versions = {13, 11, 1},
                             .inputs = {{"data", "T"}, {"indices", "I"}},
                             .outputs = {{"output", "T"}},
                             .types = {{"T", any_type}, {"I", {DataType::i32, DataType::i64}}},
                             .attributes = {attribute("axis", 0)},
                             .infer = infer,
                             .plan = plan_gather,
                             .bind = bind};

}  // namespace heed::ops
