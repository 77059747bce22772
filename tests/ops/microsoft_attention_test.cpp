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
  int64_t batch, head, place, width;
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
  Attended out{Values(static_cast<size_t>(q.batch * q.place * q.head * v.width)), {q.batch, q.head, q.place, k.place},
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
        for (int64_t j = 0; j < k.place; ++j) sum += out.weights(b, h, i, j) = std::exp(out.scores(b, h, i, j) - greatest);
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

// ---- GroupQueryAttention ----------------------------------------------------------------------------------------------

struct Grouped {
  int64_t batch = 2, sequence = 1, head = 4, kv_head = 2, width = 16;
  int64_t room = -1;            // of the past; -1: there is none
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
};

Case grouped(std::string what, Grouped s, double tolerance = 1e-5) {
  const int64_t past = std::max<int64_t>(s.room, 0);
  if (s.lengths.empty()) s.lengths.assign(static_cast<size_t>(s.batch), static_cast<double>(past + s.sequence));
  const auto total = static_cast<int64_t>(*std::max_element(s.lengths.begin(), s.lengths.end()));
  const int64_t places = s.room < 0 ? s.sequence : std::max(total, past);
  enum { q_in, k_in, v_in, past_k_in, past_v_in, lengths_in, total_in, cos_in, sin_in, positions_in, bias_in, sink_in, k_scale_in,
         v_scale_in, q_norm_in, k_norm_in, query_lengths_in };

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
                const int64_t position = s.positions.empty()
                                             ? in_past(b) + i
                                             : static_cast<int64_t>(at(s.positions, b * s.sequence + i));
                const double cosine = at(cos, position * s.turned / 2 + c), sine = at(sin, position * s.turned / 2 + c);
                const double x1 = (*x)(b, h, i, one), x2 = (*x)(b, h, i, two);
                (*x)(b, h, i, one) = cosine * x1 - sine * x2;
                (*x)(b, h, i, two) = sine * x1 + cosine * x2;
              }
    }
    Heads keys{s.batch, s.kv_head, places, s.width}, values = keys;
    for (const auto& [fresh, all, input] : {std::tuple(&k, &keys, past_k_in), std::tuple(&v, &values, past_v_in)}) {
      const auto old = s.room < 0 ? Values() : values_of(in[static_cast<size_t>(input)]);
      for (int64_t b = 0; b < s.batch; ++b)
        for (int64_t h = 0; h < s.kv_head; ++h)
          for (int64_t j = 0; j < places; ++j)
            for (int64_t c = 0; c < s.width; ++c) {
              const int64_t first = in_past(b);
              if (j >= first && j < first + s.sequence)
                (*all)(b, h, j, c) = (*fresh)(b, h, j - first, c);
              else if (j < past)
                (*all)(b, h, j, c) = at(old, ((b * s.kv_head + h) * past + j) * s.width + c);
            }
    }
    const auto bias = s.bias.empty() ? Values() : values_of(in[bias_in]);
    const auto added = [&](int64_t b, int64_t h, int64_t i, int64_t j) {
      const int64_t place = in_past(b) + i;
      if (static_cast<double>(j) >= s.lengths[static_cast<size_t>(b)] || (s.causal && j > place) ||
          (s.window > 0 && j <= place - s.window))
        return -infinity;
      if (bias.empty()) return 0.0;
      return at(bias, (((s.bias[0] == 1 ? 0 : b) * s.bias[1] + (s.bias[1] == 1 ? 0 : h)) * s.sequence + i) * s.bias[3] + j);
    };
    Values sinks = s.sink ? values_of(in[sink_in]) : Values(s.smooth ? static_cast<size_t>(s.head) : 0);
    const Attended found = attend(q, keys, values, s.scale, s.softcap, added, sinks);
    const auto cache = [&](const Heads& all) {
      return s.presents ? numbers(s.type, {s.batch, s.kv_head, places, s.width}, all.values) : absent();
    };
    Tensors out{numbers(s.type, {s.batch, s.sequence, s.head * s.width}, found.y), cache(keys), cache(values)};
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

  const auto some = [&](bool is_there, std::vector<int64_t> dims) { return is_there ? random(std::move(dims), -1, 1, s.type) : absent(); };
  const std::vector<int64_t> cache{s.batch, s.kv_head, past, s.width};
  auto minus_one = s.lengths;
  for (double& length : minus_one) length -= 1;
  const int64_t hidden = s.width * (s.packed ? s.head + 2 * s.kv_head : s.head), angles = total + 9;
  Tensors in{some(true, {s.batch, s.sequence, hidden}),
             some(!s.packed, {s.batch, s.sequence, s.kv_head * s.width}),
             s.packed ? absent() : random({s.batch, s.sequence, s.kv_head * s.width}, -2, 1, s.type),
             some(s.room >= 0, cache),
             s.room < 0 ? absent() : random(cache, -1, 2, s.type),
             i32({s.batch}, minus_one),
             i32({}, {static_cast<double>(total)}),
             some(s.turned > 0, {angles, s.turned / 2}),
             s.turned > 0 ? random({angles, s.turned / 2}, -1, 0, s.type) : absent(),
             s.positions.empty() ? absent() : i64({s.batch, s.sequence}, s.positions),
             s.bias.empty() ? absent() : random(s.bias, -1, 1, s.type),
             some(s.sink, {s.head}),
             absent(),
             absent(),
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
  return by(reference, std::move(what), std::move(in), tolerance, attributes);
}

// ---- running what rewrites lower ------------------------------------------------------------------------------------------

const char* name_in_text(DataType type) {
  switch (type) {
    case DataType::f16: return "float16";
    case DataType::bf16: return "bfloat16";
    case DataType::i32: return "int32";
    case DataType::i64: return "int64";
    case DataType::u8: return "uint8";
    case DataType::i8: return "int8";
    default: return "float";
  }
}

// Each row with its sizes as numbers and as symbols, on each device. The input `sizes_from` tells a size: on a GPU it is that
// of another tensor, as exporters write it.
void check_lowered(std::string_view op_type, const std::vector<Case>& rows, size_t sizes_from = 99) {
  for (const Case& row : rows)
    for (const auto& [device, symbolic] : {std::pair("cpu", false), std::pair("cpu", true), std::pair("vulkan", true)}) {
      constexpr size_t all_outputs = 4;  // the last of which is sized by a size that must be known
      if (!symbolic && row.outputs.size() == all_outputs && sizes_from < row.inputs.size()) continue;
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
          before += "    shape = Shape(sized)\n    zero = Constant<value_int = 0>()\n    size = Gather(shape, zero)\n    " + name +
                    " = Cast<to = 6>(size)\n";
          inputs.push_back(f32({static_cast<int64_t>(values_of(tensor)[0])}, Values(static_cast<size_t>(values_of(tensor)[0]))));
          continue;
        }
        declared += name_in_text(tensor.type);
        for (size_t axis = 0; axis < tensor.dims.size(); ++axis)
          declared += (axis ? ", " : "[") + (symbolic && axis + 1 < tensor.dims.size() ? name + "_" + std::to_string(axis)
                                                                                     : std::to_string(tensor.dims[axis]));
        declared += (tensor.dims.empty() ? " " : "] ") + name;
        inputs.push_back(tensor);
      }
      std::string outputs, results;
      for (size_t i = 0; i < row.outputs.size(); ++i) {
        const bool is_there = row.outputs[i].type != DataType::undefined;
        results += (i ? ", " : "") + (is_there ? "y" + std::to_string(i) : "\"\"");
        if (is_there) outputs += (outputs.empty() ? "" : ", ") + std::string(name_in_text(row.outputs[i].type)) + " y" + std::to_string(i);
      }
      const auto given = run_text("<ir_version: 10, opset_import: [\"\" : 23, \"com.microsoft\" : 1]> graph_of_one (" + declared +
                                      ") => (" + outputs + ") {\n" + before + "    " + results + " = " + std::string(op_type) + "<" +
                                      row.attributes + ">(" + arguments + ")\n  }",
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
    grouped("turned, interleaved, a second prompt", {.batch = 1, .sequence = 3, .room = 4, .turned = 16, .interleaved = true}),
    grouped("a part turned, at different places", {.batch = 3, .width = 32, .room = 9, .lengths = {4, 9, 1}, .turned = 16}),
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
    grouped("f16", {.room = 6, .turned = 16, .type = DataType::f16}, 2e-3),
    grouped("bf16, packed", {.sequence = 3, .room = 2, .packed = true, .type = DataType::bf16}, 2e-2),
};

}  // namespace

TEST_CASE("GroupQueryAttention gives what its formula gives, on every device") {
  check_lowered("com.microsoft.GroupQueryAttention", grouped_cases, 6);
}

TEST_CASE("GroupQueryAttention refuses what does not fit, and says what") {
  const auto refused = [](Grouped s, std::string_view part, std::string attributes = "", size_t input = 0, Tensor other = absent()) {
    Case row = grouped("", s);
    if (!attributes.empty()) row.attributes = attributes;
    if (other.type != DataType::undefined) row.inputs[input] = other;
    check_refused("com.microsoft.GroupQueryAttention", row, part);
  };
  refused({}, "'num_heads' and 'kv_num_heads' are 4 and 3", "num_heads = 4, kv_num_heads = 3");
  refused({}, "'sliding_window_cache' is 1", "num_heads = 4, kv_num_heads = 2, sliding_window_cache = 1");
  refused({}, "'k_quant_type' is 'PER_TENSOR'", "num_heads = 4, kv_num_heads = 2, k_quant_type = \"PER_TENSOR\"");
  refused({}, "'local_window_size' is 0", "num_heads = 4, kv_num_heads = 2, local_window_size = 0");
  refused({}, "no input 'cos_cache'", "num_heads = 4, kv_num_heads = 2, do_rotary = 1");
  refused({}, "hidden size of query modulo num_heads", "", 0, random({2, 1, 65}));
  refused({}, "hidden size of key and kv_num_heads", "", 1, random({2, 1, 48}));
  refused({.room = 3}, "heads of past_key and kv_num_heads", "", 3, random({2, 4, 3, 16}));
  refused({}, "elements of seqlens_k and batch", "", 5, i32({3}, {0, 0, 0}));
  refused({.bias = {1, 1, 1, 1}}, "axis 1 of attention_bias", "", 10, random({1, 3, 1, 1}));
}

}  // namespace heed::test
