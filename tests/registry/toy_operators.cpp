// Toy operators, written as a stranger would write them. They speak as ONNX's of the same name do, where the tests need
// it.
#include "toy_operators.hpp"

#include <cstring>
#include <string>

#include "heed/plugin.hpp"

namespace heed::test {
namespace {

constexpr Types numbers = any_number;

Result<void> broadcast_inputs(Inference& node) {
  const auto a = node.input(0), b = node.input(1);
  if (!a.has_rank() || !b.has_rank()) return node.set_output(0, a.element());
  HEED_TRY(node.set_output(0, a.element(), broadcast(a.dims(), b.dims())));
  const auto x = node.elements(0), y = node.elements(1);
  if (!x || !y || x->size() != y->size()) return {};
  Dims sums;
  for (size_t i = 0; i < x->size(); ++i) sums.push_back((*x)[i] + (*y)[i]);
  node.set_elements(0, sums);
  return {};
}

template <class T>
void add_elements(const Running& node) {
  const auto out = node.output(0);
  const auto at = [](const TensorView& tensor, const TensorView& out, int64_t flat) {
    int64_t offset = 0;
    for (int32_t axis = out.rank() - 1, own = tensor.rank() - 1; axis >= 0; --axis, --own) {
      const int64_t index = flat % out.dim(axis);
      flat /= out.dim(axis);
      if (own >= 0 && tensor.c.dims[own] != 1) offset += index * tensor.c.strides[own];
    }
    return tensor.data<T>()[offset];
  };
  node.parallel_for(out.count(), 1024, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) out.data<T>()[i] = at(node.input(0), out, i) + at(node.input(1), out, i);
  });
}

Result<void> run_add(Running& node) {
  if (node.output(0).element() == DataType::i64) add_elements<int64_t>(node);
  if (node.output(0).element() == DataType::f32) add_elements<float>(node);
  return {};
}

const Operator add{.op_type = "Add",
                   .versions = {14, 7},
                   .flags = HEED_COMMUTATIVE,
                   .inputs = {{"A", "T"}, {"B", "T"}},
                   .outputs = {{"C", "T"}},
                   .types = {{"T", numbers}},
                   .infer = broadcast_inputs};
const CpuKernel add_cpu{.op_type = "Add", .run = run_add};

// Typed by its expression alone.
const Operator mul{.op_type = "Mul",
                   .versions = {7},
                   .inputs = {{"A", "T"}, {"B", "T"}},
                   .outputs = {{"C", "T"}},
                   .types = {{"T", numbers}},
                   .expression = "A * B"};

const Operator sigmoid{.op_type = "Sigmoid",
                       .inputs = {{"X", "T"}},
                       .outputs = {{"Y", "T"}},
                       .types = {{"T", any_float}},
                       .expression = "1 / (1 + exp(-X))"};

// A body and no kernel.
const Operator swish{.op_type = "Swish",
                     .versions = {24},
                     .inputs = {{"X", "T"}},
                     .outputs = {{"Y", "T"}},
                     .types = {{"T", any_float}},
                     .attributes = {attribute("alpha", 1.0f)},
                     .body = "Y = Mul(X, Sigmoid(Scale<factor=@alpha>(X)))"};

// A body and a kernel, and nothing else that tells its type.
Result<void> run_scale(Running& node) {
  const auto in = node.input(0), out = node.output(0);
  for (int64_t i = 0; i < out.count(); ++i) out.data<float>()[i] = in.data<float>()[i] * node.number("factor");
  return {};
}
const Operator scale{.op_type = "Scale",
                     .inputs = {{"X", "T"}},
                     .outputs = {{"Y", "T"}},
                     .types = {{"T", any_float}},
                     .attributes = {required("factor", HEED_ATTRIBUTE_FLOAT)},
                     .body = "Y = Mul(X, X)"};
const CpuKernel scale_cpu{.op_type = "Scale", .run = run_scale};

Result<void> infer_same(Inference& node) { return node.set_output(0, node.input(0)); }

const Operator identity{.op_type = "Identity",
                        .flags = HEED_VIEW_DENSE,
                        .inputs = {{"input", "V"}},
                        .outputs = {{"output", "V"}},
                        .types = {{"V", any_type, 1u << HEED_TENSOR | 1u << HEED_SEQUENCE | 1u << HEED_OPTIONAL}},
                        .infer = infer_same};

Result<void> infer_reshape(Inference& node) {
  const auto shape = node.elements(1);
  if (shape) {
    Dims dims(shape->begin(), shape->end());
    Dim total = 1, others = 1;
    for (const Dim dim : node.input(0).dims()) total *= dim;
    for (size_t i = 0; i < dims.size(); ++i) {
      if (dims[i].is_number(0)) dims[i] = node.input(0).dim(static_cast<int32_t>(i));
      if (!dims[i].is_number(-1)) others *= dims[i];
    }
    for (Dim& dim : dims) {
      if (dim.is_number(-1)) dim = floor_divide(total, others);
    }
    Dim made = 1;
    for (const Dim dim : dims) made *= dim;
    HEED_TRY(node.require_equal(total, made, "elements before and after"));
    return node.set_output(0, node.input(0).element(), dims);
  }
  if (!node.input(1).has_rank() || !node.input(1).dim(0).is_number())
    return node.set_output(0, node.input(0).element());
  Dims dims;
  for (int64_t i = 0; i < node.input(1).dim(0).number(); ++i) dims.push_back(node.fresh_symbol("reshaped"));
  return node.set_output(0, node.input(0).element(), dims);
}
const Operator reshape{.op_type = "Reshape",
                       .versions = {5},
                       .flags = HEED_VIEW_DENSE,
                       .inputs = {{"data", "T"}, {"shape", "i64", HEED_SHAPE_DATA}},
                       .outputs = {{"reshaped", "T"}},
                       .types = {{"T"}},
                       .infer = infer_reshape};

Result<void> infer_transpose(Inference& node) {
  Dims dims(node.input(0).dims().begin(), node.input(0).dims().end());
  std::reverse(dims.begin(), dims.end());
  return node.set_output(0, node.input(0).element(), dims);
}
Result<void> view_transpose(Viewing& node) {
  Dims strides(node.source_strides().begin(), node.source_strides().end());
  std::reverse(strides.begin(), strides.end());
  node.set(0, strides);
  return {};
}
const Operator transpose{.op_type = "Transpose",
                         .flags = HEED_VIEW_STRIDED,
                         .inputs = {{"data", "T"}},
                         .outputs = {{"transposed", "T"}},
                         .types = {{"T"}},
                         .infer = infer_transpose,
                         .view = view_transpose};

Result<void> infer_shape(Inference& node) {
  if (!node.input(0).has_rank()) return node.set_output(0, DataType::i64);
  const Dim dims[] = {Dim(node.input(0).rank())};
  HEED_TRY(node.set_output(0, DataType::i64, dims));
  node.set_elements(0, node.input(0).dims());
  return {};
}
const Operator shape{.op_type = "Shape",
                     .inputs = {{"data", "T"}},
                     .outputs = {{"shape", "i64"}},
                     .types = {{"T"}},
                     .infer = infer_shape};

Result<void> infer_concat(Inference& node) {
  HEED_ASSIGN(const int32_t axis, node.axis("axis", node.input(0).rank()));
  Dims dims(node.input(0).dims().begin(), node.input(0).dims().end());
  bool known = node.elements(0).has_value();
  for (int32_t i = 1; i < node.input_count(); ++i) {
    HEED_TRY(node.require_rank(i, static_cast<int32_t>(dims.size())));
    if (!node.input(i).has_rank()) return node.set_output(0, node.input(0).element());
    for (int32_t other = 0; other < static_cast<int32_t>(dims.size()); ++other) {
      if (other == axis) continue;
      HEED_TRY(node.require_equal(dims[static_cast<size_t>(other)], node.input(i).dim(other),
                                  "axis " + std::to_string(other)));
    }
    dims[static_cast<size_t>(axis)] += node.input(i).dim(axis);
    known = known && node.elements(i);
  }
  HEED_TRY(node.set_output(0, node.input(0).element(), dims));
  if (!known || dims.size() != 1) return {};
  Dims elements;
  for (int32_t i = 0; i < node.input_count(); ++i)
    elements.insert(elements.end(), node.elements(i)->begin(), node.elements(i)->end());
  node.set_elements(0, elements);
  return {};
}
const Operator concat{.op_type = "Concat",
                      .versions = {4},
                      .flags = HEED_COPIES,
                      .inputs = {{"inputs", "T", HEED_VARIADIC}},
                      .outputs = {{"concat_result", "T"}},
                      .types = {{"T"}},
                      .attributes = {required("axis", HEED_ATTRIBUTE_INT)},
                      .infer = infer_concat};

Result<void> infer_non_zero(Inference& node) {
  Dim count = 1;
  for (const Dim dim : node.input(0).dims()) count *= dim;
  const Dim dims[] = {Dim(node.input(0).rank()), node.fresh_symbol("nonzero", count)};
  return node.set_output(0, DataType::i64, dims);
}
Result<void> run_non_zero(Running& node) {
  const auto in = node.input(0);
  std::vector<int64_t> found;
  for (int64_t i = 0; i < in.count(); ++i) {
    if (in.data<float>()[i] != 0) found.push_back(i);
  }
  const int64_t dims[] = {1, static_cast<int64_t>(found.size())};
  HEED_ASSIGN(const auto out, node.allocate(0, dims));
  std::copy(found.begin(), found.end(), out.data<int64_t>());
  return {};
}
const Operator non_zero{.op_type = "NonZero",
                        .inputs = {{"X", "T"}},
                        .outputs = {{"Y", "i64"}},
                        .types = {{"T", numbers}},
                        .infer = infer_non_zero};
const CpuKernel non_zero_cpu{.op_type = "NonZero", .run = run_non_zero};

Result<void> infer_expand(Inference& node) {
  const auto to = node.elements(1);
  return to ? node.set_output(0, node.input(0).element(), broadcast(node.input(0).dims(), *to))
            : node.set_output(0, node.input(0).element());
}
Result<void> run_expand(Running& node) {  // of a scalar
  const auto out = node.output(0);
  for (int64_t i = 0; i < out.count(); ++i) out.data<float>()[i] = *node.input(0).data<float>();
  return {};
}
const Operator expand{.op_type = "Expand",
                      .versions = {8},
                      .inputs = {{"input", "T"}, {"shape", "i64", HEED_SHAPE_DATA}},
                      .outputs = {{"output", "T"}},
                      .types = {{"T"}},
                      .infer = infer_expand};
const CpuKernel expand_cpu{.op_type = "Expand", .run = run_expand};

// Random, with an optional second output.
Result<void> infer_noise(Inference& node) {
  HEED_TRY(node.set_output(0, node.input(0)));
  return node.set_output(1, DataType::boolean, node.input(0).dims());
}
const Operator noise{.op_type = "Noise",
                     .flags = HEED_RANDOM,
                     .inputs = {{"X", "T"}},
                     .outputs = {{"Y", "T"}, {"mask", "bool", HEED_OPTIONAL_PARAMETER}},
                     .types = {{"T", any_float}},
                     .infer = infer_noise};
Result<void> run_noise(Running& node) {
  std::memcpy(node.output(0).c.data, node.input(0).c.data, static_cast<size_t>(node.input(0).count()) * 4);
  return {};
}
const CpuKernel noise_cpu{.op_type = "Noise", .run = run_noise};

// Text and sequences.
Result<void> run_upper(Running& node) {
  const auto in = node.input(0).as<heed_text>(), out = node.output(0).as<heed_text>();
  for (size_t i = 0; i < in.size(); ++i) {
    std::string text(from_c(in[i]));
    for (char& c : text) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
    out[i] = node.store_text(0, text);
  }
  return {};
}
const Operator upper{
    .op_type = "Upper", .inputs = {{"X", "string"}}, .outputs = {{"Y", "string"}}, .infer = infer_same};
const CpuKernel upper_cpu{.op_type = "Upper", .run = run_upper};

Result<void> run_sequence_insert(Running& node) {
  auto sequence = node.sequence_copy(0);
  if (!sequence) return Error{Code::invalid_argument, ""};
  HEED_TRY(sequence.insert(sequence.size(), node.input_value(1)));
  return node.set_output(0, std::move(sequence));
}
const Operator sequence_insert{.op_type = "SequenceInsert",
                               .inputs = {{"input_sequence", "S"}, {"tensor", "T"}},
                               .outputs = {{"output_sequence", "S"}},
                               .types = {{"S", any_type, 1u << HEED_SEQUENCE}, {"T"}},
                               .infer = infer_same};
const CpuKernel sequence_insert_cpu{.op_type = "SequenceInsert", .run = run_sequence_insert};

// A body with one input, called with the first input; and a size that grows in it.
Result<void> infer_repeat(Inference& node) {
  const int32_t body = node.subgraph("body");
  Dims dims(node.input(0).dims().begin(), node.input(0).dims().end());
  const TypeView as_it_is[] = {node.input(0)};
  HEED_TRY(node.infer_subgraph(body, as_it_is));
  const auto result = node.subgraph_output(body, 0);
  bool changes = false;
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    if (result.dim(static_cast<int32_t>(axis)) == dims[axis]) continue;
    dims[axis] = node.fresh_symbol("repeated");
    changes = true;
  }
  if (changes) {
    const heed_type grown{HEED_TENSOR, node.input(0).c.element, static_cast<int32_t>(dims.size()), 0,
                          reinterpret_cast<const heed_dim*>(dims.data())};
    const TypeView again[] = {TypeView{grown}};
    HEED_TRY(node.infer_subgraph(body, again));
  }
  return node.set_output(0, node.input(0).element(), dims);
}
const Operator repeat{.op_type = "Repeat",
                      .flags = HEED_CONTROL,
                      .inputs = {{"initial", "T"}},
                      .outputs = {{"final", "T"}},
                      .types = {{"T"}},
                      .attributes = {required("body", HEED_ATTRIBUTE_GRAPH)},
                      .infer = infer_repeat};

// One of two bodies.
Result<void> infer_choose(Inference& node) {
  const int32_t bodies[] = {node.subgraph("else_branch"), node.subgraph("then_branch")};
  for (const int32_t body : bodies) HEED_TRY(node.infer_subgraph(body, {}));
  const auto condition = node.elements(0);
  if (!condition || !(*condition)[0].is_number()) return node.set_output(0, DataType::f32);
  const int32_t taken = bodies[(*condition)[0].number() != 0];
  HEED_TRY(node.becomes(taken));
  return node.set_output(0, node.subgraph_output(taken, 0));
}
const Operator choose{
    .op_type = "Choose",
    .flags = HEED_CONTROL,
    .inputs = {{"cond", "i64"}},
    .outputs = {{"chosen", "f32"}},
    .attributes = {required("then_branch", HEED_ATTRIBUTE_GRAPH), required("else_branch", HEED_ATTRIBUTE_GRAPH)},
    .infer = infer_choose};

// Fails at every run.
const Operator broken{
    .op_type = "Broken", .inputs = {{"X", "T"}}, .outputs = {{"Y", "T"}}, .types = {{"T"}}, .infer = infer_same};
const CpuKernel broken_cpu{.op_type = "Broken", .run = [](Running&) -> Result<void> {
                             return Error{Code::invalid_argument, "as it always does"};
                           }};

const detail::Tables& tables() {
  static const detail::Tables tables{
      PluginContent{.name = "toy",
                    .version = "1.0",
                    .operators = {&add, &mul, &sigmoid, &swish, &scale, &identity, &reshape, &transpose, &shape,
                                  &concat, &non_zero, &expand, &noise, &upper, &sequence_insert, &repeat, &choose,
                                  &broken},
                    .cpu_kernels = {&add_cpu, &scale_cpu, &non_zero_cpu, &expand_cpu, &noise_cpu, &upper_cpu,
                                    &sequence_insert_cpu, &broken_cpu}}};
  return tables;
}

}  // namespace

const heed_plugin* toy_plugin(const heed_host* host) { return enter(host, tables()); }

}  // namespace heed::test
