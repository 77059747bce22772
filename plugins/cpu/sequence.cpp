// Sequences: SequenceConstruct, -Empty, -Insert, -Erase, -At, -Length, ConcatFromSequence and SplitToSequence. Elements
// are handed on by reference; only the last two copy.
#include "move.hpp"

namespace heed::cpu {
namespace {

Result<void> run_construct(Running& run) {
  auto list = run.new_sequence(run.NodeView::input(0).element());
  for (int32_t i = 0; i < run.input_count(); ++i) HEED_TRY(list.insert(i, run.input_value(i)));
  return run.set_output(0, std::move(list));
}

Result<void> run_empty(Running& run) {
  return run.set_output(0, run.new_sequence(static_cast<DataType>(run.integer("dtype", 1))));
}

// The position that input `input` gives, `otherwise` where it is absent; within [0, end).
Result<int64_t> position_of(const Running& run, int32_t input, int64_t size, int64_t end, int64_t otherwise) {
  if (!run.input(input).present()) return otherwise;
  const auto given = run.input(input).integers();
  if (given.size() != 1)
    return Error{Code::shape_mismatch, "the position has " + std::to_string(given.size()) + " elements; expected one"};
  const int64_t position = given[0] < 0 ? given[0] + size : given[0];
  if (position < 0 || position >= end)
    return Error{Code::invalid_argument,
                 "position " + std::to_string(given[0]) + " is outside of a sequence of " + std::to_string(size)};
  return position;
}

// An optional or a loop may hold another kind of value than the model says.
Result<ValueRef> sequence_to_change(const Running& run) {
  if (run.input_value(0).kind() != HEED_SEQUENCE) return Error{Code::invalid_argument, "the input is no sequence"};
  return run.sequence_copy(0);
}

Result<void> run_insert(Running& run) {
  HEED_ASSIGN(auto list, sequence_to_change(run));
  const int64_t size = list.size();
  HEED_ASSIGN(const int64_t position, position_of(run, 2, size, size + 1, size));
  HEED_TRY(list.insert(position, run.input_value(1)));
  return run.set_output(0, std::move(list));
}

Result<void> run_erase(Running& run) {
  HEED_ASSIGN(auto list, sequence_to_change(run));
  const int64_t size = list.size();
  if (size == 0) return Error{Code::invalid_argument, "the sequence is empty"};
  HEED_ASSIGN(const int64_t position, position_of(run, 1, size, size, size - 1));
  HEED_TRY(list.erase(position));
  return run.set_output(0, std::move(list));
}

Result<void> run_at(Running& run) {
  const auto list = run.input_value(0);
  HEED_ASSIGN(const int64_t position, position_of(run, 1, list.size(), list.size(), 0));
  return run.set_output(0, list.at(position));
}

Result<void> run_length(Running& run) {
  *run.output(0).data<int64_t>() = run.input_value(0).size();
  return {};
}

Result<void> run_concat(Running& run) {
  const auto list = run.input_value(0);
  const int64_t count = list.size();
  if (count == 0) return Error{Code::invalid_argument, "the sequence is empty: the shape of its elements is not known"};
  std::vector<ValueRef> values;
  std::vector<TensorView> parts;
  for (int64_t i = 0; i < count; ++i) {
    values.push_back(list.at(i));
    HEED_ASSIGN(auto part, values.back().tensor());
    parts.push_back(part);
  }
  const auto first = parts[0];
  const bool new_axis = run.integer("new_axis") != 0;
  HEED_ASSIGN(const int32_t axis, run.axis("axis", first.rank() + (new_axis ? 1 : 0)));
  std::vector<int64_t> dims(first.dims().begin(), first.dims().end());
  if (new_axis) dims.insert(dims.begin() + axis, 0);
  dims[static_cast<size_t>(axis)] = 0;
  for (const auto& part : parts) {
    bool fits = part.rank() == first.rank() && part.element() == run.output(0).element();
    for (int32_t i = 0; fits && i < part.rank(); ++i) fits = part.dim(i) == first.dim(i) || (i == axis && !new_axis);
    if (!fits) return Error{Code::shape_mismatch, "the tensors of the sequence differ in shape or type"};
    dims[static_cast<size_t>(axis)] += new_axis ? 1 : part.dim(axis);
  }
  HEED_ASSIGN(const auto out, run.allocate(0, dims));
  std::vector<int64_t> strides(out.strides().begin(), out.strides().end());
  const int64_t step = strides[static_cast<size_t>(axis)];
  if (new_axis) strides.erase(strides.begin() + axis);
  int64_t begin = 0;
  for (const auto& part : parts) {
    move_elements(run, part.element(), part.dims(), {part.c.data, part.strides()}, {out.c.data, strides, begin * step});
    begin += new_axis ? 1 : part.dim(axis);
  }
  own_texts(run, 0, out);
  return {};
}

// The sizes of the pieces: a list, or one size for all but a smaller last one.
Result<std::vector<int64_t>> pieces_of(const Running& run, int64_t size) {
  const auto split = run.input(1);
  const auto given = split.present() ? split.integers() : std::vector<int64_t>{1};
  std::vector<int64_t> pieces = given;
  if (!split.present() || split.rank() == 0) {
    if (given[0] < 1)
      return Error{Code::invalid_argument, "split is " + std::to_string(given[0]) + "; expected 1 or more"};
    pieces.assign(static_cast<size_t>(size / given[0]), given[0]);
    if (size % given[0] != 0) pieces.push_back(size % given[0]);
    return pieces;
  }
  int64_t rest = size;
  for (const int64_t piece : pieces) {
    if (piece < 0 || piece > rest) rest = -1;
    if (rest < 0) break;
    rest -= piece;
  }
  if (rest != 0)
    return Error{Code::invalid_argument, "the sizes of split do not add up to the axis of " + std::to_string(size)};
  return pieces;
}

Result<void> run_split(Running& run) {
  const auto input = run.input(0);
  HEED_ASSIGN(const int32_t axis, run.axis("axis", input.rank()));
  HEED_ASSIGN(const auto pieces, pieces_of(run, input.dim(axis)));
  const bool drops_axis = !run.input(1).present() && run.integer("keepdims", 1) == 0;
  auto list = run.new_sequence(input.element());
  int64_t begin = 0;
  for (const int64_t piece : pieces) {
    std::vector<int64_t> dims(input.dims().begin(), input.dims().end());
    dims[static_cast<size_t>(axis)] = piece;
    std::vector<int64_t> own_dims = dims;
    if (drops_axis) own_dims.erase(own_dims.begin() + axis);
    TensorView part{};
    auto value = run.new_tensor(input.element(), own_dims, part);
    if (!value) return Error{Code::out_of_memory, "no memory for a piece"};
    const auto strides = dense_strides(dims);
    move_elements(run, input.element(), dims, {input.c.data, input.strides(), begin * input.stride(axis)},
                  {part.c.data, strides});
    if (part.element() == DataType::string)
      for (auto& text : part.as<heed_text>()) text = value.store_text(from_c(text));
    HEED_TRY(list.insert(list.size(), value));
    begin += piece;
  }
  return run.set_output(0, std::move(list));
}

}  // namespace

extern const CpuKernel sequence_construct{.op_type = "SequenceConstruct", .run = run_construct};
extern const CpuKernel sequence_empty{.op_type = "SequenceEmpty", .run = run_empty};
extern const CpuKernel sequence_insert{.op_type = "SequenceInsert", .run = run_insert};
extern const CpuKernel sequence_erase{.op_type = "SequenceErase", .run = run_erase};
extern const CpuKernel sequence_at{.op_type = "SequenceAt", .run = run_at};
extern const CpuKernel sequence_length{.op_type = "SequenceLength", .run = run_length};
extern const CpuKernel concat_from_sequence{.op_type = "ConcatFromSequence", .run = run_concat};

extern const CpuKernel split_to_sequence{.op_type = "SplitToSequence", .run = run_split};

}  // namespace heed::cpu
