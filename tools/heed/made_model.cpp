// Models that are made in memory, of text and of weights that are noise.
#include "made_model.hpp"

#include <charconv>
#include <cmath>

#include "graph/graph_builder.hpp"
#include "graph/parse.hpp"
#include "heed/numeric.hpp"

namespace heed::tool {

Result<ModelFile> build(const MadeModel& made) {
  ModelFile file;
  file.opsets = {{"", 23}, {"heed", 1}, {"heed.measure", 1}};
  const auto dims_pool = std::make_shared<DimPool>();
  GraphBuilder builder(dims_pool, GraphBuilder::Scope::complete);
  for (const auto& input : made.inputs) {
    ValueType type;
    type.element = input.type;
    type.dims.emplace();
    for (const auto& dim : input.dims) {
      int64_t size = 0;
      const auto [end, error] = std::from_chars(dim.data(), dim.data() + dim.size(), size);
      type.dims->push_back(error == std::errc() ? Dim(size) : dims_pool->symbol(dim));
    }
    HEED_TRY(builder.add_input(input.name, type));
  }
  for (const auto& [name, tensor] : made.constants) HEED_TRY(builder.add_constant(name, tensor));
  HEED_ASSIGN(auto statements, parse_statements(made.statements));
  for (auto& statement : statements) HEED_TRY(builder.add_statement(std::move(statement)));
  for (const auto& output : made.outputs) builder.add_output(output, {});
  HEED_ASSIGN(file.graph, std::move(builder).build(file.opsets));
  return file;
}

Result<Tensor> noise(DataType type, std::vector<int64_t> dims, double scale) {
  HEED_ASSIGN(Tensor tensor, Tensor::allocate(type, std::move(dims)));
  const auto count = static_cast<size_t>(tensor.element_count());
  uint64_t state = 0x9E3779B97F4A7C15;
  const auto fill = [&](auto* elements) {
    using Element = std::remove_pointer_t<decltype(elements)>;
    for (size_t i = 0; i < count; ++i) {
      state ^= state << 13, state ^= state >> 7, state ^= state << 17;  // Marsaglia 2003, "Xorshift RNGs"
      elements[i] = Element((static_cast<float>(state >> 40) * 0x1p-23f - 1) * static_cast<float>(scale));
    }
  };
  if (type == DataType::f16)
    fill(reinterpret_cast<Float16*>(tensor.writable()));
  else
    fill(reinterpret_cast<float*>(tensor.writable()));
  return tensor;
}

Result<MadeModel> gpt2_small() {
  constexpr int64_t layers = 12, width = 768, context = 1024, vocab = 50257;
  MadeModel made;
  const auto add = [&](const std::string& name, std::vector<int64_t> dims) -> Result<void> {
    HEED_ASSIGN(auto tensor, noise(DataType::f32, std::move(dims), 0.02 * std::sqrt(3.0)));  // of deviation 0.02
    made.constants.emplace_back(name, std::move(tensor));
    return {};
  };
  const auto linear = [&](const std::string& name, int64_t from, int64_t to) -> Result<void> {
    HEED_TRY(add(name + "_weight", {from, to}));
    return add(name + "_bias", {to});
  };
  const auto norm = [&](const std::string& name) -> Result<void> {
    HEED_ASSIGN(auto ones, Tensor::allocate(DataType::f32, {width}));
    std::fill_n(reinterpret_cast<float*>(ones.writable()), width, 1.0f);
    made.constants.emplace_back(name + "_weight", std::move(ones));
    return add(name + "_bias", {width});
  };
  made.inputs = {{"input_ids", DataType::i64, {"1", "seq"}}, {"position_ids", DataType::i64, {"1", "seq"}}};
  made.outputs = {"logits"};
  HEED_TRY(add("wte", {vocab, width}));
  HEED_TRY(add("wpe", {context, width}));
  made.statements = "h0 = Add(Gather(wte, input_ids), Gather(wpe, position_ids))\n";
  for (int64_t layer = 0; layer < layers; ++layer) {
    const std::string n = std::to_string(layer), next = std::to_string(layer + 1);
    for (const std::string what : {"key", "value"}) {
      made.inputs.push_back({"past_" + what + "_" + n, DataType::f32, {"1", "12", "past", "64"}});
      made.outputs.push_back("present_" + what + "_" + n);
    }
    for (const std::string name : {"ln_1_", "ln_2_"}) HEED_TRY(norm(name + n));
    HEED_TRY(linear("qkv_" + n, width, 3 * width));
    HEED_TRY(linear("out_" + n, width, width));
    HEED_TRY(linear("up_" + n, width, 4 * width));
    HEED_TRY(linear("down_" + n, 4 * width, width));
    std::string text =
        "a@ = LayerNormalization<axis = -1>(h@, ln_1_@_weight, ln_1_@_bias)\n"
        "q@, k@, v@ = Split<axis = -1, num_outputs = 3>(Add(MatMul(a@, qkv_@_weight), qkv_@_bias))\n"
        "y@, present_key_@, present_value_@ = Attention<q_num_heads = 12, kv_num_heads = 12, is_causal = 1>"
        "(q@, k@, v@, \"\", past_key_@, past_value_@)\n"
        "r@ = Add(h@, Add(MatMul(y@, out_@_weight), out_@_bias))\n"
        "b@ = LayerNormalization<axis = -1>(r@, ln_2_@_weight, ln_2_@_bias)\n"
        "u@ = Add(MatMul(b@, up_@_weight), up_@_bias)\n"
        "t@ = Tanh(Mul(Constant<value_float = 0.7978845608>(), Add(u@, Mul(Constant<value_float = 0.044715>(), "
        "Pow(u@, Constant<value_float = 3.0>())))))\n"
        "g@ = Mul(Mul(u@, Constant<value_float = 0.5>()), Add(t@, Constant<value_float = 1.0>()))\n"
        "h$ = Add(r@, Add(MatMul(g@, down_@_weight), down_@_bias))\n";
    for (size_t at; (at = text.find_first_of("@$")) != std::string::npos;)
      text.replace(at, 1, text[at] == '@' ? n : next);
    made.statements += text;
  }
  HEED_TRY(norm("ln_f"));
  made.statements +=
      "f = LayerNormalization<axis = -1>(h12, ln_f_weight, ln_f_bias)\n"
      "logits = MatMul(f, Transpose<perm = [1, 0]>(wte))\n";
  return made;
}

}  // namespace heed::tool
