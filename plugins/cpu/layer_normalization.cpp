// LayerNormalization: y = (x - mean) / sqrt(mean((x - mean)^2) + epsilon) * scale + bias over the axes from `axis` on.
// Narrow floats are computed in f32.
#include <cmath>

#include "normalization.hpp"

namespace heed::cpu {
namespace {

Result<void> run(Running& run) {
  const auto x = run.input(0), scale = run.input(1), bias = run.input(2);
  HEED_ASSIGN(const auto y, output_like(run));
  HEED_ASSIGN(const int32_t axis, run.axis("axis", x.rank(), -1));
  std::vector<int64_t> row_dims(x.dims().begin(), x.dims().end());
  std::fill(row_dims.begin() + axis, row_dims.end(), 1);
  TensorView mean_out{}, inverse_out{};
  if (run.output_count() > 1 && run.has_output(1)) {
    HEED_ASSIGN(mean_out, run.allocate(1, row_dims));
  }
  if (run.output_count() > 2 && run.has_output(2)) {
    HEED_ASSIGN(inverse_out, run.allocate(2, row_dims));
  }
  HEED_TRY(check_broadcasts_to(scale, x.dims()));
  if (bias.present()) HEED_TRY(check_broadcasts_to(bias, x.dims()));
  const int64_t rows = x.count(0, axis), length = x.count(axis, x.rank());
  if (rows == 0 || length == 0) return {};
  const float epsilon = run.number("epsilon", 1e-5f);
  dispatch_float(x.element(), [&]<class T>(T) {
    run.parallel_for(rows, std::max<int64_t>(1, 8192 / length), [&](int64_t begin, int64_t end) {
      RowReader<T> reader(x);
      RowWriter<T> writer(y);
      Parameter<T> scales(scale, x, axis), biases(bias, x, axis);
      for (int64_t row = begin; row < end; ++row) {
        const T* from = reader.row(row * length, length);
        const T mean = sum<T>(length, [&](int64_t i) { return from[i]; }) / static_cast<T>(length);
        const T variance =
            sum<T>(length, [&](int64_t i) { return (from[i] - mean) * (from[i] - mean); }) / static_cast<T>(length);
        const T inverse = 1 / std::sqrt(variance + static_cast<T>(epsilon));
        const T* s = scales.row(row, length);
        T* to = writer.row(row * length, length);
        if (bias.present()) {
          const T* b = biases.row(row, length);
          for (int64_t i = 0; i < length; ++i) to[i] = (from[i] - mean) * inverse * s[i] + b[i];
        } else {
          for (int64_t i = 0; i < length; ++i) to[i] = (from[i] - mean) * inverse * s[i];
        }
        writer.finish();
        if (mean_out.present()) write_elements(mean_out.element(), &mean, 1, mean_out.c.data, row);
        if (inverse_out.present()) write_elements(inverse_out.element(), &inverse, 1, inverse_out.c.data, row);
      }
    });
  });
  return {};
}

Result<void> plan(Planning& node) {
  if (node.input(0).c.element == node.output(0).c.element) node.in_place(0, 0);
  return {};
}

}  // namespace

extern const CpuKernel layer_normalization{.op_type = "LayerNormalization", .plan = plan, .run = run};

}  // namespace heed::cpu
