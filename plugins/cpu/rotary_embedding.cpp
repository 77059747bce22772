// RotaryEmbedding, ONNX's and heed's: turns pairs of channels by the angle of their position: y1 = cos x1 - sin x2,
// y2 = sin x1 + cos x2.
#include "walk.hpp"

namespace heed::cpu {
namespace {

// What inference checks too, where it knows all ranks.
Result<void> check_shapes(const Running& run) {
  const auto x = run.input(0), cos = run.input(1), sin = run.input(2), positions = run.input(3);
  if (x.rank() != 3 && x.rank() != 4) return check_rank(run, 0, 4);
  for (const int32_t cache : {1, 2}) HEED_TRY(check_rank(run, cache, positions.present() ? 2 : 3));
  const int64_t batch = x.dim(0), sequence = x.dim(x.rank() == 4 ? 2 : 1);
  const auto& places = positions.present() ? positions : cos;
  const bool are_first = places.rank() == 1;
  if (positions.present() && !are_first) HEED_TRY(check_rank(run, 3, 2));
  const bool is_for_all = places.dim(0) == 1 && (are_first || !positions.present());
  if ((!is_for_all && places.dim(0) != batch) || (!are_first && places.dim(1) != sequence) ||
      !std::equal(cos.dims().begin(), cos.dims().end(), sin.dims().begin()))
    return Error{Code::shape_mismatch, "positions and caches do not fit a batch of " + std::to_string(batch) +
                                           " and a sequence of " + std::to_string(sequence)};
  return {};
}

template <int64_t step, class T>
void turn(const T* x1, const T* x2, const T* cos, const T* sin, T* y1, T* y2, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const T a = x1[i * step], b = x2[i * step];
    y1[i * step] = cos[i] * a - sin[i] * b;
    y2[i * step] = sin[i] * a + cos[i] * b;
  }
}

Result<void> run(Running& run) {
  const auto x = run.input(0), cos = run.input(1), sin = run.input(2), positions = run.input(3);
  HEED_TRY(check_shapes(run));
  HEED_ASSIGN(const auto y, output_like(run));
  const bool has_heads = x.rank() == 4;  // [batch, head, sequence, channel], else [batch, sequence, hidden]
  const int64_t batch_count = x.dim(0), sequence = has_heads ? x.dim(2) : x.dim(1);
  const int64_t half = cos.dim(-1), turned = 2 * half;
  const int64_t told_heads =
      run.integer("num_heads") > 0 ? run.integer("num_heads") : x.dim(2) / std::max<int64_t>(turned, 1);
  const int64_t heads = has_heads ? x.dim(1) : told_heads, channels = has_heads ? x.dim(3) : x.dim(2) / heads;
  if (turned > channels)
    return Error{Code::shape_mismatch,
                 std::to_string(turned) + " channels are to be turned, a head has " + std::to_string(channels)};
  const bool interleaved = run.integer("interleaved") != 0;
  // The row of the caches for each batch and place of its sequence.
  std::vector<int64_t> rows(static_cast<size_t>(batch_count * sequence));
  if (positions.present()) {
    const auto given = positions.integers();
    const bool are_first = positions.rank() == 1;
    for (int64_t at = 0; at < batch_count * sequence; ++at) {
      const int64_t first = are_first ? (given.size() == 1 ? 0 : at / sequence) : at;
      const int64_t position = given[static_cast<size_t>(first)], row = position + (are_first ? at % sequence : 0);
      if (position < 0 || row < 0 || row >= cos.dim(0))
        return Error{Code::invalid_argument, "position " + std::to_string(position < 0 ? position : row) +
                                                 " is outside of the " + std::to_string(cos.dim(0)) +
                                                 " rows of cos_cache"};
      rows[static_cast<size_t>(at)] = row;
    }
  } else {
    for (int64_t at = 0; at < batch_count * sequence; ++at)
      rows[static_cast<size_t>(at)] = cos.dim(0) == 1 ? at % sequence : at;
  }
  const int64_t row_count = positions.present() ? cos.dim(0) : cos.dim(1);
  // Where the row of a cache begins: [row, pair], or [batch, row, pair].
  const auto row_of = [&](const TensorView& cache, int64_t row) {
    if (positions.present()) return row * cache.stride(0);
    return row / row_count * cache.stride(0) + row % row_count * cache.stride(1);
  };
  const int64_t x_step = x.stride(-1), x_head = has_heads ? x.stride(1) : channels * x_step,
                x_place = x.stride(has_heads ? 2 : 1);

  dispatch_float(x.element(), [&]<class T>(T) {
    run.parallel_for(
        batch_count * sequence, std::max<int64_t>(1, 4096 / (heads * channels + 1)), [&](int64_t begin, int64_t end) {
          RowReader<T> reader(x), cos_reader(cos), sin_reader(sin);
          RowWriter<T> writer(y);
          for (int64_t at = begin; at < end; ++at) {
            const int64_t batch = at / sequence, place = at % sequence;
            const int64_t angle = rows[static_cast<size_t>(at)];
            const T *c = cos_reader.row(row_of(cos, angle), half, cos.stride(-1)),
                    *s = sin_reader.row(row_of(sin, angle), half, sin.stride(-1));
            for (int64_t head = 0; head < heads; ++head) {
              const T* from = reader.row(batch * x.stride(0) + head * x_head + place * x_place, channels, x_step);
              T* to = writer.row((has_heads ? (batch * heads + head) * sequence + place : at * heads + head) * channels,
                                 channels);
              if (interleaved)
                turn<2>(from, from + 1, c, s, to, to + 1, half);
              else
                turn<1>(from, from + half, c, s, to, to + half, half);
              for (int64_t i = turned; i < channels; ++i) to[i] = from[i];
              writer.finish();
            }
          }
        });
  });
  return {};
}

Result<void> plan(Planning& node) {
  for (const int32_t input : {0, 1, 2}) node.take_strided(input);
  node.in_place(0, 0);
  return {};
}

}  // namespace

extern const CpuKernel rotary_embedding{.op_type = "RotaryEmbedding", .plan = plan, .run = run};
extern const CpuKernel heed_rotary_embedding{.domain = "heed", .op_type = "RotaryEmbedding", .plan = plan, .run = run};

}  // namespace heed::cpu
