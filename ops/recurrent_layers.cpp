// RNN, GRU and LSTM: a product for the inputs of all steps at once, and heed.Recurrence from step to step.
#include "heed/cell.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

enum { x_input, w_input, r_input, b_input, lengths_input, h_input, c_input, peepholes_input };
enum { y_output, h_output, c_output };

struct Layer {
  std::string_view cell;
  int64_t gate_count;
  std::vector<std::string_view> functions;  // of a direction, where the model names none
};
const Layer rnn_layer{"rnn", 1, {"tanh"}}, gru_layer{"gru", 3, {"sigmoid", "tanh"}},
    lstm_layer{"lstm", 4, {"sigmoid", "tanh", "tanh"}};

Result<int64_t> direction_count(const NodeView& node) {
  const auto direction = node.text("direction", "forward");
  if (direction == "forward" || direction == "reverse") return 1;
  if (direction == "bidirectional") return 2;
  return Error{Code::invalid_model,
               "attribute 'direction' is '" + std::string(direction) + "'; expected forward, reverse or bidirectional"};
}

// The functions of all directions. Those that have parameters take them from activation_alpha and activation_beta in
// turn.
Result<std::vector<CellFunction>> functions_of(const NodeView& node, const Layer& layer) {
  HEED_ASSIGN(const int64_t directions, direction_count(node));
  std::vector<std::string> names;
  if (const auto given = node.texts("activations"); given && !given->empty()) {
    for (const heed_text name : *given) {
      std::string small;
      for (const char c : from_c(name)) small += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      names.push_back(std::move(small));
    }
  } else {
    for (int64_t d = 0; d < directions; ++d) names.insert(names.end(), layer.functions.begin(), layer.functions.end());
  }
  const auto expected = static_cast<size_t>(directions) * layer.functions.size();
  if (names.size() != expected)
    return Error{Code::invalid_model, "attribute 'activations' names " + std::to_string(names.size()) +
                                          " functions; expected " + std::to_string(expected)};
  std::vector<CellFunction> functions;
  size_t alphas = 0, betas = 0;
  for (const auto& name : names) {
    HEED_ASSIGN(auto parsed, parse_cell_functions(name));
    if (parsed.size() != 1) return Error{Code::invalid_model, "attribute 'activations' holds '" + name + "'"};
    auto& function = functions.emplace_back(parsed.front());
    const int32_t parameters = activation_rules[static_cast<size_t>(function.activation)].parameters;
    const auto take = [&](std::string_view attribute, size_t& taken, float& parameter) {
      if (const auto given = node.numbers(attribute); given && taken < given->size()) parameter = (*given)[taken++];
    };
    if (parameters > 0) take("activation_alpha", alphas, function.alpha);
    if (parameters > 1) take("activation_beta", betas, function.beta);
  }
  return functions;
}

Result<void> infer(Inference& node, const Layer& layer) {
  HEED_ASSIGN(const int64_t directions, direction_count(node));
  HEED_TRY(functions_of(node, layer));
  const int64_t layout = node.integer("layout");
  if (layout != 0 && layout != 1)
    return Error{Code::invalid_model, "attribute 'layout' is " + std::to_string(layout) + "; expected 0 or 1"};
  const auto x = node.input(x_input), w = node.input(w_input), r = node.input(r_input);
  for (const int32_t input : {x_input, w_input, r_input}) HEED_TRY(node.require_rank(input, 3));
  if (!x.has_rank() || !w.has_rank() || !r.has_rank()) {
    for (int32_t output = 0; output < node.output_count(); ++output)
      if (node.has_output(output)) HEED_TRY(node.set_output(output, x.element()));
    return {};
  }
  const Dim steps = x.dim(layout == 0 ? 0 : 1), batch = x.dim(layout == 0 ? 1 : 0), hidden = r.dim(2);
  if (const int64_t given = node.integer("hidden_size"); given != 0)
    HEED_TRY(node.require_equal(hidden, given, "columns of R and attribute 'hidden_size'"));
  const auto check = [&](int32_t input, std::string_view name, const Dims& expected) -> Result<void> {
    if (input >= node.input_count() || !node.has_input(input)) return {};
    HEED_TRY(node.require_rank(input, static_cast<int32_t>(expected.size())));
    if (!node.input(input).has_rank()) return {};
    for (size_t axis = 0; axis < expected.size(); ++axis)
      HEED_TRY(node.require_equal(node.input(input).dims()[axis], expected[axis],
                                  "axis " + std::to_string(axis) + " of " + std::string(name)));
    return {};
  };
  const Dim rows = hidden * layer.gate_count;
  const Dims state = layout == 0 ? Dims{directions, batch, hidden} : Dims{batch, directions, hidden};
  HEED_TRY(check(w_input, "W", {directions, rows, x.dim(2)}));
  HEED_TRY(check(r_input, "R", {directions, rows, hidden}));
  HEED_TRY(check(b_input, "B", {directions, 2 * rows}));
  HEED_TRY(check(lengths_input, "sequence_lens", {batch}));
  HEED_TRY(check(h_input, "initial_h", state));
  HEED_TRY(check(c_input, "initial_c", state));
  HEED_TRY(check(peepholes_input, "P", {directions, 3 * hidden}));
  if (node.has_output(y_output))
    HEED_TRY(
        node.set_output(y_output, x.element(),
                        layout == 0 ? Dims{steps, directions, batch, hidden} : Dims{batch, steps, directions, hidden}));
  for (int32_t output = h_output; output < node.output_count(); ++output)
    if (node.has_output(output)) HEED_TRY(node.set_output(output, x.element(), state));
  return {};
}

bool lower(Match& match, const Layer& layer) {
  const auto node = match.node("last_h");
  const auto functions = functions_of(node, layer);
  if (!functions) return false;
  const bool batch_first = node.integer("layout") != 0;
  match.set("functions", to_text(*functions));
  match.set("cell", layer.cell);
  match.set("clip", node.number("clip"));
  match.set("direction", node.text("direction", "forward"));
  match.set("input_forget", node.integer("input_forget"));
  match.set("linear_before_reset", node.integer("linear_before_reset"));
  match.set("list", std::vector<int64_t>{-1});

  const auto steps_first = [&](const std::string& value, const std::string& perm) {
    return batch_first ? "Transpose<perm = " + perm + ">(" + value + ")" : "Identity(" + value + ")";
  };
  const auto given = [&](const std::string& name, const std::string& value) {
    return match.type(name) ? value : std::string("\"\"");
  };
  std::string text = "steps = " + steps_first("x", "[1, 0, 2]") + ";" +
                     "all_rows = Concat<axis = 0>(Constant<value_ints = @list>(), Shape<start = 2>(w));"
                     "products = MatMul(steps, Transpose<perm = [1, 0]>(Reshape(w, all_rows)));";
  std::string gates = "products", bias = "\"\"";
  if (match.type("b")) {
    text +=
        "input_bias, bias = Split<axis = 1, num_outputs = 2>(b);"
        "gates = Add(products, Reshape(input_bias, Constant<value_ints = @list>()));";
    gates = "gates", bias = "bias";
  }
  for (const std::string state : {"h", "c"})
    if (match.type(state)) text += "first_" + state + " = " + steps_first(state, "[1, 0, 2]") + ";";
  const std::string names[] = {"y", "last_h", "last_c"};
  std::string results;
  for (int32_t output = 0; output < node.output_count(); ++output)
    results += (output == 0 ? "" : ", ") + (node.has_output(output) ? "own_" + names[output] : std::string("\"\""));
  text += results +
          " = heed.Recurrence<cell = @cell, clip = @clip, direction = @direction, functions = @functions, "
          "input_forget = @input_forget, linear_before_reset = @linear_before_reset>(" +
          gates + ", Transpose<perm = [0, 2, 1]>(r), " + bias + ", " + given("lengths", "lengths") + ", " +
          given("h", "first_h") + ", " + given("c", "first_c") + ", " + given("p", "p") + ")";
  for (int32_t output = 0; output < node.output_count(); ++output)
    if (node.has_output(output))
      text += "; " + names[output] + " = " +
              steps_first("own_" + names[output], output == 0 ? "[2, 0, 1, 3]" : "[1, 0, 2]");
  match.replace_by(text);
  return true;
}

Operator layer(std::string_view op_type, Result<void> (*infer)(Inference&), std::vector<AttributeRule> own,
               bool has_cell_state) {
  std::vector<Parameter> inputs = {{"X", "T"},
                                   {"W", "T"},
                                   {"R", "T"},
                                   {"B", "T", HEED_OPTIONAL_PARAMETER},
                                   {"sequence_lens", "I", HEED_OPTIONAL_PARAMETER},
                                   {"initial_h", "T", HEED_OPTIONAL_PARAMETER}};
  std::vector<Parameter> outputs = {{"Y", "T", HEED_OPTIONAL_PARAMETER}, {"Y_h", "T", HEED_OPTIONAL_PARAMETER}};
  if (has_cell_state) {
    inputs.push_back({"initial_c", "T", HEED_OPTIONAL_PARAMETER});
    inputs.push_back({"P", "T", HEED_OPTIONAL_PARAMETER});
    outputs.push_back({"Y_c", "T", HEED_OPTIONAL_PARAMETER});
  }
  std::vector<AttributeRule> attributes = {optional("activation_alpha", HEED_ATTRIBUTE_FLOATS),
                                           optional("activation_beta", HEED_ATTRIBUTE_FLOATS),
                                           optional("activations", HEED_ATTRIBUTE_STRINGS),
                                           attribute("clip", 0.0f),
                                           attribute("direction", "forward"),
                                           attribute("hidden_size", 0),
                                           attribute("layout", 0),
                                           attribute("output_sequence", 0)};
  attributes.insert(attributes.end(), own.begin(), own.end());
  return {.op_type = op_type,
          .versions = {22, 14, 7, 1},
          .inputs = std::move(inputs),
          .outputs = std::move(outputs),
          .types = {{"T", any_float}, {"I", {DataType::i32}}},
          .attributes = std::move(attributes),
          .infer = infer};
}

}  // namespace

extern const Operator rnn = layer(
    "RNN", [](Inference& node) { return infer(node, rnn_layer); }, {}, false);
extern const Operator gru = layer(
    "GRU", [](Inference& node) { return infer(node, gru_layer); }, {attribute("linear_before_reset", 0)}, false);
extern const Operator lstm = layer(
    "LSTM", [](Inference& node) { return infer(node, lstm_layer); }, {attribute("input_forget", 0)}, true);

extern const Rewrite rnn_lowered{.name = "rnn",
                                 .patterns = {"y, last_h = RNN(x, w, r, b, lengths, h)"},
                                 .replacement = "",
                                 .accept = [](Match& match) { return lower(match, rnn_layer); }};
extern const Rewrite gru_lowered{.name = "gru",
                                 .patterns = {"y, last_h = GRU(x, w, r, b, lengths, h)"},
                                 .replacement = "",
                                 .accept = [](Match& match) { return lower(match, gru_layer); }};
extern const Rewrite lstm_lowered{.name = "lstm",
                                  .patterns = {"y, last_h, last_c = LSTM(x, w, r, b, lengths, h, c, p)"},
                                  .replacement = "",
                                  .accept = [](Match& match) { return lower(match, lstm_layer); }};

}  // namespace heed::ops
