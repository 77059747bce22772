// Sequences of tensors: SequenceConstruct, SequenceEmpty, SequenceInsert, SequenceErase, SequenceAt, SequenceLength,
// ConcatFromSequence, SplitToSequence. The type of a sequence tells the shape of its tensors where all have the same.
#include "shapes.hpp"

namespace heed::ops {
namespace {

constexpr uint32_t sequence = 1u << HEED_SEQUENCE;
constexpr Types position{DataType::i32, DataType::i64};

// A sequence of tensors of this type; rank -1: they differ, or it is not known.
Result<void> set_sequence(Inference& node, int32_t element, int32_t rank, std::span<const Dim> dims) {
  return node.set_output(0,
                         TypeView{{HEED_SEQUENCE, element, rank, 0, reinterpret_cast<const heed_dim*>(dims.data())}});
}

bool same_shape(TypeView a, TypeView b) {
  return a.has_rank() && b.has_rank() && std::equal(a.dims().begin(), a.dims().end(), b.dims().begin(), b.dims().end());
}

Result<void> infer_construct(Inference& node) {
  const auto first = node.input(0);
  bool same = first.has_rank();
  for (int32_t i = 1; i < node.input_count(); ++i) same = same && same_shape(first, node.input(i));
  return set_sequence(node, first.c.element, same ? first.rank() : -1, first.dims());
}

Result<void> infer_empty(Inference& node) {
  const int64_t element = node.integer("dtype", 1);
  if (element < 1 || element >= data_type_count)
    return Error{Code::invalid_model, "attribute 'dtype' is " + std::to_string(element) + ", which is no data type"};
  return set_sequence(node, static_cast<int32_t>(element), -1, {});
}

Result<void> infer_insert(Inference& node) {
  const auto list = node.input(0), tensor = node.input(1);
  if (list.has_element() && tensor.has_element() && list.c.element != tensor.c.element)
    return Error{Code::invalid_model, "the tensor is " + std::string(name_of(tensor.element())) +
                                          ", those of the sequence are " + std::string(name_of(list.element()))};
  const bool same = same_shape(list, tensor);
  return set_sequence(node, list.has_element() ? list.c.element : tensor.c.element, same ? list.rank() : -1,
                      list.dims());
}

Result<void> infer_erase(Inference& node) { return node.set_output(0, node.input(0)); }

// The sizes of one of its tensors: a symbol in the type of a sequence may stand for another number in each.
Dims sizes_of_one(Inference& node, TypeView list) {
  Dims dims(list.dims().begin(), list.dims().end());
  for (auto& dim : dims)
    if (!dim.is_number()) dim = node.fresh_symbol("element");
  return dims;
}

Result<void> infer_at(Inference& node) {
  const auto list = node.input(0);
  if (!list.has_rank()) return node.set_output(0, list.element());
  return node.set_output(0, list.element(), sizes_of_one(node, list));
}

Result<void> infer_length(Inference& node) { return node.set_output(0, DataType::i64, Dims{}); }

Result<void> infer_concat(Inference& node) {
  const auto list = node.input(0);
  if (!list.has_rank()) return node.set_output(0, list.element());
  Dims dims = sizes_of_one(node, list);
  const bool new_axis = node.integer("new_axis") != 0;
  HEED_ASSIGN(const int32_t axis, node.axis("axis", list.rank() + (new_axis ? 1 : 0)));
  const Dim joined = node.fresh_symbol("joined");
  if (new_axis)
    dims.insert(dims.begin() + axis, joined);
  else
    dims[axis] = joined;
  return node.set_output(0, list.element(), dims);
}

Result<void> infer_split(Inference& node) {
  const auto input = node.input(0), split = node.input(1);
  if (!input.has_rank()) return set_sequence(node, input.c.element, -1, {});
  HEED_ASSIGN(const int32_t axis, node.axis("axis", input.rank()));
  if (node.has_input(1) && split.has_rank() && split.rank() > 1)
    return Error{Code::shape_mismatch, "split has rank " + std::to_string(split.rank()) + "; expected 0 or 1"};
  Dims dims(input.dims().begin(), input.dims().end());
  if (!node.has_input(1)) {  // in pieces of one
    dims[static_cast<size_t>(axis)] = 1;
    if (node.integer("keepdims") == 0) dims.erase(dims.begin() + axis);
    return set_sequence(node, input.c.element, static_cast<int32_t>(dims.size()), dims);
  }
  return set_sequence(node, input.c.element, -1, {});  // the last piece may be smaller
}

}  // namespace

extern const Operator sequence_construct{.op_type = "SequenceConstruct",
                                         .versions = {11},
                                         .inputs = {{"inputs", "T", HEED_VARIADIC}},
                                         .outputs = {{"output_sequence", "S"}},
                                         .types = {{"T", any_type}, {"S", any_type, sequence}},
                                         .infer = infer_construct};

extern const Operator sequence_empty{.op_type = "SequenceEmpty",
                                     .versions = {11},
                                     .outputs = {{"output", "S"}},
                                     .types = {{"S", any_type, sequence}},
                                     .attributes = {attribute("dtype", 1)},
                                     .infer = infer_empty};

extern const Operator sequence_insert{
    .op_type = "SequenceInsert",
    .versions = {11},
    .inputs = {{"input_sequence", "S"}, {"tensor", "T"}, {"position", "I", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"output_sequence", "S"}},
    .types = {{"S", any_type, sequence}, {"T", any_type}, {"I", position}},
    .infer = infer_insert};

extern const Operator sequence_erase{.op_type = "SequenceErase",
                                     .versions = {11},
                                     .inputs = {{"input_sequence", "S"}, {"position", "I", HEED_OPTIONAL_PARAMETER}},
                                     .outputs = {{"output_sequence", "S"}},
                                     .types = {{"S", any_type, sequence}, {"I", position}},
                                     .infer = infer_erase};

extern const Operator sequence_at{.op_type = "SequenceAt",
                                  .versions = {11},
                                  .inputs = {{"input_sequence", "S"}, {"position", "I"}},
                                  .outputs = {{"tensor", "T"}},
                                  .types = {{"S", any_type, sequence}, {"T", any_type}, {"I", position}},
                                  .infer = infer_at};

extern const Operator sequence_length{.op_type = "SequenceLength",
                                      .versions = {11},
                                      .inputs = {{"input_sequence", "S"}},
                                      .outputs = {{"length", "I"}},
                                      .types = {{"S", any_type, sequence}, {"I", {DataType::i64}}},
                                      .infer = infer_length};

extern const Operator concat_from_sequence{
    .op_type = "ConcatFromSequence",
    .versions = {11},
    .inputs = {{"input_sequence", "S"}},
    .outputs = {{"concat_result", "T"}},
    .types = {{"S", any_type, sequence}, {"T", any_type}},
    .attributes = {required("axis", HEED_ATTRIBUTE_INT), attribute("new_axis", 0)},
    .infer = infer_concat};

extern const Operator split_to_sequence{.op_type = "SplitToSequence",
                                        .versions = {24, 11},
                                        .inputs = {{"input", "T"}, {"split", "I", HEED_OPTIONAL_PARAMETER}},
                                        .outputs = {{"output_sequence", "S"}},
                                        .types = {{"T", any_type}, {"I", position}, {"S", any_type, sequence}},
                                        .attributes = {attribute("axis", 0), attribute("keepdims", 1)},
                                        .infer = infer_split};

}  // namespace heed::ops
