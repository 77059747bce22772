// RNN, GRU and LSTM, by a reference that takes one number after the other.
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>

#include "cases.hpp"

namespace heed::test {
namespace {

struct Layer {
  std::string cell;
  int64_t hidden = 0, directions = 1;
  bool reverse = false, batch_first = false, linear_before_reset = false, input_forget = false;
  double clip = infinity;
  std::vector<std::function<double(double)>> functions = {};  // of a direction; none: those of ONNX
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double tanh_of(double x) { return std::tanh(x); }

// A dense tensor as numbers, read by its indices; zeros where it is absent.
struct Numbers {
  std::vector<double> values;
  std::vector<int64_t> dims;
  explicit Numbers(const Tensors& in, size_t place) {
    if (place < in.size() && in[place].type != DataType::undefined)
      values = values_of(in[place]), dims = in[place].dims;
  }
  double operator()(std::initializer_list<int64_t> at) const {
    if (values.empty()) return 0;
    int64_t offset = 0;
    size_t axis = 0;
    for (const int64_t i : at) offset = offset * dims[axis++] + i;
    return values[static_cast<size_t>(offset)];
  }
};

Tensors run_layer(const Tensors& in, const Layer& layer) {
  const Numbers x(in, 0), w(in, 1), r(in, 2), b(in, 3), lengths(in, 4), h0(in, 5), c0(in, 6), p(in, 7);
  const int64_t steps = x.dims[layer.batch_first ? 1 : 0], batches = x.dims[layer.batch_first ? 0 : 1],
                inputs = x.dims[2], hidden = layer.hidden,
                gates = layer.cell == "RNN"   ? 1
                        : layer.cell == "GRU" ? 3
                                              : 4;
  const auto functions = !layer.functions.empty() ? layer.functions
                         : layer.cell == "RNN"    ? std::vector<std::function<double(double)>>{tanh_of}
                                               : std::vector<std::function<double(double)>>{sigmoid, tanh_of, tanh_of};
  const auto apply = [&](size_t which, double v) { return functions[which](std::clamp(v, -layer.clip, layer.clip)); };
  std::vector<double> y(static_cast<size_t>(steps * layer.directions * batches * hidden)), last_h, last_c;
  last_h.resize(static_cast<size_t>(layer.directions * batches * hidden));
  last_c = last_h;
  for (int64_t d = 0; d < layer.directions; ++d)
    for (int64_t n = 0; n < batches; ++n) {
      const int64_t length = lengths.values.empty() ? steps : static_cast<int64_t>(lengths({n}));
      std::vector<double> h, c;
      for (int64_t i = 0; i < hidden; ++i) {
        h.push_back(layer.batch_first ? h0({n, d, i}) : h0({d, n, i}));
        c.push_back(layer.batch_first ? c0({n, d, i}) : c0({d, n, i}));
      }
      for (int64_t t = 0; t < length; ++t) {
        const int64_t at = layer.reverse || d == 1 ? length - 1 - t : t;
        const auto input = [&](int64_t gate, int64_t i) {
          double sum = b({d, gate * hidden + i});
          for (int64_t k = 0; k < inputs; ++k)
            sum += (layer.batch_first ? x({n, at, k}) : x({at, n, k})) * w({d, gate * hidden + i, k});
          return sum;
        };
        const auto recurrent = [&](int64_t gate, int64_t i, const std::vector<double>& left) {
          double sum = b({d, (gates + gate) * hidden + i});
          for (int64_t k = 0; k < hidden; ++k) sum += left[static_cast<size_t>(k)] * r({d, gate * hidden + i, k});
          return sum;
        };
        const auto old_h = h, old_c = c;
        std::vector<double> reset(static_cast<size_t>(hidden));
        for (int64_t i = 0; layer.cell == "GRU" && i < hidden; ++i)
          reset[static_cast<size_t>(i)] = apply(0, input(1, i) + recurrent(1, i, old_h));
        for (int64_t i = 0; i < hidden; ++i) {
          const auto u = static_cast<size_t>(i);
          if (layer.cell == "RNN") {
            h[u] = apply(0, input(0, i) + recurrent(0, i, old_h));
          } else if (layer.cell == "GRU") {
            auto kept = old_h;
            for (size_t k = 0; k < kept.size(); ++k) kept[k] *= reset[k];
            const double z = apply(0, input(0, i) + recurrent(0, i, old_h));
            const double fresh = layer.linear_before_reset ? apply(1, input(2, i) + reset[u] * recurrent(2, i, old_h))
                                                           : apply(1, input(2, i) + recurrent(2, i, kept));
            h[u] = (1 - z) * fresh + z * old_h[u];
          } else {
            const double in_gate = apply(0, input(0, i) + recurrent(0, i, old_h) + p({d, i}) * old_c[u]);
            const double forget =
                layer.input_forget ? 1 - in_gate
                                   : apply(0, input(2, i) + recurrent(2, i, old_h) + p({d, 2 * hidden + i}) * old_c[u]);
            c[u] = forget * old_c[u] + in_gate * apply(1, input(3, i) + recurrent(3, i, old_h));
            h[u] = apply(0, input(1, i) + recurrent(1, i, old_h) + p({d, hidden + i}) * c[u]) * apply(2, c[u]);
          }
        }
        for (int64_t i = 0; i < hidden; ++i) {
          const int64_t place = layer.batch_first ? ((n * steps + at) * layer.directions + d) * hidden + i
                                                  : ((at * layer.directions + d) * batches + n) * hidden + i;
          y[static_cast<size_t>(place)] = h[static_cast<size_t>(i)];
        }
      }
      for (int64_t i = 0; i < hidden; ++i) {
        const int64_t place =
            layer.batch_first ? (n * layer.directions + d) * hidden + i : (d * batches + n) * hidden + i;
        last_h[static_cast<size_t>(place)] = h[static_cast<size_t>(i)];
        last_c[static_cast<size_t>(place)] = c[static_cast<size_t>(i)];
      }
    }
  const auto type = in[0].type;
  const std::vector<int64_t> state = layer.batch_first ? std::vector<int64_t>{batches, layer.directions, hidden}
                                                       : std::vector<int64_t>{layer.directions, batches, hidden};
  Tensors out{numbers(type,
                      layer.batch_first ? std::vector<int64_t>{batches, steps, layer.directions, hidden}
                                        : std::vector<int64_t>{steps, layer.directions, batches, hidden},
                      y),
              numbers(type, state, last_h)};
  if (layer.cell == "LSTM") out.push_back(numbers(type, state, last_c));
  return out;
}

struct Shape {
  int64_t steps, batches, inputs;
};
Case row(std::string what, Layer layer, Shape s, std::string attributes = "", Tensors more = {},
         double tolerance = 1e-5, DataType type = DataType::f32) {
  const int64_t gates = layer.cell == "RNN" ? 1 : layer.cell == "GRU" ? 3 : 4, rows = gates * layer.hidden;
  Tensors in{layer.batch_first ? random({s.batches, s.steps, s.inputs}, -1, 1, type)
                               : random({s.steps, s.batches, s.inputs}, -1, 1, type),
             random({layer.directions, rows, s.inputs}, -0.5, 0.6, type),
             random({layer.directions, rows, layer.hidden}, -0.6, 0.5, type)};
  in.insert(in.end(), more.begin(), more.end());
  if (!attributes.empty()) attributes = ", " + attributes;
  return by([layer](const Tensors& tensors) { return run_layer(tensors, layer); }, std::move(what), std::move(in),
            tolerance, "hidden_size = " + std::to_string(layer.hidden) + attributes);
}

const std::vector<Case> rnn_cases = {
    row("one step", {"RNN", 3}, {1, 1, 2}),
    row("a bias, several batches", {"RNN", 5}, {4, 3, 2}, "", {random({1, 10})}),
    row("from the end", {.cell = "RNN", .hidden = 17, .reverse = true}, {5, 2, 3}, "direction = \"reverse\""),
    row("both ways, each batch as long as it is, from a state", {"RNN", 7, 2}, {5, 3, 2},
        "direction = \"bidirectional\"", {random({2, 14}), i32({3}, {5, 0, 2}), random({2, 3, 7})}),
    row("batches first", {.cell = "RNN", .hidden = 4, .batch_first = true}, {3, 2, 5}, "layout = 1",
        {absent(), absent(), random({2, 1, 4})}),
    row("relu, bounded",
        {.cell = "RNN", .hidden = 9, .clip = 0.4, .functions = {[](double x) { return std::max(x, 0.0); }}}, {3, 2, 4},
        "activations = [\"Relu\"], clip = 0.4"),
    row("an affine function", {.cell = "RNN", .hidden = 3, .functions = {[](double x) { return 0.5 * x + 0.25; }}},
        {3, 1, 2}, "activations = [\"Affine\"], activation_alpha = [0.5], activation_beta = [0.25]"),
    row("f64", {"RNN", 5}, {3, 2, 2}, "", {}, 1e-12, DataType::f64),
};
const std::vector<Case> gru_cases = {
    row("one step", {"GRU", 3}, {1, 1, 2}),
    row("a bias, several batches", {"GRU", 5}, {4, 11, 2}, "", {random({1, 30})}),
    row("linear before the reset", {.cell = "GRU", .hidden = 19, .linear_before_reset = true}, {3, 2, 4},
        "linear_before_reset = 1", {random({1, 114})}),
    row("both ways, lengths, a state", {.cell = "GRU", .hidden = 6, .directions = 2, .linear_before_reset = true},
        {4, 2, 3}, "direction = \"bidirectional\", linear_before_reset = 1",
        {random({2, 36}), i32({2}, {3, 4}), random({2, 2, 6})}),
    row("batches first, from the end", {.cell = "GRU", .hidden = 4, .reverse = true, .batch_first = true}, {3, 2, 5},
        "layout = 1, direction = \"reverse\""),
    row("hard sigmoid and softsign",
        {.cell = "GRU",
         .hidden = 5,
         .functions = {[](double x) { return std::clamp(0.3 * x + 0.4, 0.0, 1.0); },
                       [](double x) { return x / (1 + std::abs(x)); }}},
        {3, 2, 2}, "activations = [\"HardSigmoid\", \"Softsign\"], activation_alpha = [0.3], activation_beta = [0.4]"),
    row("f16", {"GRU", 5}, {3, 2, 2}, "", {}, 5e-3, DataType::f16),
};
const std::vector<Case> lstm_cases = {
    row("one step", {"LSTM", 3}, {1, 1, 2}),
    row("as wide as a panel and more", {"LSTM", 33}, {3, 9, 5}, "", {random({1, 264})}),
    row("states that come in", {"LSTM", 8}, {2, 3, 4}, "",
        {random({1, 64}), absent(), random({1, 3, 8}), random({1, 3, 8})}),
    row("peepholes", {"LSTM", 5}, {4, 2, 3}, "", {random({1, 40}), absent(), absent(), absent(), random({1, 15})}),
    row("both ways, lengths, all inputs", {"LSTM", 6, 2}, {4, 3, 2}, "direction = \"bidirectional\"",
        {random({2, 48}), i32({3}, {4, 1, 0}), random({2, 3, 6}), random({2, 3, 6}), random({2, 18})}),
    row("input and forget gate are one, bounded", {.cell = "LSTM", .hidden = 4, .input_forget = true, .clip = 0.5},
        {3, 2, 5}, "input_forget = 1, clip = 0.5"),
    row("batches first", {.cell = "LSTM", .hidden = 4, .batch_first = true}, {3, 2, 5}, "layout = 1",
        {absent(), absent(), random({2, 1, 4}), random({2, 1, 4})}),
    row("elu, leaky relu and softplus",
        {.cell = "LSTM",
         .hidden = 5,
         .functions = {[](double x) { return x < 0 ? 0.7 * std::expm1(x) : x; },
                       [](double x) { return x < 0 ? 0.2 * x : x; }, [](double x) { return std::log1p(std::exp(x)); }}},
        {2, 2, 3}, "activations = [\"Elu\", \"LeakyRelu\", \"Softplus\"], activation_alpha = [0.7, 0.2]"),
    row("bf16", {"LSTM", 5}, {3, 2, 2}, "", {}, 3e-2, DataType::bf16),
};

}  // namespace

HEED_TEST_OPERATOR("RNN", rnn_cases)
HEED_TEST_OPERATOR("GRU", gru_cases)
HEED_TEST_OPERATOR("LSTM", lstm_cases)

TEST_CASE("recurrent layers refuse what does not fit") {
  const Case fitting = row("", {"LSTM", 3}, {2, 1, 2});
  Case bad = fitting;
  bad.attributes = "hidden_size = 4";
  check_refused("LSTM", bad, "hidden_size");
  bad.attributes = "hidden_size = 3, activations = [\"Sigmoid\", \"Tanh\"]";
  check_refused("LSTM", bad, "activations");
  bad.attributes = "hidden_size = 3, activations = [\"Sigmoid\", \"Tanh\", \"Sine\"]";
  check_refused("LSTM", bad, "sine");
  bad.attributes = "hidden_size = 3, direction = \"sideways\"";
  check_refused("LSTM", bad, "sideways");
  bad.attributes = "hidden_size = 3, layout = 2";
  check_refused("LSTM", bad, "layout");
}

}  // namespace heed::test
