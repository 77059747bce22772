// What a decoder's inputs are for.
#include "decoder_inputs.hpp"

#include <algorithm>
#include <charconv>

#include "text/hints.hpp"

namespace heed::tool {
namespace {

constexpr auto integers = {DataType::i64, DataType::i32};
constexpr auto masking = {DataType::i64, DataType::i32, DataType::boolean,
                          DataType::f32, DataType::f16, DataType::bf16};
constexpr auto booleans = {DataType::boolean};
constexpr auto floats = {DataType::f32, DataType::f16, DataType::bf16};

// An input is what the first row says whose names it holds a part of, and whose types and ranks it has.
struct RoleRow {
  Role role;
  std::string_view meaning;
  std::initializer_list<std::string_view> names;
  std::initializer_list<DataType> elements;
  std::initializer_list<std::string_view> axes;  // of each rank that serves
};
const RoleRow role_rows[] = {
    {Role::token_types, "token types: zeros", {"token_type"}, integers, {"bs"}},
    {Role::mask, "mask: 1 for tokens, 0 for padding", {"mask"}, masking, {"bt"}},
    {Role::causal_mask, "causal mask: the keys that each query sees", {"mask", "attn_bias"}, masking, {"bst", "bnst"}},
    {Role::positions, "positions of the new tokens", {"position", "input_pos"}, integers, {"s", "bs", "nbs"}},
    {Role::uses_cache, "whether there is a past", {"use_cache"}, booleans, {"", "n"}},
    {Role::last_place, "tokens so far, less one", {"seqlens_k"}, integers, {"", "b", "bn"}},
    {Role::total_length,
     "tokens so far",
     {"total_seq", "kv_seqlen", "kv_seq_len", "kv_len"},
     integers,
     {"", "b", "bn"}},
    {Role::past_length,
     "tokens in the cache",
     {"write_ind", "past_len", "past_seq", "past_key_values_len", "cache_len", "cache_ind"},
     integers,
     {"", "b", "bn"}},
    {Role::logits_count, "places that logits are wanted of: 1", {"logits_to_keep"}, integers, {"", "n"}},
    {Role::ids, "token ids", {""}, integers, {"bs"}},
};

struct Match {
  Role role;
  std::string_view axes;
};

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::optional<Match> match(std::string_view name, const ValueType& type) {
  if (type.kind != Kind::tensor || !type.element || !type.dims) return std::nullopt;
  for (const RoleRow& row : role_rows) {
    const auto is_in = [&](const auto& list, const auto& wanted) {
      return std::find_if(list.begin(), list.end(), wanted);
    };
    if (is_in(row.names, [&](std::string_view part) { return contains(name, part); }) == row.names.end()) continue;
    if (is_in(row.elements, [&](DataType element) { return element == *type.element; }) == row.elements.end()) continue;
    const auto axes = is_in(row.axes, [&](std::string_view letters) { return letters.size() == type.dims->size(); });
    if (axes != row.axes.end()) return Match{row.role, *axes};
  }
  return std::nullopt;
}

bool is_number(Dim dim, int64_t number) { return dim.is_number() && dim.number() == number; }

// ---- the file's graph

// Tables with a row for each position: rank 2, constant.
struct PositionTable {
  std::string_view domain, op_type;
  size_t input;
};
constexpr PositionTable position_tables[] = {
    {"", "RotaryEmbedding", 1}, {"com.microsoft", "RotaryEmbedding", 2}, {"com.microsoft", "GroupQueryAttention", 7}};

bool is_op(const Node& node, std::string_view domain, std::string_view op_type) {
  return node.domain == domain && node.op_type == op_type;
}

// Whether the numbers of a value are positions: they come of an input of positions, or are counted in the graph, and
// neither depend on the ids nor are cut to a range.
bool are_positions(const Graph& graph, ValueId value) {
  constexpr std::string_view sizes[] = {"Shape", "Size"};
  constexpr std::string_view counts[] = {"Range", "CumSum"};
  constexpr std::string_view cuts[] = {"Log", "Min", "Clip", "Mod"};
  const auto is_among = [](const Node& node, std::span<const std::string_view> list) {
    return node.domain.empty() && std::find(list.begin(), list.end(), node.op_type) != list.end();
  };
  bool found = false;
  std::set<ValueId> seen;
  std::vector<ValueId> open = {value};
  while (!open.empty()) {
    const ValueId next = open.back();
    open.pop_back();
    if (next == no_id || !seen.insert(next).second) continue;
    const Value& met = graph.values[next];
    if (met.is_input) {
      const auto role = match(met.name, met.type);
      if (role && (role->role == Role::ids || role->role == Role::token_types)) return false;
      found |= role && role->role == Role::positions;
    }
    if (met.producer == no_id) continue;
    const Node& node = graph.nodes[met.producer];
    if (is_among(node, cuts)) return false;
    found |= is_among(node, counts);
    if (!is_among(node, sizes)) open.insert(open.end(), node.inputs.begin(), node.inputs.end());
  }
  return found;
}

// The number that a value always is, as an initializer or as a node Constant.
std::optional<int64_t> number_of(const Graph& graph, const Value& value) {
  const auto* constant = value.constant ? &*value.constant : nullptr;
  if (value.producer != no_id && is_op(graph.nodes[value.producer], "", "Constant"))
    for (const auto& [name, attribute] : graph.nodes[value.producer].attributes)
      constant = std::get_if<Tensor>(&attribute.content);
  if (!constant) return std::nullopt;
  const auto numbers = constant->integers(1);
  return numbers && numbers->size() == 1 ? std::optional(numbers->front()) : std::nullopt;
}

// The rows of a table that stand before that of position 0: what is added to positions. OPT's and Bart's have 2.
int64_t rows_before_first(const Graph& graph, ValueId index) {
  const NodeId producer = graph.values[index].producer;
  if (producer == no_id || !is_op(graph.nodes[producer], "", "Add")) return 0;
  for (const ValueId term : graph.nodes[producer].inputs)
    if (const auto number = number_of(graph, graph.values[term])) return std::max<int64_t>(*number, 0);
  return 0;
}

ContextLimit find_table(const Graph& graph) {
  ContextLimit limit;
  const auto look_at = [&](const Node& node, size_t input, int64_t rows_before = 0) {
    if (input >= node.inputs.size() || node.inputs[input] == no_id) return;
    const Value& value = graph.values[node.inputs[input]];
    if (!value.constant || value.constant->dims.size() != 2) return;
    const int64_t tokens = value.constant->dims[0] - rows_before;
    if (tokens <= 0 || tokens >= limit.tokens) return;
    const std::string less = rows_before ? " behind its first " + std::to_string(rows_before) : "";
    limit = {tokens, "the rows of '" + value.name + "'" + less};
  };
  for (const Node& node : graph.nodes) {
    for (const auto& table : position_tables)
      if (is_op(node, table.domain, table.op_type)) look_at(node, table.input);
    if (is_op(node, "", "Gather") && node.inputs.size() == 2 && are_positions(graph, node.inputs[1]))
      look_at(node, 0, rows_before_first(graph, node.inputs[1]));
  }
  return limit;
}

// ---- the plan

std::optional<int64_t> number_in(const std::map<std::string, std::string, std::less<>>& metadata,
                                 std::string_view key) {
  const auto found = metadata.find(key);
  int64_t number = 0;
  if (found == metadata.end()) return std::nullopt;
  const char* end = found->second.data() + found->second.size();
  const auto read = std::from_chars(found->second.data(), end, number);
  return read.ec == std::errc() && read.ptr == end && number > 0 ? std::optional(number) : std::nullopt;
}

Error no_decoder(const Plan& plan, const std::string& why) {
  std::string met;
  for (const SlotId input : plan.inputs)
    met += "\n  input " + plan.slots[input].name + "  " + to_string(plan.slots[input].type);
  for (size_t i = 0; i < plan.outputs.size(); ++i)
    met += "\n  output " + plan.graph->output_names[i] + "  " + to_string(plan.slots[plan.outputs[i]].type);
  return Error{
      Code::unsupported,
      "this model is no decoder that text can be generated with: " + why +
          ". Expected are token ids, i64 or i32 [batch, seq], in; logits, f32, f16 or bf16 [batch, seq, vocab], "
          "out; caches in pairs of input and output (--state names one that is not found); and nothing else but "
          "masks, positions and lengths. Met were" +
          met};
}

}  // namespace

DecoderGraph DecoderGraph::of(const Graph& graph) {
  DecoderGraph found;
  found.table = find_table(graph);
  const auto might_be_logits = [&](size_t output) {
    const ValueType& type = graph.values[graph.outputs[output]].type;
    return !contains(graph.output_names[output], "hidden") && type.kind == Kind::tensor &&
           (!type.dims || type.dims->size() == 3) &&
           (!type.element || std::find(floats.begin(), floats.end(), *type.element) != floats.end());
  };
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    if (!might_be_logits(i)) continue;
    found.names_logits = contains(graph.output_names[i], "logits");
    if (found.names_logits || !found.logits) found.logits = i;
    if (found.names_logits) break;
  }
  for (const ValueId input : graph.inputs)
    found.has_caches |= !match(graph.values[input].name, graph.values[input].type);
  for (const Node& node : graph.nodes) {
    const bool scatters = is_op(node, "", "TensorScatter"),
               groups = is_op(node, "com.microsoft", "GroupQueryAttention");
    found.counts_mask |= groups;
    const auto add_cache = [&](size_t input, int64_t axis) {
      if (input < node.inputs.size() && node.inputs[input] != no_id)
        found.capacity_axes[graph.values[node.inputs[input]].name] = static_cast<int32_t>(axis);
    };
    if (groups)
      for (const size_t input : {3, 4}) add_cache(input, 2);
    if (scatters) {
      const auto axis = node.attributes.find("axis");
      const auto* given = axis == node.attributes.end() ? nullptr : std::get_if<int64_t>(&axis->second.content);
      add_cache(0, given ? *given : -2);
    }
  }
  return found;
}

Result<Decoding> Decoding::of(const Plan& plan, const DecoderGraph& graph, const ModelFile& file,
                              const std::filesystem::path& model_folder) {
  const auto type_of = [&](size_t input) -> const ValueType& { return plan.slots[plan.inputs[input]].type; };
  const auto name_of = [&](size_t input) -> const std::string& { return plan.slots[plan.inputs[input]].name; };
  const auto state_of = [&](size_t input) {
    return std::find_if(plan.states.begin(), plan.states.end(),
                        [&](const auto& state) { return state.input == input; });
  };
  if (!graph.logits || (!graph.names_logits && plan.states.empty())) return no_decoder(plan, "no output can be logits");
  Decoding found;
  std::optional<size_t> ids;  // among the inputs found: the one that is called so, or the first
  for (size_t i = 0; i < plan.inputs.size(); ++i) {
    if (state_of(i) != plan.states.end()) continue;
    const auto role = match(name_of(i), type_of(i));
    if (!role) return no_decoder(plan, "what input '" + name_of(i) + "' is for cannot be told");
    found.inputs.push_back({i, role->role, role->axes});
    if (role->role == Role::ids &&
        (!ids || (contains(name_of(i), "ids") && !contains(name_of(found.inputs[*ids].input), "ids"))))
      ids = found.inputs.size() - 1;
  }
  if (!ids) return no_decoder(plan, "no input can be token ids");
  std::swap(found.inputs.front(), found.inputs[*ids]);
  for (size_t i = 1; i < found.inputs.size(); ++i)
    if (found.inputs[i].role == Role::ids)
      return no_decoder(plan, "what input '" + name_of(found.inputs[i].input) + "' is for cannot be told");
  const Dim batch = (*type_of(found.inputs.front().input).dims)[0],
            seq = (*type_of(found.inputs.front().input).dims)[1];
  if (batch.is_number() && batch.number() != 1)
    return no_decoder(plan, "its batch is " + std::to_string(batch.number()) + " texts, no more and no less");
  found.has_cache = !plan.states.empty();
  if (seq.is_number()) {
    if (seq.number() != 1 || !found.has_cache)
      return no_decoder(plan, "each run reads " + std::to_string(seq.number()) + " tokens, no more and no less");
    found.most_new = 1;
  }

  bool is_padded_by_mask = false, tells_positions = false, has_lengths = graph.counts_mask;
  for (DecoderInput& input : found.inputs) {
    const auto& dims = *type_of(input.input).dims;
    if (input.role == Role::mask && dims[0] == seq && dims[0] != batch)
      input.role = Role::causal_mask, input.axes = "st";
    if (input.role == Role::causal_mask && input.axes == "bnst" && is_number(dims[2], 1)) input.axes = "bnnt";
    const bool by_text = contains(input.axes, "b") && !is_number(dims[input.axes.find('b')], 1);
    is_padded_by_mask |= by_text && (input.role == Role::mask || input.role == Role::causal_mask);
    tells_positions |= by_text && input.role == Role::positions;
    has_lengths |=
        input.role == Role::past_length || input.role == Role::total_length || input.role == Role::last_place;
  }
  bool all_grow = true;
  for (const StatePair& state : plan.states) {
    all_grow &= state.growing_axis >= 0;
    const auto found_axis = graph.capacity_axes.find(state.input_name);
    if (state.growing_axis >= 0 || found_axis == graph.capacity_axes.end()) continue;
    const auto& dims = *type_of(state.input).dims;
    const int32_t rank = static_cast<int32_t>(dims.size()),
                  axis = found_axis->second + (found_axis->second < 0 ? rank : 0);
    if (axis < 0 || axis >= rank) continue;  // its operator refuses
    const Dim size = dims[static_cast<size_t>(axis)];
    if (size.is_number()) found.capacity = std::min(found.capacity.value_or(INT64_MAX), size.number());
    if (const DimSymbol* symbol = as_symbol(size)) found.open_capacities.insert(symbol->name);
  }
  if (!batch.is_number())
    found.batch = is_padded_by_mask && tells_positions && all_grow && !has_lengths ? Batch::padded : Batch::in_step;

  HEED_ASSIGN(found.context, ContextLimit::told(file, model_folder));
  found.context.narrow(graph.table.tokens, graph.table.source);
  if (found.capacity) found.context.narrow(*found.capacity, "the size of its caches");
  return found;
}

Result<ContextLimit> ContextLimit::told(const ModelFile& file, const std::filesystem::path& model_folder) {
  ContextLimit limit;
  if (const auto tokens = number_in(file.metadata, "heed.context")) limit = {*tokens, "the metadata's heed.context"};
  HEED_ASSIGN(const auto configured, text::read_context(model_folder));
  if (configured) limit.narrow(configured->tokens, configured->source);
  return limit;
}

std::string_view describe(Role role) {
  const auto is_role = [&](const RoleRow& row) { return row.role == role; };
  return std::find_if(std::begin(role_rows), std::end(role_rows), is_role)->meaning;
}

std::string_view describe(Decoding::Batch batch) {
  constexpr std::string_view texts[] = {"one after the other", "as one batch, in step",
                                        "as one batch, padded on the left"};
  return texts[static_cast<size_t>(batch)];
}

}  // namespace heed::tool
