// heed.Recurrence, as ops/heed_recurrence.cpp states it. The scalar kernel is that formula and serves every type. The
// vector kernels serve f32: the recurrent weights lie in panels, one set for each gate, and what a cell makes of its
// gates is a program of vector loops (fused_elementwise.hpp).
#include <array>
#include <cmath>
#include <string>

#include "convert.hpp"
#include "fused_elementwise.hpp"
#include "gemm_panels.hpp"
#include "heed/cell.hpp"
#include "product.hpp"
#include "walk.hpp"

namespace heed::cpu {
namespace {

enum { gates_input, recurrent_input, bias_input, lengths_input, h_input, c_input, peepholes_input };
enum { y_output, h_output, c_output };
enum class Cell { rnn, gru, lstm };
constexpr int64_t gate_counts[] = {1, 3, 4}, function_counts[] = {1, 2, 3};

Cell cell_of(const NodeView& node) {
  const auto name = node.text("cell");
  return name == "rnn" ? Cell::rnn : name == "gru" ? Cell::gru : Cell::lstm;
}

// Sizes, where the parts of a direction of a batch begin, and the outputs that are asked for.
struct Sizes {
  int64_t steps, batches, directions, gates, hidden;
  TensorView outputs[3] = {};
  Sizes(const Running& run, int64_t direction_count, int64_t hidden_count)
      : steps(run.input(gates_input).dim(0)),
        batches(run.input(gates_input).dim(1)),
        directions(direction_count),
        gates(gate_counts[static_cast<size_t>(cell_of(run))]),
        hidden(hidden_count) {}
  int64_t gates_at(int64_t step, int64_t batch, int64_t direction) const {
    return ((step * batches + batch) * directions + direction) * gates * hidden;
  }
  int64_t y_at(int64_t step, int64_t direction, int64_t batch) const {
    return ((step * directions + direction) * batches + batch) * hidden;
  }
  int64_t state_at(int64_t direction, int64_t batch) const { return (direction * batches + batch) * hidden; }

  Result<void> check(const Running& run) const {
    const int64_t columns = gates * hidden;
    if (run.input(gates_input).dim(2) == directions * columns && run.input(recurrent_input).dim(2) == columns) return {};
    return Error{Code::shape_mismatch, "the weights are not of " + std::to_string(directions) + " directions and " +
                                           std::to_string(hidden) + " hidden elements, as the recurrent ones are"};
  }

  Result<void> allocate_outputs(const Running& run) {
    for (int32_t output = y_output; output < run.output_count(); ++output) {
      if (!run.has_output(output)) continue;
      std::vector<int64_t> dims{directions, batches, hidden};
      if (output == y_output) dims.insert(dims.begin(), steps);
      HEED_ASSIGN(outputs[output], run.allocate(output, dims));
    }
    return {};
  }
};

bool is_reverse(const NodeView& node, int64_t direction) {
  return direction == 1 || node.text("direction") == "reverse";
}

int64_t length_of(const Running& run, const Sizes& s, int64_t batch) {
  const auto lengths = run.input(lengths_input);
  return lengths.present() ? std::clamp<int64_t>(lengths.data<int32_t>()[batch], 0, s.steps) : s.steps;
}

// ---- scalar
// -----------------------------------------------------------------------------------------------------------

template <class T>
T applied(const CellFunction& function, T x) {
  const T alpha = function.alpha, beta = function.beta;
  switch (function.activation) {
    case Activation::relu:
      return std::max(x, T{0});
    case Activation::tanh:
      return std::tanh(x);
    case Activation::sigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::affine:
      return alpha * x + beta;
    case Activation::leaky_relu:
      return x < 0 ? alpha * x : x;
    case Activation::thresholded_relu:
      return x > alpha ? x : 0;
    case Activation::scaled_tanh:
      return alpha * std::tanh(beta * x);
    case Activation::hard_sigmoid:
      return std::clamp(alpha * x + beta, T{0}, T{1});
    case Activation::elu:
      return x < 0 ? alpha * std::expm1(x) : x;
    case Activation::softsign:
      return x / (1 + std::abs(x));
    case Activation::softplus:
      return std::max(x, T{0}) + std::log1p(std::exp(-std::abs(x)));
  }
  return x;
}

template <class T>
std::vector<T> read_list(const TensorView& tensor, int64_t first, int64_t count) {
  std::vector<T> list(static_cast<size_t>(count), T{0});
  if (tensor.present()) read_elements(tensor.element(), tensor.c.data, first, 1, count, list.data());
  return list;
}

template <class T>
void run_direction(const Running& run, const Sizes& s, const CellFunction* functions, int64_t direction,
                   int64_t batch) {
  const Cell cell = cell_of(run);
  const auto recurrent = run.input(recurrent_input);
  const bool linear_before_reset = run.integer("linear_before_reset") != 0,
             input_forget = run.integer("input_forget") != 0;
  const T bound = run.number("clip") == 0 ? std::numeric_limits<T>::infinity() : static_cast<T>(run.number("clip"));
  const auto function = [&](int which, T x) { return applied(functions[which], std::clamp(x, -bound, bound)); };
  const int64_t length = length_of(run, s, batch), columns = s.gates * s.hidden;
  const auto size = static_cast<size_t>(s.hidden);

  const auto bias = read_list<T>(run.input(bias_input), direction * columns, columns);
  const auto peepholes = read_list<T>(run.input(peepholes_input), direction * 3 * s.hidden, 3 * s.hidden);
  auto h = read_list<T>(run.input(h_input), s.state_at(direction, batch), s.hidden);
  auto c = read_list<T>(run.input(c_input), s.state_at(direction, batch), s.hidden);
  std::vector<T> weights(size), product(static_cast<size_t>(columns)), next(size), reset(size);
  // product = bias + R left, of the gates from one on.
  const auto multiply = [&](const std::vector<T>& left, int64_t first_gate, int64_t end_gate) {
    const int64_t begin = first_gate * s.hidden, count = end_gate * s.hidden - begin;
    weights.resize(static_cast<size_t>(count));
    std::copy_n(bias.begin() + begin, count, product.begin() + begin);
    for (int64_t k = 0; k < s.hidden; ++k) {
      read_elements(recurrent.element(), recurrent.c.data,
                    direction * recurrent.stride(0) + k * recurrent.stride(1) + begin * recurrent.stride(2),
                    recurrent.stride(2), count, weights.data());
      for (int64_t i = 0; i < count; ++i)
        product[static_cast<size_t>(begin + i)] += left[static_cast<size_t>(k)] * weights[static_cast<size_t>(i)];
    }
  };
  const auto& y = s.outputs[y_output];
  for (int64_t t = 0; t < s.steps; ++t) {
    const int64_t at = t < length && is_reverse(run, direction) ? length - 1 - t : t;
    if (t < length) {
      const auto gates = read_list<T>(run.input(gates_input), s.gates_at(at, batch, direction), columns);
      multiply(h, 0, s.gates);
      const auto sum = [&](size_t gate, size_t i) { return gates[gate * size + i] + product[gate * size + i]; };
      switch (cell) {
        case Cell::rnn:
          for (size_t i = 0; i < size; ++i) next[i] = function(0, sum(0, i));
          break;
        case Cell::gru:
          for (size_t i = 0; i < size; ++i) reset[i] = function(0, sum(1, i));
          if (linear_before_reset) {
            for (size_t i = 0; i < size; ++i) product[2 * size + i] *= reset[i];
          } else {
            for (size_t i = 0; i < size; ++i) reset[i] *= h[i];
            multiply(reset, 2, 3);
          }
          for (size_t i = 0; i < size; ++i) {
            const T z = function(0, sum(0, i));
            next[i] = (1 - z) * function(1, sum(2, i)) + z * h[i];
          }
          break;
        case Cell::lstm:
          for (size_t i = 0; i < size; ++i) {
            const T in = function(0, sum(0, i) + peepholes[i] * c[i]);
            const T forget = input_forget ? 1 - in : function(0, sum(2, i) + peepholes[2 * size + i] * c[i]);
            c[i] = forget * c[i] + in * function(1, sum(3, i));
            next[i] = function(0, sum(1, i) + peepholes[size + i] * c[i]) * function(2, c[i]);
          }
          break;
      }
      std::swap(h, next);
    } else {
      std::fill(next.begin(), next.end(), T{0});
    }
    if (y.present())
      write_elements(y.element(), t < length ? h.data() : next.data(), s.hidden, y.c.data,
                     s.y_at(at, direction, batch));
  }
  if (const auto& last = s.outputs[h_output]; last.present())
    write_elements(last.element(), h.data(), s.hidden, last.c.data, s.state_at(direction, batch));
  if (const auto& last = s.outputs[c_output]; last.present())
    write_elements(last.element(), c.data(), s.hidden, last.c.data, s.state_at(direction, batch));
}

Result<void> run_scalar(Running& run) {
  const auto recurrent = run.input(recurrent_input);
  HEED_TRY(check_rank(run, gates_input, 3));
  HEED_TRY(check_rank(run, recurrent_input, 3));
  Sizes s(run, recurrent.dim(0), recurrent.dim(1));
  HEED_TRY(s.check(run));
  HEED_TRY(s.allocate_outputs(run));
  HEED_ASSIGN(const auto functions, parse_cell_functions(run.text("functions")));
  const int64_t count = function_counts[static_cast<size_t>(cell_of(run))];
  dispatch_float(run.input(gates_input).element(), [&]<class T>(T) {
    run.parallel_for(s.directions * s.batches, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        run_direction<T>(run, s, functions.data() + i / s.batches * count, i / s.batches, i % s.batches);
    });
  });
  return {};
}

Result<void> plan_scalar(Planning& node) {
  node.take_strided(recurrent_input);
  return {};
}

// ---- vector
// -----------------------------------------------------------------------------------------------------------

constexpr int64_t rows_at_once = 8;  // of few_rows
constexpr int32_t most_registers = 16;

// What programs read, one list of `hidden` numbers each; `made` is what an earlier program of the cell gave.
enum Slot {
  gate_0,
  gate_1,
  gate_2,
  gate_3,
  product_0,
  product_1,
  product_2,
  product_3,
  bias_0,
  bias_1,
  bias_2,
  bias_3,
  peephole_i,
  peephole_o,
  peephole_f,
  h_slot,
  c_slot,
  made_slot,
  slot_count
};
constexpr std::string_view slot_names[] = {"g0", "g1", "g2", "g3", "p0", "p1", "p2", "p3", "b0",
                                           "b1", "b2", "b3", "pi", "po", "pf", "h",  "c",  "made"};

struct CellPrograms {
  FusedProgram made, next;  // `made`: of a GRU the reset gate, by h or not; of an LSTM the new c
};
struct Kept {
  int64_t directions, hidden;
  const float* panels;  // [direction][gate][panel][k][width]; the weights themselves are gone
  CellPrograms programs[2];
};

// The text of `function` of a statement that is named before: "y = <text>".
std::string text_of(const CellFunction& function, const std::string& x) {
  const auto number = [](float value) {
    char digits[64];
    return "(" +
           std::string(digits, std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed).ptr) +
           ")";
  };
  const std::string alpha = number(function.alpha), beta = number(function.beta);
  switch (function.activation) {
    case Activation::relu:
      return "max(" + x + ", 0)";
    case Activation::tanh:
      return "tanh(" + x + ")";
    case Activation::sigmoid:
      return "sigmoid(" + x + ")";
    case Activation::affine:
      return alpha + " * " + x + " + " + beta;
    case Activation::leaky_relu:
      return "select(" + x + " < 0, " + alpha + " * " + x + ", " + x + ")";
    case Activation::thresholded_relu:
      return "select(" + x + " > " + alpha + ", " + x + ", 0)";
    case Activation::scaled_tanh:
      return alpha + " * tanh(" + beta + " * " + x + ")";
    case Activation::hard_sigmoid:
      return "min(max(" + alpha + " * " + x + " + " + beta + ", 0), 1)";
    case Activation::elu:
      return "select(" + x + " < 0, " + alpha + " * (exp(" + x + ") - 1), " + x + ")";
    case Activation::softsign:
      return x + " / (1 + abs(" + x + "))";
    case Activation::softplus:
      return "max(" + x + ", 0) + log(1 + exp(-abs(" + x + ")))";
  }
  return x;
}

class CellText {
 public:
  CellText(const NodeView& node, const CellFunction* functions)
      : functions_(functions),
        has_bias_(node.has_input(bias_input)),
        has_peepholes_(node.has_input(peepholes_input)),
        clip_(node.number("clip")) {}

  // "name = what the gate adds up to"
  std::string product(const std::string& name, int gate) const {
    const auto index = std::to_string(gate);
    return name + " = p" + index + (has_bias_ ? " + b" + index : "") + "; ";
  }
  std::string sum(const std::string& name, int gate, const std::string& peephole = "",
                  const std::string& c = "c") const {
    const auto index = std::to_string(gate);
    return name + " = g" + index + " + p" + index + (has_bias_ ? " + b" + index : "") +
           (has_peepholes_ && !peephole.empty() ? " + " + peephole + " * " + c : "") + "; ";
  }
  // "name = f(x)"
  std::string apply(const std::string& name, int function, const std::string& x) const {
    if (clip_ == 0) return name + " = " + text_of(functions_[function], x) + "; ";
    char digits[64];
    const std::string bound(digits, std::to_chars(digits, digits + sizeof digits, clip_, std::chars_format::fixed).ptr);
    return x + "_kept = min(max(" + x + ", -" + bound + "), " + bound + "); " + name + " = " +
           text_of(functions_[function], x + "_kept") + "; ";
  }

 private:
  const CellFunction* functions_;
  bool has_bias_, has_peepholes_;
  float clip_;
};

Result<void> compile_text(const std::string& text, FusedProgram& program) {
  std::vector<ExpressionInput> inputs;
  for (const auto name : slot_names) inputs.push_back({name, DataType::f32});
  HEED_ASSIGN(const auto expression, parse_expression(text, inputs));
  HEED_TRY(compile(expression, slot_count, program));
  if (program.register_count > most_registers) return Error{Code::unsupported, "the cell needs too many registers"};
  return {};
}

Result<void> compile_cell(const NodeView& node, const CellFunction* functions, CellPrograms& programs) {
  const CellText cell(node, functions);
  switch (cell_of(node)) {
    case Cell::rnn:
      return compile_text(cell.sum("x", 0) + cell.apply("f", 0, "x") + "f", programs.next);
    case Cell::gru: {
      const bool linear = node.integer("linear_before_reset") != 0;
      HEED_TRY(compile_text(cell.sum("x", 1) + cell.apply("r", 0, "x") + (linear ? "r" : "r * h"), programs.made));
      const std::string inner = cell.product("q", 2) + (linear ? "m = g2 + made * q; " : "m = g2 + q; ");
      return compile_text(
          cell.sum("x", 0) + cell.apply("z", 0, "x") + inner + cell.apply("n", 1, "m") + "(1 - z) * n + z * h",
          programs.next);
    }
    case Cell::lstm: {
      const std::string forget =
          node.integer("input_forget") != 0 ? "f = 1 - i; " : cell.sum("y", 2, "pf") + cell.apply("f", 0, "y");
      HEED_TRY(compile_text(cell.sum("x", 0, "pi") + cell.apply("i", 0, "x") + forget + cell.sum("w", 3) +
                                cell.apply("n", 1, "w") + "f * c + i * n",
                            programs.made));
      return compile_text(
          cell.sum("x", 1, "po", "made") + cell.apply("o", 0, "x") + "u = made; " + cell.apply("v", 2, "u") + "o * v",
          programs.next);
    }
  }
  return {};
}

Result<void> prepare_vector(Preparing& node, const PanelKernels& kernels) {
  auto* kept = node.keep<Kept>();
  HEED_ASSIGN(const auto functions, parse_cell_functions(node.text("functions")));
  const auto cell = static_cast<size_t>(cell_of(node));
  const auto recurrent = *node.constant(recurrent_input);
  const int64_t directions = recurrent.dim(0), hidden = recurrent.dim(1), gates = gate_counts[cell];
  const int64_t gate_floats = ceil_divide(hidden, kernels.panel_width) * kernels.panel_width * hidden;
  auto* panels =
      static_cast<float*>(node.keep_bytes(static_cast<size_t>(directions * gates * gate_floats) * sizeof(float)));
  if (kept == nullptr || (panels == nullptr && directions * gates * gate_floats > 0))
    return Error{Code::out_of_memory, "no memory for packed recurrent weights"};
  for (int64_t d = 0; d < directions; ++d) {
    HEED_TRY(compile_cell(node, functions.data() + d * function_counts[cell], kept->programs[d]));
    for (int64_t gate = 0; gate < gates; ++gate)
      pack_panels(recurrent.data<float>() + d * recurrent.stride(0) + gate * hidden * recurrent.stride(2),
                  recurrent.stride(1), recurrent.stride(2), hidden, hidden, kernels.panel_width,
                  panels + (d * gates + gate) * gate_floats);
  }
  kept->directions = directions, kept->hidden = hidden, kept->panels = panels;
  node.replaced(recurrent_input);
  return {};
}

// Some batches of a direction, all steps.
class Rows {
 public:
  Rows(const Running& run, const Sizes& s, const PanelKernels& kernels, RunFused run_fused, int64_t direction,
       int64_t first_batch, int64_t batch_count)
      : run_(run),
        s_(s),
        kernels_(kernels),
        run_fused_(run_fused),
        kept_(*run.kept<Kept>()),
        cell_(cell_of(run)),
        direction_(direction),
        first_batch_(first_batch),
        count_(batch_count),
        hidden_(static_cast<size_t>(s.hidden)),
        h_(rows()),
        c_(rows()),
        made_(rows()),
        next_(rows()),
        products_(rows() * static_cast<size_t>(s.gates)),
        registers_(most_registers * hidden_) {
    read_state(h_input, h_);
    read_state(c_input, c_);
  }

  void run() {
    int64_t most = 0;
    for (int64_t b = 0; b < count_; ++b) most = std::max(most, length_of(run_, s_, first_batch_ + b));
    for (int64_t t = 0; t < most; ++t) step(t);
    const auto& y = s_.outputs[y_output];
    for (int64_t b = 0; y.present() && b < count_; ++b)
      for (int64_t t = length_of(run_, s_, first_batch_ + b); t < s_.steps; ++t)
        std::fill_n(y.data<float>() + s_.y_at(t, direction_, first_batch_ + b), s_.hidden, 0.0f);
    write_state(h_output, h_);
    write_state(c_output, c_);
  }

 private:
  size_t rows() const { return static_cast<size_t>(count_) * hidden_; }

  void read_state(int32_t input, std::vector<float>& state) {
    if (const auto given = run_.input(input); given.present())
      std::copy_n(given.data<float>() + s_.state_at(direction_, first_batch_), state.size(), state.begin());
  }
  void write_state(int32_t output, const std::vector<float>& state) {
    if (const auto& last = s_.outputs[output]; last.present())
      std::copy(state.begin(), state.end(), last.data<float>() + s_.state_at(direction_, first_batch_));
  }

  void multiply(const std::vector<float>& left, int64_t first_gate, int64_t end_gate) {
    const int64_t panel_count = ceil_divide(s_.hidden, kernels_.panel_width), panel = s_.hidden * kernels_.panel_width;
    for (int64_t gate = first_gate; gate < end_gate; ++gate)
      kernels_.few_rows({.a = left.data(),
                         .a_row_stride = s_.hidden,
                         .row_count = count_,
                         .k_count = s_.hidden,
                         .b = kept_.panels + (direction_ * s_.gates + gate) * panel_count * panel,
                         .panel_stride = panel,
                         .k_stride = kernels_.panel_width,
                         .padded = true,
                         .panel_begin = 0,
                         .panel_end = panel_count,
                         .column_count = s_.hidden,
                         .y = products_.data() + gate * s_.hidden,
                         .y_row_stride = s_.gates * s_.hidden});
  }

  // Of batch b at a step, into `to`.
  void apply(const FusedProgram& program, int64_t b, int64_t at, float* to) {
    FusedSlot slots[FusedProgram::most_slots];
    const auto set = [&](int slot, const float* list) { slots[slot] = {const_cast<float*>(list), true}; };
    const auto list_of = [&](int32_t input, int64_t first) {
      const auto tensor = run_.input(input);
      return tensor.present() ? tensor.data<float>() + first : nullptr;
    };
    const float* gates = run_.input(gates_input).data<float>() + s_.gates_at(at, first_batch_ + b, direction_);
    const float* bias = list_of(bias_input, direction_ * s_.gates * s_.hidden);
    const float* peepholes = list_of(peepholes_input, direction_ * 3 * s_.hidden);
    for (int gate = 0; gate < s_.gates; ++gate) {
      set(gate_0 + gate, gates + gate * s_.hidden);
      set(product_0 + gate, products_.data() + (b * s_.gates + gate) * s_.hidden);
      if (bias) set(bias_0 + gate, bias + gate * s_.hidden);
    }
    for (int k = 0; peepholes && k < 3; ++k) set(peephole_i + k, peepholes + k * s_.hidden);
    set(h_slot, h_.data() + b * s_.hidden);
    set(c_slot, c_.data() + b * s_.hidden);
    set(made_slot, made_.data() + b * s_.hidden);
    set_own_slots(program, registers_.data(), static_cast<int64_t>(hidden_), slots);
    slots[program.output()] = {to, true};
    run_fused_(program, slots, s_.hidden);
  }

  // The step t of every batch that has one; the others keep their state.
  void step(int64_t t) {
    const auto& programs = kept_.programs[direction_];
    const auto& y = s_.outputs[y_output];
    const bool resets_before = cell_ == Cell::gru && run_.integer("linear_before_reset") == 0;
    multiply(h_, 0, resets_before ? 2 : s_.gates);
    const auto for_each_batch = [&](auto&& body) {
      for (int64_t b = 0; b < count_; ++b)
        if (const int64_t length = length_of(run_, s_, first_batch_ + b); t < length)
          body(b, is_reverse(run_, direction_) ? length - 1 - t : t);
    };
    if (cell_ != Cell::rnn)
      for_each_batch([&](int64_t b, int64_t at) { apply(programs.made, b, at, made_.data() + b * s_.hidden); });
    if (resets_before) multiply(made_, 2, 3);
    for_each_batch([&](int64_t b, int64_t at) {
      float* h = h_.data() + b * s_.hidden;
      apply(programs.next, b, at, next_.data() + b * s_.hidden);
      std::copy_n(next_.data() + b * s_.hidden, s_.hidden, h);
      if (cell_ == Cell::lstm) std::copy_n(made_.data() + b * s_.hidden, s_.hidden, c_.data() + b * s_.hidden);
      if (y.present()) std::copy_n(h, s_.hidden, y.data<float>() + s_.y_at(at, direction_, first_batch_ + b));
    });
  }

  const Running& run_;
  const Sizes& s_;
  const PanelKernels& kernels_;
  RunFused run_fused_;
  const Kept& kept_;
  Cell cell_;
  int64_t direction_, first_batch_, count_;
  size_t hidden_;
  std::vector<float> h_, c_, made_, next_, products_, registers_;
};

Result<void> run_vector(Running& run, const PanelKernels& kernels, RunFused run_fused) {
  const auto& kept = *run.kept<Kept>();
  Sizes s(run, kept.directions, kept.hidden);
  HEED_TRY(s.allocate_outputs(run));
  if (s.hidden == 0 || s.batches == 0) return {};
  const int64_t groups = ceil_divide(s.batches, rows_at_once);
  run.parallel_for(s.directions * groups, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i % groups * rows_at_once;
      Rows(run, s, kernels, run_fused, i / groups, first, std::min(rows_at_once, s.batches - first)).run();
    }
  });
  return {};
}

template <Isa isa>
Result<void> plan_vector(Planning& node) {
  HEED_TRY(require_isa(node, isa));
  if (node.input(gates_input).element() != DataType::f32) return decline("elements are not f32");
  if (panel_kernels(isa) == nullptr || fused_with(isa) == nullptr)
    return decline("it is not compiled for " + std::string(name_of(isa)));
  if (!node.constant(recurrent_input)) return decline("the recurrent weights are no constant");
  return plan_scalar(node);
}

template <Isa isa, int32_t score>
CpuKernel vector_kernel() {
  return {.domain = "heed",
          .op_type = "Recurrence",
          .name = name_of(isa),
          .score = score,
          .plan = plan_vector<isa>,
          .prepare = [](Preparing& node) { return prepare_vector(node, *panel_kernels(isa)); },
          .run = [](Running& run) { return run_vector(run, *panel_kernels(isa), fused_with(isa)); }};
}

}  // namespace

extern const CpuKernel heed_recurrence{
    .domain = "heed", .op_type = "Recurrence", .plan = plan_scalar, .run = run_scalar};
extern const CpuKernel heed_recurrence_neon = vector_kernel<Isa::neon, 5>();
extern const CpuKernel heed_recurrence_avx2 = vector_kernel<Isa::avx2, 10>();
extern const CpuKernel heed_recurrence_avx512 = vector_kernel<Isa::avx512, 20>();

}  // namespace heed::cpu
