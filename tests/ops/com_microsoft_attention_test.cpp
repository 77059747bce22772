// com.microsoft's attention operators against their formulas in f64; onnxruntime's CPU provider gives the same numbers.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>

#include "cases.hpp"

namespace heed::test {
namespace {

using Values = std::vector<double>;
double& at(Values& values, int64_t index) { return values[static_cast<size_t>(index)]; }
double at(const Values& values, int64_t index) { return values[static_cast<size_t>(index)]; }

// [batch, head, place, channel] as f64.
struct Heads {
  int64_t batch = 0, head = 0, place = 0, width = 0;
  Values values = Values(static_cast<size_t>(batch * head * place * width));
  int64_t index(int64_t b, int64_t h, int64_t i, int64_t c) const { return ((b * head + h) * place + i) * width + c; }
  double& operator()(int64_t b, int64_t h, int64_t i, int64_t c) { return at(values, index(b, h, i, c)); }
  double operator()(int64_t b, int64_t h, int64_t i, int64_t c) const { return at(values, index(b, h, i, c)); }
};

// Heads of a hidden axis [batch, place, hidden], from channel `first` of it on.
Heads heads_of(const Tensor& x, int64_t head, int64_t width, int64_t first = 0) {
  const auto values = values_of(x);
  Heads heads{x.dims[0], head, x.dims[1], width};
  for (int64_t b = 0; b < heads.batch; ++b)
    for (int64_t h = 0; h < head; ++h)
      for (int64_t i = 0; i < heads.place; ++i)
        for (int64_t c = 0; c < width; ++c)
          heads(b, h, i, c) = at(values, (b * heads.place + i) * x.dims[2] + first + h * width + c);
  return heads;
}

// What a query sees of the keys, and with what added to its score: -inf hides.
using Added = std::function<double(int64_t batch, int64_t head, int64_t query, int64_t key)>;

struct Attended {
  Values y;       // [batch, query, head * width]
  Heads scores;   // with what is added
  Heads weights;  // [batch, head, query, key]
};

Attended attend(const Heads& q, const Heads& k, const Heads& v, double scale, double softcap, const Added& added,
                const Values& sinks = {}) {
  Attended out{Values(static_cast<size_t>(q.batch * q.place * q.head * v.width)),
               {q.batch, q.head, q.place, k.place},
               {q.batch, q.head, q.place, k.place}};
  if (scale == 0) scale = 1 / std::sqrt(static_cast<double>(q.width));
  for (int64_t b = 0; b < q.batch; ++b)
    for (int64_t h = 0; h < q.head; ++h)
      for (int64_t i = 0; i < q.place; ++i) {
        const int64_t g = h / (q.head / k.head);
        double greatest = sinks.empty() ? -infinity : at(sinks, h), sum = 0;
        for (int64_t j = 0; j < k.place; ++j) {
          double dot = 0;
          for (int64_t c = 0; c < q.width; ++c) dot += q(b, h, i, c) * k(b, g, j, c);
          dot *= scale;
          if (softcap > 0) dot = softcap * std::tanh(dot / softcap);
          out.scores(b, h, i, j) = dot + added(b, h, i, j);
          greatest = std::max(greatest, out.scores(b, h, i, j));
        }
        if (greatest == -infinity) greatest = 0;
        for (int64_t j = 0; j < k.place; ++j)
          sum += out.weights(b, h, i, j) = std::exp(out.scores(b, h, i, j) - greatest);
        if (!sinks.empty()) sum += std::exp(at(sinks, h) - greatest);
        for (int64_t j = 0; j < k.place; ++j) {
          double& weight = out.weights(b, h, i, j);
          weight = sum == 0 ? 0 : weight / sum;
          for (int64_t c = 0; c < v.width; ++c)
            at(out.y, ((b * q.place + i) * q.head + h) * v.width + c) += weight * v(b, g, j, c);
        }
      }
  return out;
}

// ---- GroupQueryAttention
// ----------------------------------------------------------------------------------------------

struct Grouped {
  int64_t batch = 2, sequence = 1, head = 4, kv_head = 2, width = 16;
  int64_t room = -1;                 // of the past; -1: there is none
  std::vector<double> lengths = {};  // of all keys of each batch; empty: a full past and all new ones
  bool packed = false;
  int64_t turned = 0;  // channels
  bool interleaved = false;
  std::vector<double> positions = {};
  int64_t window = -1;
  double softcap = 0, scale = 0;
  bool smooth = false, sink = false, norm = false, causal = true;
  std::vector<int64_t> bias = {};
  int64_t qk = 0;
  std::vector<double> query_lengths = {};
  bool presents = true;
  DataType type = DataType::f32;
  DataType codes = DataType::undefined;  // of a quantised cache: i8, f8e4m3fn, or u8 of two codes of 4 bits
  bool scale_per_channel = false;
  bool slides = false;  // the past's room is of a cache that evicts keys
};

// Of a quantised cache, what it holds of a number.
double coded(DataType codes, double x, double scale) {
  if (codes == DataType::undefined) return x;
  if (codes == DataType::f8e4m3fn) return at(values_of(numbers(codes, {1}, {x / scale})), 0) * scale;
  const double least = codes == DataType::u8 ? -8 : -128;
  return std::clamp(std::nearbyint(x / scale), least, -least - 1) * scale;
}

Case grouped(std::string what, Grouped s, double tolerance = 1e-5) {
  const int64_t past = std::max<int64_t>(s.room, 0);
  if (s.lengths.empty()) s.lengths.assign(static_cast<size_t>(s.batch), static_cast<double>(past + s.sequence));
  const auto total = static_cast<int64_t>(*std::max_element(s.lengths.begin(), s.lengths.end()));
  const int64_t places = s.room < 0 ? s.sequence : s.slides ? total : std::max(total, past);
  const bool is_coded = s.codes != DataType::undefined, is_halved = s.codes == DataType::u8;
  // How many of so many keys a cache that evicts holds.
  const auto resident = [=](int64_t keys) {
    const int64_t step = std::max<int64_t>(past - s.window + 1, 1);
    return s.slides ? keys - step * ((std::max<int64_t>(keys - past, 0) + step - 1) / step) : keys;
  };
  enum {
    q_in,
    k_in,
    v_in,
    past_k_in,
    past_v_in,
    lengths_in,
    total_in,
    cos_in,
    sin_in,
    positions_in,
    bias_in,
    sink_in,
    k_scale_in,
    v_scale_in,
    q_norm_in,
    k_norm_in,
    query_lengths_in
  };

  const auto reference = [=](const Tensors& in) {
    const auto in_past = [&](int64_t b) {  // P
      const double all = s.lengths[static_cast<size_t>(b)];
      return static_cast<int64_t>(all - (s.query_lengths.empty() ? std::min(all, static_cast<double>(s.sequence))
                                                                 : s.query_lengths[static_cast<size_t>(b)]));
    };
    const int64_t kv_first = s.head * s.width;
    Heads q = heads_of(in[q_in], s.head, s.width);
    Heads k = heads_of(in[s.packed ? q_in : k_in], s.kv_head, s.width, s.packed ? kv_first : 0);
    Heads v = heads_of(in[s.packed ? q_in : v_in], s.kv_head, s.width, s.packed ? kv_first + s.kv_head * s.width : 0);
    if (s.norm)
      for (const auto& [x, weight] : {std::pair(&q, q_norm_in), std::pair(&k, k_norm_in)})
        for (size_t row = 0; row < x->values.size(); row += static_cast<size_t>(s.width)) {
          double sum = 0;
          for (int64_t c = 0; c < s.width; ++c) sum += std::pow(x->values[row + static_cast<size_t>(c)], 2);
          const double by = 1 / std::sqrt(sum / static_cast<double>(s.width) + 1e-6);
          const auto weights = values_of(in[static_cast<size_t>(weight)]);
          for (int64_t c = 0; c < s.width; ++c) x->values[row + static_cast<size_t>(c)] *= by * at(weights, c);
        }
    if (s.turned) {
      const auto cos = values_of(in[cos_in]), sin = values_of(in[sin_in]);
      for (Heads* x : {&q, &k})
        for (int64_t b = 0; b < x->batch; ++b)
          for (int64_t h = 0; h < x->head; ++h)
            for (int64_t i = 0; i < x->place; ++i)
              for (int64_t c = 0; c < s.turned / 2; ++c) {
                const int64_t one = s.interleaved ? 2 * c : c, two = s.interleaved ? 2 * c + 1 : c + s.turned / 2;
                const int64_t position =
                    s.positions.empty() ? in_past(b) + i : static_cast<int64_t>(at(s.positions, b * s.sequence + i));
                const double cosine = at(cos, position * s.turned / 2 + c), sine = at(sin, position * s.turned / 2 + c);
                const double x1 = (*x)(b, h, i, one), x2 = (*x)(b, h, i, two);
                (*x)(b, h, i, one) = cosine * x1 - sine * x2;
                (*x)(b, h, i, two) = sine * x1 + cosine * x2;
              }
    }
    Heads keys{s.batch, s.kv_head, places, s.width}, values = keys;
    const auto scale_at = [&](int input, int64_t h, int64_t c) {
      if (!is_coded) return 1.0;
      return at(values_of(in[static_cast<size_t>(input)]), s.scale_per_channel ? h * s.width + c : 0);
    };
    for (const auto& [fresh, all, input, scale] :
         {std::tuple(&k, &keys, past_k_in, k_scale_in), std::tuple(&v, &values, past_v_in, v_scale_in)}) {
      auto old = s.room < 0 ? Values() : values_of(in[static_cast<size_t>(input)]);
      if (is_halved) {
        Values codes;
        for (const double both : old) codes.insert(codes.end(), {std::fmod(both, 16) - 8, std::floor(both / 16) - 8});
        old = codes;
      }
      for (size_t n = 0; is_coded && n < old.size(); ++n) {
        const auto place = static_cast<int64_t>(n);
        old[n] *= scale_at(scale, place / s.width / past % s.kv_head, place % s.width);
      }
      for (int64_t n = 0; n < static_cast<int64_t>(fresh->values.size()); ++n)
        at(fresh->values, n) =
            coded(s.codes, at(fresh->values, n), scale_at(scale, n / s.width / fresh->place % s.kv_head, n % s.width));
      for (int64_t b = 0; b < s.batch; ++b)
        for (int64_t h = 0; h < s.kv_head; ++h)
          for (int64_t j = 0; j < places; ++j)
            for (int64_t c = 0; c < s.width; ++c) {
              const int64_t first = in_past(b);
              if (j >= first && j < first + s.sequence)
                (*all)(b, h, j, c) = (*fresh)(b, h, j - first, c);
              else if (const int64_t row = j - (first - resident(first)); s.slides ? row >= 0 && j < first : j < past)
                (*all)(b, h, j, c) = at(old, ((b * s.kv_head + h) * past + row) * s.width + c);
            }
    }
    const auto bias = s.bias.empty() ? Values() : values_of(in[bias_in]);
    const auto added = [&](int64_t b, int64_t h, int64_t i, int64_t j) {
      const int64_t place = in_past(b) + i;
      if (static_cast<double>(j) >= s.lengths[static_cast<size_t>(b)] || (s.causal && j > place) ||
          (s.window > 0 && j <= place - s.window))
        return -infinity;
      if (bias.empty()) return 0.0;
      return at(bias,
                (((s.bias[0] == 1 ? 0 : b) * s.bias[1] + (s.bias[1] == 1 ? 0 : h)) * s.sequence + i) * s.bias[3] + j);
    };
    Values sinks = s.sink ? values_of(in[sink_in]) : Values(s.smooth ? static_cast<size_t>(s.head) : 0);
    const Attended found = attend(q, keys, values, s.scale, s.softcap, added, sinks);
    const auto cache = [&](const Heads& all, int scale) {
      if (!s.presents) return absent();
      Heads kept{s.batch, s.kv_head, s.slides ? past : places, s.width};
      for (int64_t b = 0; b < s.batch; ++b) {
        const auto keys_now = static_cast<int64_t>(s.lengths[static_cast<size_t>(b)]);
        for (int64_t h = 0; h < s.kv_head; ++h)
          for (int64_t j = 0; j < kept.place; ++j)
            for (int64_t c = 0; c < s.width; ++c) {
              // What is behind the last of the keys is what it pleases.
              const int64_t from = s.slides ? std::min(j + keys_now - resident(keys_now), keys_now - 1) : j;
              kept(b, h, j, c) = all(b, h, from, c) / scale_at(scale, h, c);
            }
      }
      if (!is_halved)
        return numbers(is_coded ? s.codes : s.type, {s.batch, s.kv_head, kept.place, s.width}, kept.values);
      Values both;
      for (size_t n = 0; n < kept.values.size(); n += 2)
        both.push_back(std::nearbyint(kept.values[n]) + 8 + 16 * (std::nearbyint(kept.values[n + 1]) + 8));
      return numbers(s.codes, {s.batch, s.kv_head, kept.place, s.width / 2}, both);
    };
    Tensors out{numbers(s.type, {s.batch, s.sequence, s.head * s.width}, found.y), cache(keys, k_scale_in),
                cache(values, v_scale_in)};
    if (s.qk) {
      Heads told{s.batch, s.head, s.sequence, s.room < 0 ? s.sequence : total};
      for (int64_t b = 0; b < s.batch; ++b)
        for (int64_t h = 0; h < s.head; ++h)
          for (int64_t i = 0; i < s.sequence; ++i)
            for (int64_t j = 0; j < told.width; ++j) {
              const double score = found.scores(b, h, i, j);
              told(b, h, i, j) = s.qk == 2 ? found.weights(b, h, i, j) : score == -infinity ? 0 : score;
            }
      out.push_back(numbers(s.type, {s.batch, s.head, s.sequence, told.width}, told.values));
    }
    if (!s.presents && !s.qk) out.resize(1);
    return out;
  };

  const auto some = [&](bool is_there, std::vector<int64_t> dims) {
    return is_there ? random(std::move(dims), -1, 1, s.type) : absent();
  };
  const std::vector<int64_t> cache{s.batch, s.kv_head, past, is_halved ? s.width / 2 : s.width};
  const auto some_past = [&](double high) {
    if (s.room < 0) return absent();
    if (!is_coded) return random(cache, -1, high, s.type);
    return is_halved ? random(cache, 0, 255, s.codes) : random(cache, -100, 100, s.codes);
  };
  const auto some_scale = [&](double least) {
    if (!is_coded) return absent();
    if (is_halved) least *= 16;
    return random(s.scale_per_channel ? std::vector<int64_t>{1, s.kv_head, 1, s.width} : std::vector<int64_t>{1}, least,
                  2 * least);
  };
  auto minus_one = s.lengths;
  for (double& length : minus_one) length -= 1;
  const int64_t hidden = s.width * (s.packed ? s.head + 2 * s.kv_head : s.head), angles = total + 9;
  Tensors in{some(true, {s.batch, s.sequence, hidden}),
             some(!s.packed, {s.batch, s.sequence, s.kv_head * s.width}),
             s.packed ? absent() : random({s.batch, s.sequence, s.kv_head * s.width}, -2, 1, s.type),
             some_past(1),
             some_past(2),
             i32({s.batch}, minus_one),
             i32({}, {static_cast<double>(total)}),
             some(s.turned > 0, {angles, s.turned / 2}),
             s.turned > 0 ? random({angles, s.turned / 2}, -1, 0, s.type) : absent(),
             s.positions.empty() ? absent() : i64({s.batch, s.sequence}, s.positions),
             s.bias.empty() ? absent() : random(s.bias, -1, 1, s.type),
             some(s.sink, {s.head}),
             some_scale(0.01),
             some_scale(0.02),
             some(s.norm, {s.width}),
             s.norm ? random({s.width}, 0, 2, s.type) : absent(),
             s.query_lengths.empty() ? absent() : i32({s.batch}, s.query_lengths)};
  while (in.back().type == DataType::undefined) in.pop_back();
  std::string attributes = "num_heads = " + std::to_string(s.head) + ", kv_num_heads = " + std::to_string(s.kv_head);
  const auto add = [&](bool is_told, std::string_view name, const std::string& value) {
    if (is_told) attributes += ", " + std::string(name) + " = " + value;
  };
  add(s.turned > 0, "do_rotary", "1");
  add(s.interleaved, "rotary_interleaved", "1");
  add(s.window > 0, "local_window_size", std::to_string(s.window));
  add(s.softcap > 0, "softcap", std::to_string(s.softcap));
  add(s.scale != 0, "scale", std::to_string(s.scale));
  add(s.smooth, "smooth_softmax", "1");
  add(!s.causal, "causal", "0");
  add(s.qk > 0, "qk_output", std::to_string(s.qk));
  const std::string kind = s.scale_per_channel ? "\"PER_CHANNEL\"" : "\"PER_TENSOR\"";
  add(is_coded, "k_quant_type", kind);
  add(is_coded, "v_quant_type", kind);
  add(is_coded, "kv_cache_bit_width", is_halved ? "4" : "8");
  add(s.slides, "sliding_window_cache", "1");
  return by(reference, std::move(what), std::move(in), tolerance, attributes);
}

// ---- MultiHeadAttention, Attention, QAttention
// ----------------------------------------------------------------------------

// What they are told beside query, key and value. Tensors that are absent() are not given.
struct Told {
  Heads past_key = {}, past_value = {};
  int64_t room = -1;  // the place of the first new key in a past with room; -1: behind all of the past
  Tensor mask = absent(), bias = absent();
  double filter = -10000, scale = 0;
  bool causal = false;
};

struct Core {
  Attended found;
  Heads keys, values;
};

Core attend_to(const Heads& q, const Heads& k, const Heads& v, const Told& told) {
  const int64_t first = told.room >= 0 ? told.room : told.past_key.place;
  const int64_t places = told.room >= 0 ? told.past_key.place : first + k.place;
  Heads keys{k.batch, k.head, places, k.width}, values{v.batch, v.head, places, v.width};
  for (const auto& [all, past, fresh] :
       {std::tuple(&keys, &told.past_key, &k), std::tuple(&values, &told.past_value, &v)})
    for (int64_t b = 0; b < all->batch; ++b)
      for (int64_t h = 0; h < all->head; ++h)
        for (int64_t j = 0; j < places; ++j)
          for (int64_t c = 0; c < all->width; ++c) {
            const bool is_new = j >= first && j < first + fresh->place;
            (*all)(b, h, j, c) = is_new ? (*fresh)(b, h, j - first, c) : (*past)(b, h, j, c);
          }
  const auto mask = told.mask.type == DataType::undefined ? Values() : values_of(told.mask);
  const auto bias = told.bias.type == DataType::undefined ? Values() : values_of(told.bias);
  const auto sees = [&](int64_t b, int64_t i, int64_t j) {
    const auto& dims = told.mask.dims;
    if (mask.empty()) return true;
    if (dims.size() == 1)
      return static_cast<double>(j) < at(mask, b) &&
             (dims[0] != 2 * q.batch || static_cast<double>(j) >= at(mask, q.batch + b));
    if (dims.size() == 4) return at(mask, (b * dims[2] + first + i) * dims[3] + j) != 0;
    return j < dims.back() && at(mask, ((dims.size() == 3 ? b * q.place + i : b) * dims.back()) + j) != 0;
  };
  const auto added = [&](int64_t b, int64_t h, int64_t i, int64_t j) {
    if (j >= first + k.place || (told.causal && j > first + i)) return -infinity;
    const double hidden = bias.empty() && told.filter <= -10000 ? -infinity : told.filter;
    const auto& dims = told.bias.dims;
    return (sees(b, i, j) ? 0 : hidden) +
           (bias.empty()
                ? 0
                : at(bias, (((dims[0] == 1 ? 0 : b) * dims[1] + (dims[1] == 1 ? 0 : h)) * q.place + i) * dims[3] + j));
  };
  return {attend(q, keys, values, told.scale, 0, added), keys, values};
}

enum class Form { apart, heads, pair_packed, all_packed };

struct MultiHead {
  int64_t batch = 2, sequence = 3, kv_sequence = 3, head = 2, width = 8, value_width = 8;
  Form form = Form::apart;
  bool bias = false;
  Tensor mask = absent();
  double filter = -10000;
  std::vector<int64_t> scores_bias = {};
  int64_t past = -1, room = -1;
  bool causal = false;
  double scale = 0;
  bool presents = false, qk = false;
  DataType type = DataType::f32;
  std::vector<double> beams = {};  // of each place of the past: of which of the two sequences of its group it is
};

Case multi_head(std::string what, MultiHead s, double tolerance = 1e-5) {
  const int64_t hidden = s.head * s.width, value_hidden = s.head * s.value_width;
  enum { q_in, k_in, v_in, bias_in, mask_in, scores_bias_in, past_k_in, past_v_in, room_in, beams_in };
  const auto reference = [=](const Tensors& in) {
    // [batch, place, head, parts, width] or [batch, head, place, width]
    const auto part = [&](const Tensor& x, int64_t index, int64_t parts) {
      const auto values = values_of(x);
      Heads heads{x.dims[0], s.head, x.dims[1], x.dims.back()};
      for (size_t n = 0; n < heads.values.size(); ++n) {
        const auto place = static_cast<int64_t>(n) / heads.width % heads.place,
                   c = static_cast<int64_t>(n) % heads.width;
        const int64_t h = static_cast<int64_t>(n) / heads.width / heads.place % s.head,
                      b = static_cast<int64_t>(n) / heads.width / heads.place / s.head;
        heads.values[n] = at(values, (((b * heads.place + place) * s.head + h) * parts + index) * heads.width + c);
      }
      return heads;
    };
    const auto whole = [&](const Tensor& x) { return Heads{x.dims[0], x.dims[1], x.dims[2], x.dims[3], values_of(x)}; };
    Heads q, k, v;
    switch (s.form) {
      case Form::apart:
        k = heads_of(in[k_in], s.head, s.width), v = heads_of(in[v_in], s.head, s.value_width);
        break;
      case Form::heads:
        k = whole(in[k_in]), v = whole(in[v_in]);
        break;
      case Form::pair_packed:
        k = part(in[k_in], 0, 2), v = part(in[k_in], 1, 2);
        break;
      case Form::all_packed:
        q = part(in[q_in], 0, 3), k = part(in[q_in], 1, 3), v = part(in[q_in], 2, 3);
    }
    if (s.form != Form::all_packed) q = heads_of(in[q_in], s.head, s.width);
    if (s.bias) {
      const auto bias = values_of(in[bias_in]);
      int64_t first = 0;
      for (Heads* x : {&q, &k, &v}) {
        if (s.form == Form::heads && x != &q) break;
        for (size_t n = 0; n < x->values.size(); ++n) {
          const int64_t c = static_cast<int64_t>(n) % x->width,
                        h = static_cast<int64_t>(n) / x->width / x->place % x->head;
          x->values[n] += at(bias, first + h * x->width + c);
        }
        first += x->head * x->width;
      }
    }
    Told told{.room = s.room, .mask = s.mask, .filter = s.filter, .scale = s.scale, .causal = s.causal};
    told.past_key = {s.batch, s.head, 0, s.width}, told.past_value = {s.batch, s.head, 0, s.value_width};
    if (s.past >= 0) told.past_key = whole(in[past_k_in]), told.past_value = whole(in[past_v_in]);
    if (!s.scores_bias.empty()) told.bias = in[scores_bias_in];
    if (s.qk && s.mask.type != DataType::undefined)
      told.bias = numbers(s.type, {1, 1, s.sequence, 99}, Values(static_cast<size_t>(s.sequence) * 99));
    Core core = attend_to(q, k, v, told);
    if (!s.beams.empty()) {
      Told seen = told;
      for (Heads* past : {&seen.past_key, &seen.past_value})
        for (int64_t b = 0; b < s.batch; ++b)
          for (int64_t h = 0; h < s.head; ++h)
            for (int64_t j = 0; j < s.past; ++j)
              for (int64_t c = 0; c < past->width; ++c) {
                const Heads& of = past == &seen.past_key ? told.past_key : told.past_value;
                (*past)(b, h, j, c) = of(b / 2 * 2 + static_cast<int64_t>(at(s.beams, b * s.past + j)), h, j, c);
              }
      core.found = attend_to(q, k, v, seen).found;
    }
    Tensors out{numbers(s.type, {s.batch, s.sequence, value_hidden}, core.found.y)};
    if (!s.presents && !s.qk) return out;
    out.push_back(s.presents ? numbers(s.type, {s.batch, s.head, core.keys.place, s.width}, core.keys.values)
                             : absent());
    out.push_back(s.presents ? numbers(s.type, {s.batch, s.head, core.keys.place, s.value_width}, core.values.values)
                             : absent());
    if (s.qk) out.push_back(numbers(s.type, {s.batch, s.head, s.sequence, core.keys.place}, core.found.scores.values));
    return out;
  };
  const auto some = [&](std::vector<int64_t> dims, double low = -1) { return random(std::move(dims), low, 1, s.type); };
  Tensors in(10, absent());
  in[q_in] = s.form == Form::all_packed ? some({s.batch, s.sequence, s.head, 3, s.width})
                                        : some({s.batch, s.sequence, hidden});
  if (s.form == Form::apart)
    in[k_in] = some({s.batch, s.kv_sequence, hidden}), in[v_in] = some({s.batch, s.kv_sequence, value_hidden}, -2);
  if (s.form == Form::heads)
    in[k_in] = some({s.batch, s.head, s.kv_sequence, s.width}),
    in[v_in] = some({s.batch, s.head, s.kv_sequence, s.value_width}, -2);
  if (s.form == Form::pair_packed) in[k_in] = some({s.batch, s.kv_sequence, s.head, 2, s.width});
  if (s.bias) in[bias_in] = some({2 * hidden + value_hidden});
  in[mask_in] = s.mask;
  if (!s.scores_bias.empty()) in[scores_bias_in] = some(s.scores_bias);
  if (s.past >= 0)
    in[past_k_in] = some({s.batch, s.head, s.past, s.width}),
    in[past_v_in] = some({s.batch, s.head, s.past, s.value_width}, -2);
  if (s.room >= 0) in[room_in] = i32({1}, {static_cast<double>(s.room)});
  if (!s.beams.empty()) in[beams_in] = i32({s.batch / 2, 2, s.past}, s.beams);
  while (in.back().type == DataType::undefined) in.pop_back();
  std::string attributes = "num_heads = " + std::to_string(s.head);
  if (s.filter != -10000) attributes += ", mask_filter_value = " + std::to_string(s.filter);
  if (s.causal) attributes += ", unidirectional = 1";
  if (s.scale != 0) attributes += ", scale = " + std::to_string(s.scale);
  return by(reference, std::move(what), std::move(in), tolerance, attributes);
}

const Tensor of_five = i32({2, 5}, {1, 1, 1, 0, 0, 0, 1, 1, 1, 1});

const std::vector<Case> multi_head_cases = {
    multi_head("apart, values of another width", {.kv_sequence = 5, .value_width = 16, .bias = true}),
    multi_head("keys and values in heads, a bias of the query", {.kv_sequence = 5, .form = Form::heads, .bias = true}),
    multi_head("keys and values packed", {.kv_sequence = 4, .form = Form::pair_packed}),
    multi_head("all packed, with biases", {.form = Form::all_packed, .bias = true}),
    multi_head("a mask of lengths", {.kv_sequence = 5, .mask = i32({2}, {5, 2})}),
    multi_head("a mask of keys", {.kv_sequence = 5, .mask = of_five}),
    multi_head("a mask of keys, of the past too",
               {.sequence = 1, .kv_sequence = 1, .mask = of_five, .past = 4, .presents = true}),
    multi_head("a mask of queries and keys",
               {.sequence = 2, .kv_sequence = 3, .mask = i32({2, 2, 3}, {1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 0, 0})}),
    multi_head("who sees nothing gives zeros", {.mask = i32({2, 3}, {1, 1, 1, 0, 0, 0})}),
    multi_head("what is hidden has little added", {.kv_sequence = 5, .mask = of_five, .filter = -2}),
    multi_head("lengths, and what is behind them has little added",
               {.kv_sequence = 5, .mask = i32({2}, {5, 2}), .filter = -2}),
    multi_head("a bias of each score", {.kv_sequence = 5, .scores_bias = {2, 2, 3, 5}}),
    multi_head("a bias of all batches, and a mask", {.kv_sequence = 5, .mask = of_five, .scores_bias = {1, 2, 3, 5}}),
    multi_head("a bias of all heads, and lengths",
               {.kv_sequence = 5, .mask = i32({2}, {5, 2}), .scores_bias = {2, 1, 3, 5}}),
    multi_head("a token behind a past", {.sequence = 1, .kv_sequence = 1, .bias = true, .past = 4, .presents = true}),
    multi_head("a prompt behind a past, causal", {.past = 4, .causal = true, .presents = true}),
    multi_head("a past of nothing", {.past = 0, .causal = true, .presents = true}),
    multi_head("no past, a present", {.presents = true}),
    multi_head("a token into a buffer with room",
               {.sequence = 1, .kv_sequence = 1, .past = 8, .room = 5, .presents = true}),
    multi_head("beams that see one another's past, each its own cache",
               {.batch = 4,
                .sequence = 1,
                .kv_sequence = 1,
                .bias = true,
                .past = 5,
                .room = 3,
                .presents = true,
                .beams = {0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0}}),
    multi_head("a scale, the scores", {.kv_sequence = 5, .scale = 0.3, .qk = true}),
    multi_head("the scores, with what hides", {.kv_sequence = 5, .mask = of_five, .qk = true}),
    multi_head("f16", {.mask = i32({2}, {3, 2}), .past = 0, .type = DataType::f16}, 2e-3),
};

// Where the batch is a symbol, a mask of one axis has its size.
const std::vector<Case> multi_head_of_numbers = {
    multi_head("a mask of lengths and more", {.mask = i32({8}, {3, 2, 0, 3, 6, 0, 3, 5})}),
};

struct Projected {
  int64_t batch = 2, sequence = 3, head = 2, width = 8, value_width = 8, channels = 10;
  bool bias = true;
  Tensor mask = absent();
  double filter = -10000;
  std::vector<int64_t> scores_bias = {};
  int64_t past = -1, room = -1;
  bool causal = false, turned = false;
};

Case projected(std::string what, Projected s) {
  const int64_t hidden = s.head * s.width, value_hidden = s.head * s.value_width, all = 2 * hidden + value_hidden;
  enum { x_in, weights_in, bias_in, mask_in, past_in, scores_bias_in, room_in };
  const auto reference = [=](const Tensors& in) {
    const auto x = values_of(in[x_in]), weights = values_of(in[weights_in]),
               bias = s.bias ? values_of(in[bias_in]) : Values();
    Values product(static_cast<size_t>(s.batch * s.sequence * all));
    for (int64_t row = 0; row < s.batch * s.sequence; ++row)
      for (int64_t column = 0; column < all; ++column) {
        double sum = bias.empty() ? 0 : at(bias, column);
        for (int64_t c = 0; c < s.channels; ++c) sum += at(x, row * s.channels + c) * at(weights, c * all + column);
        at(product, row * all + column) = sum;
      }
    const Tensor side_by_side = f64({s.batch, s.sequence, all}, product);
    Heads q = heads_of(side_by_side, s.head, s.width), k = heads_of(side_by_side, s.head, s.width, hidden);
    const Heads v = heads_of(side_by_side, s.head, s.value_width, 2 * hidden);
    Told told{.room = s.room, .mask = s.mask, .filter = s.filter, .causal = s.causal};
    told.past_key = {s.batch, s.head, 0, s.width}, told.past_value = {s.batch, s.head, 0, s.value_width};
    if (s.past >= 0) {
      const auto past = values_of(in[past_in]);
      const auto half = static_cast<std::ptrdiff_t>(past.size() / 2);
      told.past_key = {s.batch, s.head, s.past, s.width, Values(past.begin(), past.begin() + half)};
      told.past_value = {s.batch, s.head, s.past, s.width, Values(past.begin() + half, past.end())};
    }
    if (!s.scores_bias.empty()) told.bias = in[scores_bias_in];
    for (Heads* side : {&q, &k})
      for (int64_t n = 0; s.turned && n < s.batch * s.head * s.sequence * s.width / 2; ++n) {
        const int64_t half = s.width / 2, c = n % half, i = n / half % s.sequence, h = n / half / s.sequence % s.head,
                      b = n / half / s.sequence / s.head;
        const double angle = static_cast<double>(std::max<int64_t>(s.past, 0) + i) *
                             std::pow(10000.0, -static_cast<double>(c) / static_cast<double>(half));
        const double one = (*side)(b, h, i, c), two = (*side)(b, h, i, c + half);
        (*side)(b, h, i, c) = std::cos(angle) * one - std::sin(angle) * two;
        (*side)(b, h, i, c + half) = std::sin(angle) * one + std::cos(angle) * two;
      }
    const Core core = attend_to(q, k, v, told);
    Tensors out{f32({s.batch, s.sequence, value_hidden}, core.found.y)};
    if (s.past < 0) return out;
    Values both = core.keys.values;
    both.insert(both.end(), core.values.values.begin(), core.values.values.end());
    out.push_back(f32({2, s.batch, s.head, core.keys.place, s.width}, both));
    return out;
  };
  Tensors in(7, absent());
  in[x_in] = random({s.batch, s.sequence, s.channels});
  in[weights_in] = random({s.channels, all}, -0.5, 0.5);
  if (s.bias) in[bias_in] = random({all});
  in[mask_in] = s.mask;
  if (s.past >= 0) in[past_in] = random({2, s.batch, s.head, s.past, s.width});
  if (!s.scores_bias.empty()) in[scores_bias_in] = random(s.scores_bias);
  if (s.room >= 0) in[room_in] = i32({1}, {static_cast<double>(s.room)});
  while (in.back().type == DataType::undefined) in.pop_back();
  std::string attributes = "num_heads = " + std::to_string(s.head);
  if (s.value_width != s.width)
    attributes += ", qkv_hidden_sizes = [" + std::to_string(hidden) + ", " + std::to_string(hidden) + ", " +
                  std::to_string(value_hidden) + "]";
  if (s.filter != -10000) attributes += ", mask_filter_value = " + std::to_string(s.filter);
  if (s.causal) attributes += ", unidirectional = 1";
  if (s.room >= 0) attributes += ", past_present_share_buffer = 1";
  if (s.turned) attributes += ", do_rotary = 1";
  return by(reference, std::move(what), std::move(in), 1e-5, attributes);
}

const std::vector<Case> projected_cases = {
    projected("all see all", {}),
    projected("no bias, values of another width", {.value_width = 16, .bias = false}),
    projected("a mask of ends", {.mask = i32({2}, {3, 2})}),
    projected("a mask of keys, causal", {.mask = i32({2, 3}, {1, 1, 0, 1, 1, 1}), .causal = true}),
    projected("a mask of queries and keys",
              {.mask = i32({2, 3, 3}, {1, 0, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0})}),
    projected("a mask of places, behind a past",
              {.sequence = 2,
               .mask = i32({2, 1, 4, 4}, {1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 1, 1, 0, 1,  //
                                          1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0}),
               .past = 2}),
    projected("what is hidden has little added", {.mask = i32({2, 3}, {1, 1, 0, 0, 1, 1}), .filter = -2}),
    projected("a prompt behind a past, causal", {.past = 4, .causal = true}),
    projected("a bias of the scores and a mask",
              {.mask = i32({2, 3}, {1, 1, 0, 0, 1, 1}), .scores_bias = {1, 2, 3, 3}}),
    projected("a token into a buffer with room", {.sequence = 1, .past = 8, .room = 5, .causal = true}),
    projected("turned by the places behind a past", {.past = 3, .causal = true, .turned = true}),
};

const std::vector<Case> projected_of_numbers = {
    projected("a mask of ends and begins", {.mask = i32({4}, {3, 2, 0, 1})}),
    projected("a mask of lengths and more", {.mask = i32({8}, {3, 2, 0, 3, 6, 0, 3, 5})}),
    projected("a token behind a past, with ends and begins",
              {.sequence = 1, .mask = i32({4}, {5, 4, 1, 0}), .past = 4, .causal = true}),
};

// ---- running what rewrites lower
// ------------------------------------------------------------------------------------------

const char* name_in_text(DataType type) {
  switch (type) {
    case DataType::f16:
      return "float16";
    case DataType::bf16:
      return "bfloat16";
    case DataType::i32:
      return "int32";
    case DataType::i64:
      return "int64";
    case DataType::u8:
      return "uint8";
    case DataType::i8:
      return "int8";
    case DataType::f8e4m3fn:
      return "float8e4m3fn";
    default:
      return "float";
  }
}

struct Way {
  const char* device;
  bool symbolic;  // all sizes but those of last axes
};
const std::vector<Way> all_ways{{"cpu", false}, {"cpu", true}, {"vulkan", true}},
    every_way{{"cpu", false}, {"cpu", true}, {"vulkan", false}, {"vulkan", true}},
    with_numbers{{"cpu", false}, {"vulkan", false}};

// Each row in each way. The input `sizes_from` tells a size: where sizes are symbols it is that of another tensor, as
// exporters write it.
void check_lowered(std::string_view op_type, const std::vector<Case>& rows, size_t sizes_from = 99,
                   const std::vector<Way>& ways = all_ways) {
  for (const Case& row : rows)
    for (const auto& [device, symbolic] : ways) {
      std::string declared, arguments, before;
      Tensors inputs;
      for (size_t i = 0; i < row.inputs.size(); ++i) {
        const Tensor& tensor = row.inputs[i];
        const std::string name = "x" + std::to_string(i);
        arguments += (i ? ", " : "") + (tensor.type == DataType::undefined ? "\"\"" : name);
        if (tensor.type == DataType::undefined) continue;
        declared += declared.empty() ? "" : ", ";
        if (i == sizes_from && symbolic) {
          declared += "float[all] sized";
          before +=
              "    shape = Shape(sized)\n    zero = Constant<value_int = 0>()\n    size = Gather(shape, zero)\n    " +
              name + " = Cast<to = 6>(size)\n";
          inputs.push_back(
              f32({static_cast<int64_t>(values_of(tensor)[0])}, Values(static_cast<size_t>(values_of(tensor)[0]))));
          continue;
        }
        declared += name_in_text(tensor.type);
        for (size_t axis = 0; axis < tensor.dims.size(); ++axis)
          declared +=
              (axis ? ", " : "[") + (symbolic && axis + 1 < tensor.dims.size() ? name + "_" + std::to_string(axis)
                                                                               : std::to_string(tensor.dims[axis]));
        declared += (tensor.dims.empty() ? "[] " : "] ") + name;
        inputs.push_back(tensor);
      }
      std::string outputs, results;
      for (size_t i = 0; i < row.outputs.size(); ++i) {
        const bool is_there = row.outputs[i].type != DataType::undefined;
        results += (i ? ", " : "") + (is_there ? "y" + std::to_string(i) : "\"\"");
        if (is_there)
          outputs +=
              (outputs.empty() ? "" : ", ") + std::string(name_in_text(row.outputs[i].type)) + " y" + std::to_string(i);
      }
      const auto given = run_text("<ir_version: 10, opset_import: [\"\" : 23, \"com.microsoft\" : 1]> graph_of_one (" +
                                      declared + ") => (" + outputs + ") {\n" + before + "    " + results + " = " +
                                      std::string(op_type) + "<" + row.attributes + ">(" + arguments + ")\n  }",
                                  inputs, device);
      INFO(row.what << " on " << device << (symbolic ? ", symbolic sizes" : ""));
      CHECK((given ? std::string() : given.error().message) == "");
      size_t next = 0;
      for (size_t i = 0; given && i < row.outputs.size(); ++i)
        if (row.outputs[i].type != DataType::undefined) check_equal((*given)[next++], row.outputs[i], row.tolerance);
    }
}

const std::vector<Case> grouped_cases = {
    grouped("a prompt", {.sequence = 5}),
    grouped("a prompt padded to the right", {.batch = 3, .sequence = 5, .lengths = {5, 2, 3}}),
    grouped("a prompt behind a past of nothing", {.sequence = 5, .room = 0}),
    grouped("a token behind a past that grows", {.room = 6}),
    grouped("a token behind pasts of different lengths", {.batch = 3, .room = 6, .lengths = {7, 3, 5}}),
    grouped("a token into a buffer with room", {.batch = 3, .room = 12, .lengths = {7, 12, 1}}),
    grouped("a prompt into a buffer with room, padded", {.sequence = 5, .room = 12, .lengths = {5, 3}}),
    grouped("a second prompt into a buffer with room", {.batch = 1, .sequence = 3, .room = 12, .lengths = {9}}),
    grouped("packed, turned, a token", {.room = 6, .packed = true, .turned = 16}),
    grouped("turned, interleaved, a second prompt",
            {.batch = 1, .sequence = 3, .room = 4, .turned = 16, .interleaved = true}),
    grouped("a part turned, at different places",
            {.batch = 3, .width = 32, .room = 9, .lengths = {4, 9, 1}, .turned = 16}),
    grouped("turned by given positions", {.room = 4, .turned = 16, .positions = {9, 3}}),
    grouped("a window", {.batch = 1, .sequence = 6, .window = 2}),
    grouped("a window behind a past, sinks, a softcap", {.room = 7, .window = 4, .softcap = 1.5, .sink = true}),
    grouped("a smooth softmax, a scale", {.sequence = 5, .scale = 2, .smooth = true}),
    grouped("a bias for each score", {.sequence = 5, .bias = {2, 4, 5, 5}}),
    grouped("a bias for all, shorter than the buffer", {.room = 12, .lengths = {5, 5}, .bias = {1, 1, 1, 5}}),
    grouped("heads normed before they are turned", {.sequence = 3, .packed = true, .turned = 16, .norm = true}),
    grouped("not causal, one output", {.sequence = 5, .causal = false, .presents = false}),
    grouped("scores, hidden ones zero", {.room = 5, .window = 2, .softcap = 1, .qk = 1}),
    grouped("weights, as long as the keys in a buffer", {.room = 9, .lengths = {5, 6}, .qk = 2}),
    grouped("chunks padded to the right, one idle",
            {.batch = 3, .sequence = 4, .room = 9, .lengths = {7, 3, 2}, .turned = 16, .query_lengths = {4, 2, 0}}),
    grouped("a cache of 8 bits that grows, turned", {.sequence = 3, .room = 4, .turned = 16, .codes = DataType::i8}),
    grouped("a token into a cache of 8 bits with room, a scale for each channel",
            {.batch = 3, .room = 12, .lengths = {7, 12, 1}, .codes = DataType::i8, .scale_per_channel = true}),
    grouped("a cache of 4 bits, packed queries",
            {.room = 12, .lengths = {7, 12}, .packed = true, .codes = DataType::u8}),
    grouped("a prompt into a cache of 4 bits with room, a scale for each channel, weights",
            {.sequence = 5, .room = 12, .lengths = {5, 5}, .qk = 2, .codes = DataType::u8, .scale_per_channel = true}),
    grouped("a cache of f8", {.room = 6, .codes = DataType::f8e4m3fn}),
    grouped("a cache of 8 bits, f16", {.room = 6, .type = DataType::f16, .codes = DataType::i8}, 2e-3),
    grouped("a cache that evicts a key for each new one", {.room = 4, .lengths = {9, 3}, .window = 4, .slides = true}),
    grouped("a cache that evicts several at once, turned, longer than the window",
            {.batch = 3, .room = 7, .lengths = {8, 11, 14}, .turned = 16, .window = 4, .slides = true}),
    grouped("a chunk longer than a cache that evicts",
            {.batch = 1, .sequence = 9, .room = 5, .lengths = {13}, .window = 3, .slides = true}),
    grouped("a first prompt into a cache that evicts, a bias by places",
            {.sequence = 6, .room = 5, .lengths = {6, 6}, .window = 3, .bias = {2, 1, 6, 6}, .slides = true}),
    grouped("a token, a bias by places behind keys that are evicted",
            {.room = 5, .lengths = {9, 7}, .window = 3, .bias = {1, 4, 1, 9}, .slides = true}),
    grouped("a cache of 8 bits that evicts",
            {.room = 6, .lengths = {9, 5}, .window = 4, .codes = DataType::i8, .slides = true}),
    grouped("f16", {.room = 6, .turned = 16, .type = DataType::f16}, 2e-3),
    grouped("bf16, packed", {.sequence = 3, .room = 2, .packed = true, .type = DataType::bf16}, 2e-2),
};

}  // namespace

TEST_CASE("GroupQueryAttention gives what its formula gives, on every device") {
  check_lowered("com.microsoft.GroupQueryAttention", grouped_cases, 6, every_way);
}

TEST_CASE("MultiHeadAttention gives what its formula gives, on every device") {
  check_lowered("com.microsoft.MultiHeadAttention", multi_head_cases);
  check_lowered("com.microsoft.MultiHeadAttention", multi_head_of_numbers, 99, with_numbers);
}

TEST_CASE("com.microsoft's Attention gives what its formula gives, on every device") {
  check_lowered("com.microsoft.Attention", projected_cases);
  check_lowered("com.microsoft.Attention", projected_of_numbers, 99, with_numbers);
}

TEST_CASE("QAttention is Attention behind a product of integers") {
  const char* text = R"(<ir_version: 10, opset_import: ["" : 17, "com.microsoft" : 1]>
    agraph (uint8[2, 3, 5] x, int8[5, 24] w, float[24] bias, float x_scale, float[24] w_scale, int32[2] ends, uint8 x_zero, int8[24] w_zero)
        => (float[2, 3, 8] y, float[2, 3, 8] z) {
      y = com.microsoft.QAttention<num_heads = 2, unidirectional = 1>(x, w, bias, x_scale, w_scale, ends, x_zero, w_zero)
      floats = DequantizeLinear(x, x_scale, x_zero)
      weights = DequantizeLinear<axis = 1>(w, w_scale, w_zero)
      z = com.microsoft.Attention<num_heads = 2, unidirectional = 1>(floats, weights, bias, ends)
    })";
  const auto outputs = run_text(text, {random({2, 3, 5}, 0, 250, DataType::u8), random({5, 24}, -60, 60, DataType::i8),
                                       random({24}), f32({}, {0.02}), random({24}, 0.001, 0.01), i32({2}, {3, 2}),
                                       u8({}, {120}), random({24}, -3, 3, DataType::i8)});
  INFO((outputs ? "" : outputs.error().message));
  REQUIRE(outputs.has_value());
  check_equal((*outputs)[0], (*outputs)[1], 1e-5);
}

TEST_CASE("com.microsoft's RotaryEmbedding is ONNX's, with positions that may be those of the first") {
  const char* text = R"(<ir_version: 10, opset_import: ["" : 23, "com.microsoft" : 1]>
    agraph (float[b, s, 24] x, float[9, 4] cos, float[9, 4] sin, int64[b, s] at, int64[1] first)
        => (float[b, s, 24] y, float[b, s, 24] z, float[b, s, 24] v, float[b, s, 24] w) {
      y = com.microsoft.RotaryEmbedding(x, at, cos, sin)
      z = RotaryEmbedding<num_heads = 3>(x, cos, sin, at)
      v = com.microsoft.RotaryEmbedding<interleaved = 1>(x, first, cos, sin)
      w = RotaryEmbedding<num_heads = 3, interleaved = 1>(x, cos, sin, at)
    })";
  for (const auto device : {"cpu", "vulkan"}) {
    const auto outputs = run_text(
        text,
        {random({2, 3, 24}), random({9, 4}), random({9, 4}, -1, 0), i64({2, 3}, {2, 3, 4, 2, 3, 4}), i64({1}, {2})},
        device);
    INFO(device << ": " << (outputs ? "" : outputs.error().message));
    REQUIRE(outputs.has_value());
    check_equal((*outputs)[0], (*outputs)[1]);
    check_equal((*outputs)[2], (*outputs)[3]);
  }
}

TEST_CASE("MultiHeadAttention and Attention refuse what does not fit, and say what") {
  const auto refused = [](std::string_view op_type, Case row, std::string_view part, size_t input, Tensor other,
                          std::string attributes = "") {
    row.inputs[input] = std::move(other);
    if (!attributes.empty()) row.attributes = attributes;
    check_refused(op_type, row, part);
  };
  const auto refused_heads = [&](MultiHead s, std::string_view part, size_t input, Tensor other,
                                 std::string attributes = "") {
    refused("com.microsoft.MultiHeadAttention", multi_head("", s), part, input, std::move(other),
            std::move(attributes));
  };
  const auto refused_projected = [&](Projected s, std::string_view part, size_t input, Tensor other,
                                     std::string attributes = "") {
    refused("com.microsoft.Attention", projected("", s), part, input, std::move(other), std::move(attributes));
  };
  refused_heads({}, "hidden size of query modulo num_heads", 0, random({2, 3, 17}));
  refused_heads({}, "hidden sizes of query and key", 1, random({2, 3, 24}));
  refused_heads({}, "'num_heads' is 0", 0, random({2, 3, 16}), "num_heads = 0");
  refused_heads({.form = Form::all_packed}, "axis 3 of query, which is packed, and 3", 0, random({2, 3, 2, 2, 8}));
  refused_heads({.bias = true}, "elements of bias and the hidden sizes", 3, random({47}));
  refused_heads({.mask = i32({2}, {3, 2})}, "elements of key_padding_mask and batch", 4, i32({3}, {3, 2, 1}));
  refused_heads({.mask = of_five, .past = 1}, "keys of key_padding_mask, [2, 5], of at most [4]", 4, of_five);
  refused_heads({.scores_bias = {1, 1, 3, 3}}, "axis 1 of attention_bias", 5, random({1, 3, 3, 3}));
  refused_heads({.past = 4}, "heads of past_key and num_heads", 6, random({2, 3, 4, 8}));
  refused_projected({}, "the last axis of input and the first of weights", 1, random({11, 48}));
  refused_projected({}, "elements of bias and columns of weights", 2, random({47}));
  refused_projected({.past = 2}, "axis 2 of past", 4, random({2, 2, 3, 2, 8}));
  refused_projected({.mask = i32({2}, {3, 2})}, "elements of mask_index, [3], and batch", 3, i32({3}, {1, 2, 3}));
  refused_projected({}, "'qkv_hidden_sizes' is not three sizes", 2, random({48}),
                    "num_heads = 2, qkv_hidden_sizes = [16, 8, 24]");
  refused_projected({}, "'past_present_share_buffer' is 1", 2, random({48}),
                    "num_heads = 2, past_present_share_buffer = 1");
}

TEST_CASE("GroupQueryAttention refuses what does not fit, and says what") {
  const auto refused = [](Grouped s, std::string_view part, std::string attributes = "", size_t input = 0,
                          Tensor other = absent()) {
    Case row = grouped("", s);
    if (!attributes.empty()) row.attributes = attributes;
    if (other.type != DataType::undefined) row.inputs[input] = other;
    check_refused("com.microsoft.GroupQueryAttention", row, part);
  };
  refused({}, "'num_heads' and 'kv_num_heads' are 4 and 3", "num_heads = 4, kv_num_heads = 3");
  refused({}, "'sliding_window_cache' is 1", "num_heads = 4, kv_num_heads = 2, sliding_window_cache = 1");
  refused({.room = 3, .window = 4, .slides = true}, "places of a cache that evicts");
  const std::string codes = "num_heads = 4, kv_num_heads = 2, v_quant_type = \"PER_TENSOR\", k_quant_type = ";
  refused({}, "'k_quant_type' is 'PER_BLOCK'", codes + "\"PER_BLOCK\"");
  refused({}, "'k_quant_type' is 'PER_TENSOR': expected inputs", codes + "\"PER_TENSOR\"");
  refused({.room = 3, .codes = DataType::i8}, "'kv_cache_bit_width' is 2",
          codes + "\"PER_TENSOR\", kv_cache_bit_width = 2");
  refused({.room = 3, .codes = DataType::i8}, "past_key is i8; expected u8, of two codes",
          codes + "\"PER_TENSOR\", kv_cache_bit_width = 4");
  refused({.room = 3, .codes = DataType::i8}, "k_scale [3] and [1, kv_num_heads, 1, width]", "", 12, random({3}));
  refused({}, "'local_window_size' is 0", "num_heads = 4, kv_num_heads = 2, local_window_size = 0");
  refused({}, "no input 'cos_cache'", "num_heads = 4, kv_num_heads = 2, do_rotary = 1");
  refused({}, "hidden size of query modulo num_heads", "", 0, random({2, 1, 65}));
  refused({}, "hidden size of key and kv_num_heads", "", 1, random({2, 1, 48}));
  refused({.room = 3}, "heads of past_key and kv_num_heads", "", 3, random({2, 4, 3, 16}));
  refused({}, "elements of seqlens_k and batch", "", 5, i32({3}, {0, 0, 0}));
  refused({.bias = {1, 1, 1, 1}}, "axis 1 of attention_bias", "", 10, random({1, 3, 1, 1}));
}

}  // namespace heed::test
