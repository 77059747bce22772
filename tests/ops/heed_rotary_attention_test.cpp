// heed.RotaryAttention: attention of queries and new keys that it turns by their places, behind caches of either kind.
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"

namespace heed::test {
namespace {

enum { q_in, k_in, v_in, past_key_in = 4, past_value_in, past_lengths_in = 8, total_in, cos_in = 11, sin_in, positions_in };

struct Way {
  bool interleaved = false;
  int64_t turned = 0;     // channels; 0: all
  bool causal = true;
};

// [batch, head, sequence, channel]
struct Heads {
  std::vector<double> numbers;
  int64_t batch, head, sequence, channel;
  double& at(int64_t b, int64_t h, int64_t s, int64_t c) {
    return numbers[static_cast<size_t>(((b * head + h) * sequence + s) * channel + c)];
  }
};
Heads heads_of(const Tensor& t) { return {values_of(t), t.dims[0], t.dims[1], t.dims[2], t.dims[3]}; }

bool is_there(const Tensors& in, size_t input) { return in.size() > input && in[input].type != DataType::undefined; }

Heads turned(const Tensors& in, const Tensor& given, const Way& way) {
  Heads x = heads_of(given);
  const auto cos = values_of(in[cos_in]), sin = values_of(in[sin_in]);
  const int64_t pairs = in[cos_in].dims.back();
  const auto positions = is_there(in, positions_in) ? values_of(in[positions_in]) : std::vector<double>();
  for (int64_t b = 0; b < x.batch; ++b)
    for (int64_t s = 0; s < x.sequence; ++s) {
      int64_t row = in[cos_in].dims[0] == 1 ? s : b * x.sequence + s;
      if (!positions.empty()) {
        const bool are_first = in[positions_in].dims.size() == 1;
        row = static_cast<int64_t>(positions[static_cast<size_t>(are_first ? b : b * x.sequence + s)]) + (are_first ? s : 0);
      }
      for (int64_t h = 0; h < x.head; ++h)
        for (int64_t i = 0; i < pairs; ++i) {
          double &one = x.at(b, h, s, way.interleaved ? 2 * i : i), &two = x.at(b, h, s, way.interleaved ? 2 * i + 1 : i + pairs);
          const double c = cos[static_cast<size_t>(row * pairs + i)], d = sin[static_cast<size_t>(row * pairs + i)];
          const double first = c * one - d * two;
          two = d * one + c * two;
          one = first;
        }
    }
  x.numbers = values_of(numbers(given.type, given.dims, x.numbers));  // as they lie in the cache
  return x;
}

// The formula of ops/heed_attention.cpp in f64: scale 1 / sqrt(channel), no mask.
Tensors attended(const Tensors& in, const Way& way) {
  Heads q = turned(in, in[q_in], way), k = turned(in, in[k_in], way), v = heads_of(in[v_in]);
  const bool has_past = is_there(in, past_key_in), has_lengths = is_there(in, past_lengths_in);
  Heads past_k = has_past ? heads_of(in[past_key_in]) : Heads{{}, k.batch, k.head, 0, k.channel};
  Heads past_v = has_past ? heads_of(in[past_value_in]) : Heads{{}, k.batch, k.head, 0, v.channel};
  const auto lengths = has_lengths ? values_of(in[past_lengths_in]) : std::vector<double>();
  int64_t total = past_k.sequence + k.sequence;
  if (is_there(in, total_in)) total = std::max(past_k.sequence, static_cast<int64_t>(values_of(in[total_in])[0]));
  const auto behind = [&](Heads past, Heads fresh) {
    Heads all{{}, fresh.batch, fresh.head, total, fresh.channel};
    all.numbers.resize(static_cast<size_t>(all.batch * all.head * total * all.channel));
    for (int64_t b = 0; b < all.batch; ++b)
      for (int64_t h = 0; h < all.head; ++h)
        for (int64_t c = 0; c < all.channel; ++c) {
          for (int64_t s = 0; s < past.sequence; ++s) all.at(b, h, s, c) = past.at(b, h, s, c);
          const int64_t begin = has_lengths ? static_cast<int64_t>(lengths[static_cast<size_t>(b)]) : past.sequence;
          for (int64_t s = 0; s < fresh.sequence && begin + s < total; ++s) all.at(b, h, begin + s, c) = fresh.at(b, h, s, c);
        }
    return all;
  };
  Heads keys = behind(past_k, k), values = behind(past_v, v), y{{}, q.batch, q.head, q.sequence, v.channel};
  y.numbers.resize(static_cast<size_t>(q.batch * q.head * q.sequence * v.channel));
  for (int64_t b = 0; b < q.batch; ++b)
    for (int64_t h = 0; h < q.head; ++h)
      for (int64_t i = 0; i < q.sequence; ++i) {
        const int64_t g = h / (q.head / k.head), past = has_lengths ? static_cast<int64_t>(lengths[static_cast<size_t>(b)]) : past_k.sequence;
        const int64_t seen = way.causal ? past + i + 1 : past + k.sequence;
        std::vector<double> weights;
        double sum = 0;
        for (int64_t j = 0; j < seen; ++j) {
          double dot = 0;
          for (int64_t c = 0; c < q.channel; ++c) dot += q.at(b, h, i, c) * keys.at(b, g, j, c);
          sum += weights.emplace_back(std::exp(dot / std::sqrt(static_cast<double>(q.channel))));
        }
        for (int64_t j = 0; j < seen; ++j)
          for (int64_t c = 0; c < v.channel; ++c)
            y.at(b, h, i, c) += weights[static_cast<size_t>(j)] / sum * values.at(b, g, j, c);
      }
  const DataType type = in[q_in].type;
  Tensors out{numbers(type, {q.batch, q.head, q.sequence, v.channel}, y.numbers)};
  if (!has_past) return out;
  out.push_back(numbers(type, {k.batch, k.head, total, k.channel}, keys.numbers));
  out.push_back(numbers(type, {k.batch, k.head, total, v.channel}, values.numbers));
  return out;
}

struct Sizes {
  int64_t head = 4, kv_head = 2, seq = 1, past = 0, channel = 8, value_channel = 8, pairs = 4;
};

// Two batches; `more` are past_lengths and total_length.
Case row(std::string what, const Sizes& s, const Way& way, Tensor positions, Tensors more = {}, DataType type = DataType::f32,
         double tolerance = 3e-6) {
  const auto some = [&](std::vector<int64_t> dims, double low = -1) { return random(std::move(dims), low, 1, type); };
  Tensors in{some({2, s.head, s.seq, s.channel}), some({2, s.kv_head, s.seq, s.channel}, -0.9), some({2, s.kv_head, s.seq, s.value_channel}, -0.8),
             absent()};
  in.push_back(s.past ? some({2, s.kv_head, s.past, s.channel}, -0.7) : absent());
  in.push_back(s.past ? some({2, s.kv_head, s.past, s.value_channel}, -0.6) : absent());
  in.insert(in.end(), {absent(), absent(), more.empty() ? absent() : more[0], more.empty() ? absent() : more[1], absent()});
  const bool has_positions = positions.type != DataType::undefined;
  const auto table = has_positions ? std::vector<int64_t>{640, s.pairs} : std::vector<int64_t>{1, s.seq, s.pairs};
  in.insert(in.end(), {some(table), some(table, -0.9)});
  if (has_positions) in.push_back(std::move(positions));
  std::string attributes = way.causal ? "causal = 1, top_left = 1" : "top_left = 1";
  if (way.interleaved) attributes += ", interleaved = 1";
  if (way.turned) attributes += ", rotary_embedding_dim = " + std::to_string(way.turned);
  return by([way](const Tensors& tensors) { return attended(tensors, way); }, std::move(what), std::move(in), tolerance, attributes);
}

Tensor places(int64_t sequence, int64_t first, int64_t second) {
  std::vector<double> list;
  for (const int64_t begin : {first, second})
    for (int64_t i = 0; i < sequence; ++i) list.push_back(static_cast<double>(begin + i));
  return i64({2, sequence}, list);
}

const std::vector<Case> cases = {
    row("one token behind a cache, halves", {.past = 5}, {}, places(1, 5, 4)),
    row("one token behind a cache, pairs side by side", {.past = 5}, {.interleaved = true}, places(1, 5, 4)),
    row("a few tokens, no cache, values of another width", {.seq = 3, .value_channel = 5}, {}, places(3, 0, 7)),
    row("many tokens, no cache", {.seq = 37}, {.interleaved = true}, places(37, 0, 2)),
    row("many tokens behind a cache, every key seen", {.seq = 19, .past = 7}, {.causal = false}, places(19, 7, 3)),
    row("a part of the channels", {.seq = 2, .past = 3, .channel = 11, .pairs = 3}, {.turned = 6}, places(2, 3, 1)),
    row("pairs of a part of the channels, many tokens", {.seq = 33, .past = 3, .channel = 11, .pairs = 3},
        {.interleaved = true, .turned = 6}, places(33, 3, 1)),
    row("angles of each place, for all batches", {.seq = 5, .past = 2}, {}, absent()),
    row("a token of each of two sequences, whose pasts have room", {.past = 9}, {}, i32({2}, {3, 0}), {i32({2}, {3, 0}), i64({}, {9})}),
    row("rooms that grow, many tokens, positions of the first", {.seq = 21, .past = 9}, {.interleaved = true}, i64({2}, {4, 9}),
        {i64({2}, {4, 9}), i64({}, {30})}),
    row("a long past, which is split", {.past = 601, .channel = 16, .pairs = 8}, {}, places(1, 601, 600)),
    row("f16", {.past = 5}, {}, places(1, 5, 4), {}, DataType::f16, 2e-3),
    row("f16, many tokens", {.seq = 35, .past = 5, .channel = 16, .value_channel = 16, .pairs = 8}, {}, places(35, 5, 4), {},
        DataType::f16, 2e-3),
    row("bf16", {.past = 5}, {.interleaved = true}, places(1, 5, 4), {}, DataType::bf16, 2e-2),
};

}  // namespace

HEED_TEST_OPERATOR("heed.RotaryAttention", cases)

TEST_CASE("RotaryAttention tells a position outside of the tables, on both devices and in both ways") {
  for (const char* device : {"cpu", "vulkan"})
    for (const int64_t seq : {1, 20}) {
      INFO(device << ", " << seq);
      auto in = row("", {.seq = seq}, {}, places(seq, 0, 0)).inputs;
      in[positions_in] = places(seq, 0, 640);
      const auto failed = run_text(R"(<ir_version: 10, opset_import: ["" : 24]>
        g (float[2, 4, s, 8] q, float[2, 2, s, 8] k, float[2, 2, s, 8] v, float[640, 4] c, float[640, 4] d, int64[2, s] at)
          => (float[2, 4, s, 8] y) { y = heed.RotaryAttention(q, k, v, , , , , , , , , c, d, at) })",
                                   {in[q_in], in[k_in], in[v_in], in[cos_in], in[sin_in], in[positions_in]}, device);
      REQUIRE_FALSE(failed);
      CHECK_THAT(failed.error().message, Catch::Contains("cos_cache"));
    }
}

}  // namespace heed::test
