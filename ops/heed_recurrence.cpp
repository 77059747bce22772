// heed.Recurrence: what RNN, GRU and LSTM do from one step to the next. `gates` holds what each step's input adds to
// the gates, for all steps at once, bias included: it is a product that needs no step before it. With h and c of the
// step before (of a GRU and an RNN h alone), r_g = R_g h + bias_g for each gate g, f, g, h the functions of the
// direction, each applied to what `clip` bounds, where it is set:
//
//   rnn    h' = f(gates + r)
//   gru    z = f(gates_z + r_z); r = f(gates_r + r_r)
//          n = g(gates_h + r * r_h)   with linear_before_reset, else g(gates_h + R_h (r * h) + bias_h)
//          h' = (1 - z) * n + z * h
//   lstm   i = f(gates_i + r_i + p_i * c); f = f(gates_f + r_f + p_f * c)   with input_forget f = 1 - i
//          c' = f * c + i * g(gates_c + r_c); o = f(gates_o + r_o + p_o * c'); h' = o * h(c')
//
// Gates stand in ONNX's order: z r h, and i o f c; the peepholes p as i o f. The second direction, or the only one of
// "reverse", begins at the last step of each batch. Behind lengths[batch] steps y is zero; y_h and y_c are the last
// ones. State and sums are f32 (f64 for f64).
#include "heed/cell.hpp"
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

enum { gates_input, recurrent_input, bias_input, lengths_input, h_input, c_input, peepholes_input };
enum { y_output, h_output, c_output };
enum class Cell : uint32_t { rnn, gru, lstm };

struct CellRule {
  std::string_view name;
  int64_t gate_count, function_count;
};
constexpr CellRule cell_rules[] = {{"rnn", 1, 1}, {"gru", 3, 2}, {"lstm", 4, 3}};

Result<Cell> cell_of(const NodeView& node) {
  for (size_t i = 0; i < std::size(cell_rules); ++i)
    if (cell_rules[i].name == node.text("cell")) return static_cast<Cell>(i);
  return Error{Code::invalid_model,
               "attribute 'cell' is '" + std::string(node.text("cell")) + "'; expected rnn, gru or lstm"};
}

Result<void> infer(Inference& node) {
  HEED_ASSIGN(const Cell cell, cell_of(node));
  const auto& rule = cell_rules[static_cast<size_t>(cell)];
  const auto gates = node.input(gates_input), recurrent = node.input(recurrent_input);
  const auto direction = node.text("direction", "forward");
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional")
    return Error{Code::invalid_model, "attribute 'direction' is '" + std::string(direction) + "'"};
  const int64_t directions = direction == "bidirectional" ? 2 : 1;
  HEED_ASSIGN(const auto functions, parse_cell_functions(node.text("functions")));
  if (std::ssize(functions) != directions * rule.function_count)
    return Error{Code::invalid_model, "attribute 'functions' names " + std::to_string(functions.size()) +
                                          "; expected " + std::to_string(directions * rule.function_count)};
  if (node.number("clip") < 0) return Error{Code::invalid_model, "attribute 'clip' is negative"};
  HEED_TRY(node.require_rank(gates_input, 3));
  HEED_TRY(node.require_rank(recurrent_input, 3));
  if (!gates.has_rank() || !recurrent.has_rank()) {
    for (int32_t output = 0; output < node.output_count(); ++output)
      if (node.has_output(output)) HEED_TRY(node.set_output(output, gates.element()));
    return {};
  }
  const Dim steps = gates.dim(0), batch = gates.dim(1), hidden = recurrent.dim(1), columns = hidden * rule.gate_count;
  HEED_TRY(node.require_equal(recurrent.dim(0), directions, "directions of the recurrent weights"));
  HEED_TRY(node.require_equal(recurrent.dim(2), columns, "columns of the recurrent weights"));
  HEED_TRY(node.require_equal(gates.dim(2), columns * directions, "gates and recurrent weights"));
  const auto check = [&](int32_t input, std::string_view name, Dims expected) -> Result<void> {
    if (!node.has_input(input)) return {};
    HEED_TRY(node.require_rank(input, static_cast<int32_t>(expected.size())));
    if (!node.input(input).has_rank()) return {};
    for (size_t axis = 0; axis < expected.size(); ++axis)
      HEED_TRY(node.require_equal(node.input(input).dims()[axis], expected[axis],
                                  "axis " + std::to_string(axis) + " of " + std::string(name)));
    return {};
  };
  HEED_TRY(check(bias_input, "the bias", {directions, columns}));
  HEED_TRY(check(lengths_input, "sequence_lens", {batch}));
  HEED_TRY(check(h_input, "initial_h", {directions, batch, hidden}));
  HEED_TRY(check(c_input, "initial_c", {directions, batch, hidden}));
  HEED_TRY(check(peepholes_input, "the peepholes", {directions, 3 * hidden}));
  if (node.has_output(y_output))
    HEED_TRY(node.set_output(y_output, gates.element(), Dims{steps, directions, batch, hidden}));
  for (const int32_t output : {h_output, c_output})
    if (node.has_output(output)) HEED_TRY(node.set_output(output, gates.element(), Dims{directions, batch, hidden}));
  return {};
}

// ---- on a GPU: a workgroup for each direction of each batch, all steps one after the other --------------------------

constexpr int64_t most_hidden = 1024;        // of a state in shared memory
constexpr uint32_t activation_varies = 255;  // from one direction to the other

// Mirrors shaders/recurrence.comp.
struct Parameters {
  uint32_t step_count, direction_count, batch_count, hidden_count, last_is_reverse;
  uint32_t has_bias, has_lengths, has_h, has_c, has_peepholes;
  uint32_t has_y, has_y_h, has_y_c;
  uint32_t linear_before_reset, input_forget;
  float clip;  // infinity: none
  int32_t gates_offset, recurrent_offset, bias_offset, lengths_offset, h_offset, c_offset, peepholes_offset;
  int32_t y_offset, y_h_offset, y_c_offset;
  struct {
    uint32_t activation;
    float alpha, beta;
  } functions[6];
};

Result<GpuPlan> plan(Planning& node) {
  HEED_ASSIGN(const Cell cell, cell_of(node));
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::recurrence));
  const auto recurrent = node.input(recurrent_input);
  if (!recurrent.has_rank() || !recurrent.dim(1).is_number()) return decline("the size of the state is not known");
  if (recurrent.dim(1).number() > most_hidden)
    return decline("a state of more than " + std::to_string(most_hidden) + " numbers");
  std::vector<heed_binding> bindings;
  // What is absent is bound to something that is there, and never touched.
  for (int32_t input = gates_input; input <= peepholes_input; ++input)
    bindings.push_back(read(node.has_input(input) ? input : gates_input));
  for (const int32_t output : {y_output, h_output, c_output})
    bindings.push_back(output < node.output_count() && node.has_output(output) ? write(output) : read(gates_input));
  HEED_ASSIGN(const auto functions, parse_cell_functions(node.text("functions")));
  const auto count = static_cast<size_t>(cell_rules[static_cast<size_t>(cell)].function_count);
  std::vector<heed_constant> constants{{0, static_cast<uint32_t>(cell)}};
  for (uint32_t which = 0; which < count; ++which) {
    const auto activation = functions[which].activation;
    const bool varies = functions.size() > count && functions[which + count].activation != activation;
    constants.push_back({which + 1, varies ? activation_varies : static_cast<uint32_t>(activation)});
  }
  return GpuPlan{
      .variants = {{.name = "a direction of a batch a workgroup", .shader = shader, .constants = std::move(constants)}},
      .bindings = std::move(bindings)};
}

Result<Launch> bind(const Binding& node) {
  const auto gates = node.input(gates_input), recurrent = node.input(recurrent_input);
  const int64_t directions = recurrent.dim(0), batch = gates.dim(1);
  if (directions * batch * recurrent.dim(1) == 0) return Launch{};
  const auto offset = [&](int32_t input) { return node.has_input(input) ? offset_of(node.input(input)) : 0; };
  const auto has_output = [&](int32_t output) { return output < node.output_count() && node.has_output(output); };
  const auto output_offset = [&](int32_t output) { return has_output(output) ? offset_of(node.output(output)) : 0; };
  for (int32_t input = gates_input; input <= peepholes_input; ++input)
    if (node.has_input(input)) HEED_TRY(check_addressable(node.input(input), "input " + std::to_string(input)));
  if (has_output(y_output)) HEED_TRY(check_addressable(node.output(y_output), "the output"));
  HEED_ASSIGN(const auto functions, parse_cell_functions(node.text("functions")));
  Parameters p{.step_count = static_cast<uint32_t>(gates.dim(0)),
               .direction_count = static_cast<uint32_t>(directions),
               .batch_count = static_cast<uint32_t>(batch),
               .hidden_count = static_cast<uint32_t>(recurrent.dim(1)),
               .last_is_reverse = node.text("direction", "forward") != "forward",
               .has_bias = node.has_input(bias_input),
               .has_lengths = node.has_input(lengths_input),
               .has_h = node.has_input(h_input),
               .has_c = node.has_input(c_input),
               .has_peepholes = node.has_input(peepholes_input),
               .has_y = has_output(y_output),
               .has_y_h = has_output(h_output),
               .has_y_c = has_output(c_output),
               .linear_before_reset = node.integer("linear_before_reset") != 0,
               .input_forget = node.integer("input_forget") != 0,
               .clip = node.number("clip") == 0 ? std::numeric_limits<float>::infinity() : node.number("clip"),
               .gates_offset = offset(gates_input),
               .recurrent_offset = offset(recurrent_input),
               .bias_offset = offset(bias_input),
               .lengths_offset = offset(lengths_input),
               .h_offset = offset(h_input),
               .c_offset = offset(c_input),
               .peepholes_offset = offset(peepholes_input),
               .y_offset = output_offset(y_output),
               .y_h_offset = output_offset(h_output),
               .y_c_offset = output_offset(c_output),
               .functions = {}};
  for (size_t i = 0; i < functions.size(); ++i)
    p.functions[i] = {static_cast<uint32_t>(functions[i].activation), functions[i].alpha, functions[i].beta};
  return Launch{
      .dispatches = {{0, bytes_of(p), {static_cast<uint32_t>(std::min(batch * directions, most_workgroups)), 1, 1}}}};
}

}  // namespace

extern const Operator heed_recurrence{
    .domain = "heed",
    .op_type = "Recurrence",
    .inputs = {{"gates", "T"},                                   // [step, batch, direction * gate * hidden]
               {"recurrent", "T"},                               // [direction, hidden, gate * hidden]
               {"bias", "T", HEED_OPTIONAL_PARAMETER},           // [direction, gate * hidden]
               {"sequence_lens", "I", HEED_OPTIONAL_PARAMETER},  // [batch]
               {"initial_h", "T", HEED_OPTIONAL_PARAMETER},      // [direction, batch, hidden]
               {"initial_c", "T", HEED_OPTIONAL_PARAMETER},
               {"peepholes", "T", HEED_OPTIONAL_PARAMETER}},  // [direction, 3 * hidden]
    .outputs = {{"Y", "T", HEED_OPTIONAL_PARAMETER},          // [step, direction, batch, hidden]
                {"Y_h", "T", HEED_OPTIONAL_PARAMETER},
                {"Y_c", "T", HEED_OPTIONAL_PARAMETER}},
    .types = {{"T", any_float}, {"I", {DataType::i32}}},
    .attributes = {required("cell", HEED_ATTRIBUTE_STRING), attribute("clip", 0.0f), attribute("direction", "forward"),
                   required("functions", HEED_ATTRIBUTE_STRING), attribute("input_forget", 0),
                   attribute("linear_before_reset", 0)},
    .infer = infer,
    .plan = plan,
    .bind = bind};

}  // namespace heed::ops
