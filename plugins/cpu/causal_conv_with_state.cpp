// CausalConvWithState: y[t] = activation(sum over i of weight[i] * padded[t + i] + bias) for each channel, padded being
// the past (or zeros) and the input behind it; the state is the end of it.
#include <cmath>

#include "ranks.hpp"
#include "walk.hpp"

namespace heed::cpu {
namespace {

enum { x_input, weight_input, bias_input, past_input };

Result<void> run(Running& run) {
  const auto x = run.input(x_input), weight = run.input(weight_input), bias = run.input(bias_input),
             past = run.input(past_input), y = run.output(0), present = run.output(1);
  const int64_t channels = x.dim(1), length = x.dim(2), kernel = weight.dim(2);
  const bool has_activation = run.text("activation", "none") != "none";
  dispatch_float(x.element(), [&]<class T>(T) {
    run.parallel_for(
        x.dim(0) * channels, std::max<int64_t>(1, 8192 / (length * kernel + 1)), [&](int64_t begin, int64_t end) {
          RowReader<T> weights(weight);
          RowWriter<T> writer(y);
          std::vector<T> padded(static_cast<size_t>(length + kernel - 1));
          for (int64_t row = begin; row < end; ++row) {
            const int64_t channel = row % channels;
            if (past.present())
              read_elements(past.element(), past.c.data, row * (kernel - 1), 1, kernel - 1, padded.data());
            else
              std::fill_n(padded.data(), kernel - 1, T{0});
            read_elements(x.element(), x.c.data, row * length, 1, length, padded.data() + kernel - 1);
            const T* w = weights.row(channel * kernel, kernel);
            T* out = writer.row(row * length, length);
            std::fill_n(out, length, bias.present() ? read_element<T>(bias, channel) : T{0});
            for (int64_t i = 0; i < kernel; ++i)
              for (int64_t t = 0; t < length; ++t) out[t] += w[i] * padded[static_cast<size_t>(t + i)];
            if (has_activation)
              for (int64_t t = 0; t < length; ++t) out[t] /= 1 + std::exp(-out[t]);
            writer.finish();
            if (present.present())
              write_elements(present.element(), padded.data() + length, kernel - 1, present.c.data, row * (kernel - 1));
          }
        });
  });
  return {};
}

Result<void> plan(Planning& node) { return require_ranks(node); }

}  // namespace

extern const CpuKernel causal_conv_with_state{.op_type = "CausalConvWithState", .plan = plan, .run = run};
extern const CpuKernel com_microsoft_causal_conv_with_state{
    .domain = "com.microsoft", .op_type = "CausalConvWithState", .plan = plan, .run = run};

}  // namespace heed::cpu
