// RotaryEmbedding, ONNX's and heed's: turns pairs of channels by the angle of their position: y1 = cos x1 - sin x2, y2 = sin x1 + cos x2.
#include <numeric>

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
  if ((are_first ? places.dim(0) != 1 && places.dim(0) != batch : places.dim(0) != batch || places.dim(1) != sequence) ||
      !std::equal(cos.dims().begin(), cos.dims().end(), sin.dims().begin()))
    return Error{Code::shape_mismatch, "positions and caches do not fit a batch of " + std::to_string(batch) +
                                           " and a sequence of " + std::to_string(sequence)};
  return {};
}

Result<void> run(Running& run) {
  const auto x = run.input(0), cos = run.input(1), sin = run.input(2), positions = run.input(3);
  HEED_TRY(check_shapes(run));
  HEED_ASSIGN(const auto y, output_like(run));
  const bool has_heads = x.rank() == 4;  // [batch, head, sequence, channel], else [batch, sequence, hidden]
  const int64_t batch_count = x.dim(0), sequence = has_heads ? x.dim(2) : x.dim(1);
  const int64_t half = cos.dim(-1), turned = 2 * half;
  const int64_t told_heads = run.integer("num_heads") > 0 ? run.integer("num_heads") : x.dim(2) / std::max<int64_t>(turned, 1);
  const int64_t heads = has_heads ? x.dim(1) : told_heads, channels = has_heads ? x.dim(3) : x.dim(2) / heads;
  if (turned > channels)
    return Error{Code::shape_mismatch,
                 std::to_string(turned) + " channels are to be turned, a head has " + std::to_string(channels)};
  const bool interleaved = run.integer("interleaved") != 0;
  const int64_t first_step = interleaved ? 2 : 1, second = interleaved ? 1 : half;
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
                                                 " is outside of the " + std::to_string(cos.dim(0)) + " rows of cos_cache"};
      rows[static_cast<size_t>(at)] = row;
    }
  } else {
    std::iota(rows.begin(), rows.end(), int64_t{0});
  }

  dispatch_float(x.element(), [&]<class T>(T) {
    run.parallel_for(batch_count * sequence, std::max<int64_t>(1, 4096 / (heads * channels + 1)),
                     [&](int64_t begin, int64_t end) {
                       RowReader<T> reader(x), cos_reader(cos), sin_reader(sin);
                       RowWriter<T> writer(y);
                       for (int64_t at = begin; at < end; ++at) {
                         const int64_t batch = at / sequence, place = at % sequence;
                         const int64_t angle = rows[static_cast<size_t>(at)];
                         const T *c = cos_reader.row(angle * half, half), *s = sin_reader.row(angle * half, half);
                         for (int64_t head = 0; head < heads; ++head) {
                           const int64_t first =
                               (has_heads ? (batch * heads + head) * sequence + place : at * heads + head) * channels;
                           const T* from = reader.row(first, channels);
                           T* to = writer.row(first, channels);
                           for (int64_t i = 0; i < half; ++i) {
                             const T a = from[i * first_step], b = from[i * first_step + second];
                             to[i * first_step] = c[i] * a - s[i] * b;
                             to[i * first_step + second] = s[i] * a + c[i] * b;
                           }
                           for (int64_t i = turned; i < channels; ++i) to[i] = from[i];
                           writer.finish();
                         }
                       }
                     });
  });
  return {};
}

Result<void> plan(Planning& node) {
  node.in_place(0, 0);
  return {};
}

}  // namespace

extern const CpuKernel rotary_embedding{.op_type = "RotaryEmbedding", .plan = plan, .run = run};
extern const CpuKernel heed_rotary_embedding{.domain = "heed", .op_type = "RotaryEmbedding", .plan = plan, .run = run};

}  // namespace heed::cpu
