// RotaryEmbedding, ONNX's and heed's: turns pairs of channels by the angle of their position: y1 = cos x1 - sin x2,
// y2 = sin x1 + cos x2.
#include "rotary.hpp"
#include "walk.hpp"

namespace heed::cpu {
namespace {

template <int64_t step, class T>
void turn_row(const T* x1, const T* x2, const T* cos, const T* sin, T* y1, T* y2, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const T a = x1[i * step], b = x2[i * step];
    y1[i * step] = cos[i] * a - sin[i] * b;
    y2[i * step] = sin[i] * a + cos[i] * b;
  }
}

Result<void> run(Running& run) {
  const auto x = run.input(0), cos = run.input(1);
  if (x.rank() != 3 && x.rank() != 4) return check_rank(run, 0, 4);
  const bool has_heads = x.rank() == 4;  // [batch, head, sequence, channel], else [batch, sequence, hidden]
  HEED_ASSIGN(const Rotary rotary, rotary_of(run, 1, x.dim(0), x.dim(has_heads ? 2 : 1)));
  HEED_ASSIGN(const auto y, output_like(run));
  const int64_t told_heads =
      run.integer("num_heads") > 0 ? run.integer("num_heads") : x.dim(2) / std::max<int64_t>(2 * cos.dim(-1), 1);
  if (!has_heads && (told_heads < 1 || x.dim(2) % told_heads != 0))
    return Error{Code::shape_mismatch, "a hidden size of " + std::to_string(x.dim(2)) + " is no number of heads of " +
                                           std::to_string(2 * cos.dim(-1)) + " channels"};
  const int64_t heads = has_heads ? x.dim(1) : told_heads, channels = has_heads ? x.dim(3) : x.dim(2) / heads;
  const auto heads_of = [&](const TensorView& t) {
    if (has_heads) return Heads{t, t.stride(0), t.stride(1), t.stride(2), t.stride(3)};
    return Heads{t, t.stride(0), channels * t.stride(2), t.stride(1), t.stride(2)};
  };
  return turn(run, rotary, {x.dim(0), heads, channels}, heads_of(x), heads_of(y));
}

Result<void> plan(Planning& node) {
  for (const int32_t input : {0, 1, 2}) node.take_strided(input);
  node.in_place(0, 0);
  return {};
}

}  // namespace

Result<Rotary> rotary_of(const Running& run, int32_t cos_input, int64_t batch, int64_t sequence) {
  const auto cos = run.input(cos_input), sin = run.input(cos_input + 1), positions = run.input(cos_input + 2);
  for (const int32_t cache : {cos_input, cos_input + 1}) HEED_TRY(check_rank(run, cache, positions.present() ? 2 : 3));
  // What inference checks too, where it knows all ranks.
  const auto& places = positions.present() ? positions : cos;
  const bool are_first = places.rank() == 1;
  if (positions.present() && !are_first) HEED_TRY(check_rank(run, cos_input + 2, 2));
  const bool is_for_all = places.dim(0) == 1 && (are_first || !positions.present());
  if ((!is_for_all && places.dim(0) != batch) || (!are_first && places.dim(1) != sequence) ||
      !std::equal(cos.dims().begin(), cos.dims().end(), sin.dims().begin()))
    return Error{Code::shape_mismatch, "positions and caches do not fit a batch of " + std::to_string(batch) +
                                           " and a sequence of " + std::to_string(sequence)};
  Rotary rotary{.cos = cos,
                .sin = sin,
                .interleaved = run.integer("interleaved") != 0,
                .has_batches = !positions.present(),
                .sequence = sequence,
                .angles = std::vector<int64_t>(static_cast<size_t>(batch * sequence))};
  const auto given = positions.present() ? positions.integers() : std::vector<int64_t>();
  for (int64_t at = 0; at < batch * sequence; ++at) {
    int64_t& row = rotary.angles[static_cast<size_t>(at)];
    row = at % sequence;
    if (!positions.present()) continue;
    const int64_t first = are_first ? (given.size() == 1 ? 0 : at / sequence) : at;
    const int64_t position = given[static_cast<size_t>(first)];
    row = position + (are_first ? row : 0);
    if (position < 0 || row < 0 || row >= cos.dim(0))
      return Error{Code::invalid_argument, "position " + std::to_string(position < 0 ? position : row) +
                                               " is outside of the " + std::to_string(cos.dim(0)) +
                                               " rows of cos_cache"};
  }
  return rotary;
}

Result<void> turn(const Running& run, const Rotary& rotary, const HeadCounts& counts, const Heads& from, const Heads& to,
                  std::span<const int64_t> begins, int64_t to_length) {
  const int64_t half = rotary.cos.dim(-1), sequence = rotary.sequence, channels = counts.channel;
  if (2 * half > channels)
    return Error{Code::shape_mismatch,
                 std::to_string(2 * half) + " channels are to be turned, a head has " + std::to_string(channels)};
  const auto angle_of = [&](const TensorView& table, int64_t batch, int64_t row) {
    if (!rotary.has_batches) return row * table.stride(0);
    return (table.dim(0) == 1 ? 0 : batch * table.stride(0)) + row * table.stride(1);
  };
  dispatch_float(from.tensor.element(), [&]<class T>(T) {
    run.parallel_for(
        counts.batch * sequence, std::max<int64_t>(1, 4096 / (counts.head * channels + 1)),
        [&](int64_t begin, int64_t end) {
          RowReader<T> reader(from.tensor), cos_reader(rotary.cos), sin_reader(rotary.sin);
          RowWriter<T> writer(to.tensor);
          for (int64_t at = begin; at < end; ++at) {
            const int64_t batch = at / sequence, place = at % sequence;
            const int64_t to_place = begins.empty() ? place : begins[static_cast<size_t>(batch)] + place;
            if (!begins.empty() && to_place >= to_length) continue;
            const int64_t angle = rotary.angles[static_cast<size_t>(at)];
            const T *c = cos_reader.row(angle_of(rotary.cos, batch, angle), half, rotary.cos.stride(-1)),
                    *s = sin_reader.row(angle_of(rotary.sin, batch, angle), half, rotary.sin.stride(-1));
            for (int64_t head = 0; head < counts.head; ++head) {
              const T* x = reader.row(batch * from.batch + head * from.head + place * from.sequence, channels,
                                      from.channel);
              T* y = writer.row(batch * to.batch + head * to.head + to_place * to.sequence, channels, to.channel);
              if (rotary.interleaved)
                turn_row<2>(x, x + 1, c, s, y, y + 1, half);
              else
                turn_row<1>(x, x + half, c, s, y, y + half, half);
              for (int64_t i = 2 * half; i < channels; ++i) y[i] = x[i];
              writer.finish();
            }
          }
        });
  });
  return {};
}

extern const CpuKernel rotary_embedding{.op_type = "RotaryEmbedding", .plan = plan, .run = run};
extern const CpuKernel heed_rotary_embedding{.domain = "heed", .op_type = "RotaryEmbedding", .plan = plan, .run = run};

}  // namespace heed::cpu
