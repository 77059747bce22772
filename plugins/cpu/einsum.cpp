// Einsum: y[output labels] = sum over all other labels of the product of the inputs. Each element of the output is a
// sum over the labels that it lacks; the last of these is the inner loop.
#include "heed/einsum.hpp"

#include "walk.hpp"

namespace heed::cpu {
namespace {

// The labels, those of the output first, and how each input crosses them.
struct Labels {
  std::vector<int64_t> dims;
  std::vector<Strides> strides;  // by input
  size_t output_rank = 0;
};

Result<Labels> labels_of(const Running& run) {
  std::vector<int32_t> ranks;
  for (int32_t k = 0; k < run.input_count(); ++k) ranks.push_back(run.input(k).rank());
  HEED_ASSIGN(const auto equation, parse_einsum(run.text("equation"), ranks));
  std::vector<int32_t> order = equation.output;
  for (const auto& labels : equation.inputs)
    for (const int32_t label : labels)
      if (std::find(order.begin(), order.end(), label) == order.end()) order.push_back(label);
  Labels labels;
  labels.dims.assign(order.size(), 1);
  labels.output_rank = equation.output.size();
  for (int32_t k = 0; k < run.input_count(); ++k) {
    const auto x = run.input(k);
    auto& strides = labels.strides.emplace_back(order.size(), 0);
    for (int32_t axis = 0; axis < x.rank(); ++axis) {
      const int32_t label = equation.inputs[static_cast<size_t>(k)][static_cast<size_t>(axis)];
      const auto at = static_cast<size_t>(std::find(order.begin(), order.end(), label) - order.begin());
      if (x.dim(axis) == 1) continue;
      if (labels.dims[at] != 1 && labels.dims[at] != x.dim(axis))
        return Error{Code::shape_mismatch, "axis " + std::to_string(axis) + " of input " + std::to_string(k) + " has " +
                                               std::to_string(x.dim(axis)) + " elements; its label has " +
                                               std::to_string(labels.dims[at])};
      labels.dims[at] = x.dim(axis);
      strides[at] += x.stride(axis);
    }
  }
  return labels;
}

// An input's elements as numbers of T.
template <class T>
struct Numbers {
  explicit Numbers(const TensorView& tensor) : reader(tensor), data(reader.row(0, tensor.count())) {}
  RowReader<T> reader;
  const T* data;
};

template <class T>
T product_sum(const std::vector<const T*>& in, const std::vector<int64_t>& steps, int64_t n) {
  T sum = 0;
  if (in.size() == 2) {
    for (int64_t i = 0; i < n; ++i) sum += in[0][i * steps[0]] * in[1][i * steps[1]];
    return sum;
  }
  for (int64_t i = 0; i < n; ++i) {
    T product = 1;
    for (size_t k = 0; k < in.size(); ++k) product *= in[k][i * steps[k]];
    sum += product;
  }
  return sum;
}

template <class T>
void run_of(const Running& run, const TensorView& out, const Labels& labels) {
  const size_t count = labels.strides.size(), rank = labels.dims.size(), kept = labels.output_rank;
  std::vector<Numbers<T>> inputs;
  for (size_t k = 0; k < count; ++k) inputs.emplace_back(run.input(static_cast<int32_t>(k)));
  const bool has_inner = kept < rank;
  const int64_t inner = has_inner ? labels.dims.back() : 1;
  int64_t outer = 1;
  for (size_t axis = kept; axis + 1 < rank; ++axis) outer *= labels.dims[axis];
  std::vector<int64_t> steps;
  for (const auto& strides : labels.strides) steps.push_back(has_inner ? strides.back() : 0);

  run.parallel_for(out.count(), std::max<int64_t>(1, 8192 / std::max<int64_t>(1, inner * outer)),
                   [&](int64_t begin, int64_t end) {
                     RowWriter<T> writer(out);
                     T* y = writer.row(begin, end - begin);
                     std::vector<const T*> first(count), at(count);
                     const auto move = [&](std::vector<const T*>& to, int64_t index, size_t from, size_t until) {
                       for (size_t axis = until; axis-- > from; index /= labels.dims[axis])
                         for (size_t k = 0; k < count; ++k)
                           to[k] += index % labels.dims[axis] * labels.strides[k][axis];
                     };
                     for (int64_t i = begin; i < end; ++i) {
                       for (size_t k = 0; k < count; ++k) first[k] = inputs[k].data;
                       move(first, i, 0, kept);
                       T sum = 0;
                       for (int64_t o = 0; o < outer; ++o) {
                         at = first;
                         move(at, o, kept, has_inner ? rank - 1 : rank);
                         sum += product_sum(at, steps, inner);
                       }
                       y[i - begin] = sum;
                     }
                     writer.finish();
                   });
}

Result<void> run(Running& run) {
  HEED_ASSIGN(const auto labels, labels_of(run));
  HEED_ASSIGN(const auto out, run.allocate(0, std::span(labels.dims).first(labels.output_rank)));
  // Integers wrap: they are computed as unsigned ones.
  if (is_float(out.element()))
    dispatch_float(out.element(), [&]<class T>(T) { run_of<T>(run, out, labels); });
  else
    run_of<uint64_t>(run, out, labels);
  return {};
}

}  // namespace

extern const CpuKernel einsum{.op_type = "Einsum", .run = run};

}  // namespace heed::cpu
