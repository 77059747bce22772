// LinearAttention-27, ONNX's and com.microsoft's: attention by a state S [key, value] for each head, one position after the
// other: S *= exp(decay); v = beta * (v - S^T (erase_gate * k)); S += k v^T; y = scale * S^T q. update_rule tells which of
// decay (gated) and beta (delta) there are. Query heads share the state of a head of values, or the other way round
// (com.microsoft); heads of keys are shared likewise.
#include "rows.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

enum { query_input, key_input, value_input, past_input, decay_input, beta_input, erase_input };

Result<void> infer(Inference& node) {
  const auto rule = node.text("update_rule", "gated_delta");
  const bool is_gated = rule == "gated" || rule == "gated_delta", is_delta = rule == "delta" || rule == "gated_delta";
  if (!is_gated && !is_delta && rule != "linear")
    return Error{Code::invalid_model,
                 "attribute 'update_rule' is '" + std::string(rule) + "'; expected linear, gated, delta or gated_delta"};
  const auto check_input = [&](int32_t input, std::string_view name, bool is_needed) -> Result<void> {
    if (node.has_input(input) == is_needed) return {};
    return Error{Code::invalid_model, "update_rule '" + std::string(rule) + "' " + (is_needed ? "needs" : "takes no") +
                                          " input '" + std::string(name) + "'"};
  };
  HEED_TRY(check_input(decay_input, "decay", is_gated));
  HEED_TRY(check_input(beta_input, "beta", is_delta));
  if (!is_delta) HEED_TRY(check_input(erase_input, "erase_gate", false));
  const int64_t q_heads = node.integer("q_num_heads"), kv_heads = node.integer("kv_num_heads");
  if (q_heads < 1 || kv_heads < 1 || (q_heads % kv_heads != 0 && kv_heads % q_heads != 0))
    return Error{Code::invalid_model, "attributes 'q_num_heads' and 'kv_num_heads' are " + std::to_string(q_heads) +
                                          " and " + std::to_string(kv_heads) + "; expected one to divide the other"};
  const auto query = node.input(query_input), key = node.input(key_input), value = node.input(value_input);
  for (const int32_t input : {query_input, key_input, value_input, decay_input, beta_input, erase_input})
    if (node.has_input(input)) HEED_TRY(node.require_rank(input, 3));
  const DataType state_element = node.has_input(past_input) ? node.input(past_input).element() : query.element();
  if (!query.has_rank() || !key.has_rank() || !value.has_rank()) {
    if (node.has_output(1)) HEED_TRY(node.set_output(1, state_element));
    return node.set_output(0, query.element());
  }
  for (const int32_t input : {key_input, value_input, decay_input, beta_input, erase_input})
    for (int32_t axis = 0; node.has_input(input) && node.input(input).has_rank() && axis < 2; ++axis)
      HEED_TRY(node.require_equal(node.input(input).dim(axis), query.dim(axis),
                                  (axis == 0 ? "batch" : "sequence") + std::string(" of input ") +
                                      std::to_string(input) + " and the query"));
  HEED_TRY(node.require_equal(modulo(query.dim(2), q_heads), 0, "hidden size of the query modulo q_num_heads"));
  HEED_TRY(node.require_equal(modulo(value.dim(2), kv_heads), 0, "hidden size of the value modulo kv_num_heads"));
  const Dim key_size = floor_divide(query.dim(2), q_heads), value_size = floor_divide(value.dim(2), kv_heads);
  HEED_TRY(node.require_equal(modulo(key.dim(2), key_size), 0, "hidden size of the key modulo a head's"));
  HEED_TRY(node.require_equal(modulo(Dim(kv_heads) * key_size, key.dim(2)), 0,
                              "hidden size of all heads modulo that of the key"));
  if (node.has_input(decay_input) && node.input(decay_input).has_rank()) {
    const Dim last = node.input(decay_input).dim(2);
    HEED_TRY(node.require_equal(select(equal(last, kv_heads), Dim(kv_heads) * key_size, last), Dim(kv_heads) * key_size,
                                "the last axis of decay and kv_num_heads, times the key's size or not"));
  }
  if (node.has_input(beta_input) && node.input(beta_input).has_rank()) {
    const Dim last = node.input(beta_input).dim(2);
    HEED_TRY(node.require_equal(select(equal(last, 1), Dim(kv_heads), last), kv_heads,
                                "the last axis of beta and kv_num_heads or 1"));
  }
  if (node.has_input(erase_input) && node.input(erase_input).has_rank())
    HEED_TRY(node.require_equal(node.input(erase_input).dim(2), Dim(kv_heads) * key_size,
                                "the last axis of erase_gate and of all heads' keys"));
  const Dims state = {query.dim(0), kv_heads, key_size, value_size};
  if (node.has_input(past_input)) {
    HEED_TRY(node.require_rank(past_input, 4));
    for (int32_t axis = 0; node.input(past_input).has_rank() && axis < 4; ++axis)
      HEED_TRY(node.require_equal(node.input(past_input).dim(axis), state[static_cast<size_t>(axis)],
                                  "axis " + std::to_string(axis) + " of past_state"));
  }
  if (node.has_output(1)) HEED_TRY(node.set_output(1, state_element, state));
  return node.set_output(0, query.element(), Dims{query.dim(0), query.dim(1), Dim(std::max(q_heads, kv_heads)) * value_size});
}

// ---- on a GPU: a thread has a column of a state, which no other column needs
// ------------------------------------------------

constexpr uint32_t workgroup_size = 64;
constexpr int64_t most_key_size = 256;

// Mirrors shaders/linear_attention.comp.
struct Parameters {
  uint32_t batch_count, sequence_count, value_size;
  uint32_t q_heads, k_heads, kv_heads;
  uint32_t has_past, decay_size, beta_size, has_erase;  // last axes; 0: none
  int32_t query_offset, key_offset, value_offset, past_offset, decay_offset, beta_offset, erase_offset, y_offset,
      present_offset;
  float scale;
};

Result<GpuPlan> plan(Planning& node) {
  const auto query = node.input(query_input);
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::linear_attention));
  if (!node.has_output(1)) return decline("present_state is not asked for");
  if (node.output(1).element() != query.element())
    return decline("the state is " + std::string(name_of(node.output(1).element())) + " and the query " +
                   std::string(name_of(query.element())));
  if (!query.has_rank()) return decline("the rank of the query is not known");
  const Dim key_size = floor_divide(query.dim(2), node.integer("q_num_heads"));
  if (!key_size.is_number()) return decline("the size of a key is not known");
  if (key_size.number() > most_key_size)
    return decline("a key has " + std::to_string(key_size.number()) + " channels, and at most " +
                   std::to_string(most_key_size) + " fit");
  const auto read_or_query = [&](int32_t input) { return read(node.has_input(input) ? input : query_input); };
  return GpuPlan{.variants = {{.name = "a column of the state a thread",
                               .shader = shader,
                               .constants = {{0, static_cast<uint32_t>(std::max<int64_t>(key_size.number(), 1))}}}},
                 .bindings = {read(query_input), read(key_input), read(value_input), read_or_query(past_input),
                              read_or_query(decay_input), read_or_query(beta_input), read_or_query(erase_input),
                              write(0), write(1)}};
}

Result<Launch> bind(const Binding& node) {
  const auto query = node.input(query_input), present = node.output(1);
  if (present.count() == 0) return Launch{};
  const auto offset = [&](int32_t input) { return node.has_input(input) ? offset_of(node.input(input)) : 0; };
  const auto last = [&](int32_t input) {
    return node.has_input(input) ? static_cast<uint32_t>(node.input(input).dim(2)) : 0u;
  };
  for (const int32_t input : {query_input, key_input, value_input, past_input, decay_input, beta_input, erase_input})
    if (node.has_input(input)) HEED_TRY(check_addressable(node.input(input), "input " + std::to_string(input)));
  HEED_TRY(check_addressable(node.output(0), "the output"));
  HEED_TRY(check_addressable(present, "the state"));
  const auto key_size = static_cast<uint32_t>(present.dim(2)), value_size = static_cast<uint32_t>(present.dim(3));
  const float given = node.number("scale", 0);
  const Parameters p{.batch_count = static_cast<uint32_t>(query.dim(0)),
                     .sequence_count = static_cast<uint32_t>(query.dim(1)),
                     .value_size = value_size,
                     .q_heads = static_cast<uint32_t>(node.integer("q_num_heads")),
                     .k_heads = last(key_input) / key_size,
                     .kv_heads = static_cast<uint32_t>(node.integer("kv_num_heads")),
                     .has_past = node.has_input(past_input),
                     .decay_size = last(decay_input),
                     .beta_size = last(beta_input),
                     .has_erase = node.has_input(erase_input),
                     .query_offset = offset(query_input),
                     .key_offset = offset(key_input),
                     .value_offset = offset(value_input),
                     .past_offset = offset(past_input),
                     .decay_offset = offset(decay_input),
                     .beta_offset = offset(beta_input),
                     .erase_offset = offset(erase_input),
                     .y_offset = offset_of(node.output(0)),
                     .present_offset = offset_of(present),
                     .scale = given != 0 ? given : 1 / std::sqrt(static_cast<float>(key_size))};
  const int64_t heads = present.dim(0) * present.dim(1);
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(heads * ceil_divide(value_size, workgroup_size), 1), 1, 1}}}};
}

Operator linear(std::string_view domain, int32_t version) {
  return {.domain = domain,
          .op_type = "LinearAttention",
          .versions = {version},
          .inputs = {{"query", "T"},
                     {"key", "T"},
                     {"value", "T"},
                     {"past_state", "S", HEED_OPTIONAL_PARAMETER},
                     {"decay", "T", HEED_OPTIONAL_PARAMETER},
                     {"beta", "T", HEED_OPTIONAL_PARAMETER},
                     {"erase_gate", "T", HEED_OPTIONAL_PARAMETER}},
          .outputs = {{"output", "T"}, {.name = "present_state", .type = "S", .flags = HEED_OPTIONAL_PARAMETER, .state_of = past_input}},
          .types = {{"T", any_float}, {"S", any_float}},
          .attributes = {required("q_num_heads", HEED_ATTRIBUTE_INT), required("kv_num_heads", HEED_ATTRIBUTE_INT),
                         attribute("scale", 0.0f), attribute("update_rule", "gated_delta"), attribute("chunk_size", 64)},
          .infer = infer,
          .plan = plan,
          .bind = bind};
}

}  // namespace

extern const Operator linear_attention = linear("", 27);
extern const Operator com_microsoft_linear_attention = linear("com.microsoft", 1);

}  // namespace heed::ops
