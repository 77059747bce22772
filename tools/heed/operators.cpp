// heed operators: what the registry holds. The types are found by asking: one node of each operator and type, typed,
// fused and offered to the kernels, no device in sight.
#include <algorithm>
#include <array>
#include <iostream>
#include <map>

#include "command.hpp"
#include "fuse/fuse_elementwise.hpp"
#include "heed/expression.hpp"
#include "open_model.hpp"
#include "options.hpp"
#include "passes/fold_constants.hpp"
#include "passes/inline_functions.hpp"
#include "passes/remove_unused.hpp"
#include "passes/rewrite.hpp"
#include "plan/choose_kernel.hpp"

namespace heed::tool {
namespace {

constexpr DataType all_types[] = {DataType::f32,     DataType::f16,        DataType::bf16,     DataType::f64,
                                  DataType::i64,     DataType::i32,        DataType::i16,      DataType::i8,
                                  DataType::u64,     DataType::u32,        DataType::u16,      DataType::u8,
                                  DataType::boolean, DataType::string,     DataType::i4,       DataType::u4,
                                  DataType::i2,      DataType::u2,         DataType::f8e4m3fn, DataType::f8e4m3fnuz,
                                  DataType::f8e5m2,  DataType::f8e5m2fnuz, DataType::f4e2m1,   DataType::f8e8m0,
                                  DataType::c64,     DataType::c128};

// A device that can do all but multiply matrices by itself.
uint64_t best_capability(const void*, std::string_view name) {
  if (name.starts_with("cooperative")) return 0;
  if (name.starts_with("max_") || name == "memory_limit_bytes") return 1u << 30;
  return name == "subgroup_size" ? 32 : name == "timestamp_bits" ? 64 : 1;
}

// Attributes that nobody guesses, and no default tells.
struct Specimen {
  std::string_view op_type, attribute;
  Attribute::Content content;
};
const std::vector<Specimen>& specimens() {
  static const std::vector<Specimen> all = {
      {"Cast", "to", int64_t{1}},
      {"Concat", "axis", int64_t{0}},
      {"Einsum", "equation", std::string("...i->...i")},
      {"LinearAttention", "update_rule", std::string("linear")},
      {"MatMulNBits", "K", int64_t{64}},
      {"MatMulNBits", "N", int64_t{64}},
      {"MatMulNBits", "bits", int64_t{4}},
      {"MatMulNBits", "block_size", int64_t{32}},
  };
  return all;
}

// Inputs that are optional because an older version has an attribute in their place; so many elements for each axis of
// input 0, or one in all.
struct SpecimenInput {
  std::string_view op_type;
  size_t input, count_per_axis;
};
constexpr SpecimenInput specimen_inputs[] = {{"Pad", 1, 2}, {"TopK", 1, 0}};

std::string_view text_of(heed_text text) { return {text.data, text.size}; }

struct Types {
  std::vector<DataType> elements;  // all that the contract allows
  bool takes_tensors = true;
};

Types types_of(const heed_operator& op, const heed_parameter& parameter) {
  const auto name = text_of(parameter.type);
  for (size_t i = 0; i < op.type_count; ++i) {
    const heed_type_rule& rule = op.types[i];
    if (text_of(rule.name) != name) continue;
    Types types;
    types.takes_tensors = rule.kinds == 0 || (rule.kinds & 1u << HEED_TENSOR);
    for (const DataType type : all_types)
      if (rule.elements == 0 || (rule.elements & uint64_t{1} << static_cast<int>(type))) types.elements.push_back(type);
    return types;
  }
  for (const DataType type : all_types)
    if (name_of(type) == name) return {{type}};
  return {{std::begin(all_types), std::end(all_types)}};
}

// The parameter whose type a row of the table is about: the first input of more than one type, else the first output.
const heed_parameter* main_parameter(const heed_operator& op) {
  for (size_t i = 0; i < op.input_count; ++i)
    if (!(op.inputs[i].flags & HEED_SHAPE_DATA)) return &op.inputs[i];
  return op.output_count ? &op.outputs[0] : op.input_count ? &op.inputs[0] : nullptr;
}

// A graph of one node: inputs of these ranks (the last one counts for all that follow), of open sizes.
class Specimens {
 public:
  Specimens(const Registry& registry, const OperatorEntry& entry, DataType type)
      : registry_(registry), entry_(entry), type_(type) {}

  Result<ModelFile> make(std::span<const int> ranks, bool has_numbers) {
    const heed_operator& op = *entry_.c;
    ModelFile file;
    file.opsets = {{"", newest_opset}, {std::string(entry_.domain()), entry_.c->versions[0]}};
    if (entry_.domain().empty()) file.opsets[""] = std::max(newest_opset, entry_.c->versions[0]);
    const auto dims = std::make_shared<DimPool>();
    file.graph = std::make_shared<Graph>(dims);
    Graph& graph = *file.graph;
    const auto* main = main_parameter(op);
    Node node;
    node.name = "specimen";
    node.domain = std::string(entry_.domain());
    node.op_type = std::string(entry_.op_type());
    node.opset = file.opsets[node.domain];
    size_t given = 0;
    for (size_t i = 0; i < op.input_count; ++i) {
      const heed_parameter& parameter = op.inputs[i];
      const auto* wanted = std::find_if(std::begin(specimen_inputs), std::end(specimen_inputs), [&](const auto& one) {
        return one.op_type == entry_.op_type() && one.input == i;
      });
      if (wanted != std::end(specimen_inputs)) {
        const size_t count = std::max<size_t>(wanted->count_per_axis * static_cast<size_t>(ranks[0]), 1);
        HEED_ASSIGN(Tensor ones, ones_of(DataType::i64, {static_cast<int64_t>(count)}, count));
        node.inputs.push_back(graph.add_constant("x" + std::to_string(i), std::move(ones)));
        continue;
      }
      if (parameter.flags & HEED_OPTIONAL_PARAMETER) break;
      const Types types = types_of(op, parameter);
      if (types.elements.empty()) return Error{Code::unsupported, "no type"};
      const bool is_main = main && text_of(parameter.type) == text_of(main->type);
      ValueType type;
      const bool has_f32 =
          std::find(types.elements.begin(), types.elements.end(), DataType::f32) != types.elements.end();
      type.element = is_main                                           ? type_
                     : has_f32 && !(parameter.flags & HEED_SHAPE_DATA) ? DataType::f32
                                                                       : types.elements[0];
      if (!types.takes_tensors) type.kind = Kind::sequence;
      const int rank = ranks[std::min(given++, ranks.size() - 1)];
      const std::string name = "x" + std::to_string(i);
      if (parameter.flags & HEED_SHAPE_DATA && (type.element == DataType::i64 || type.element == DataType::i32)) {
        const auto count = static_cast<size_t>(std::max(ranks[0], 1));
        HEED_ASSIGN(Tensor ones, rank == 0 ? ones_of(*type.element, {}, 1)
                                           : ones_of(*type.element, {static_cast<int64_t>(count)}, count));
        node.inputs.push_back(graph.add_constant(name, std::move(ones)));
        continue;
      }
      type.dims.emplace();
      for (int axis = 0; axis < rank; ++axis)
        type.dims->push_back(has_numbers ? Dim(4) : dims->symbol("d" + std::to_string(i) + "_" + std::to_string(axis)));
      const ValueId value = graph.add_value(name, type);
      graph.values[value].is_input = true;
      graph.inputs.push_back(value);
      node.inputs.push_back(value);
    }
    for (size_t i = 0; i < op.output_count; ++i) {
      if (i > 0 && op.outputs[i].flags & HEED_OPTIONAL_PARAMETER) break;
      node.outputs.push_back(graph.add_value("y" + std::to_string(i)));
      graph.outputs.push_back(node.outputs.back());
      graph.output_names.push_back("y" + std::to_string(i));
    }
    for (const Specimen& specimen : specimens())
      if (specimen.op_type == node.op_type) node.attributes[std::string(specimen.attribute)].content = specimen.content;
    for (size_t i = 0; i < op.attribute_count; ++i) add_attribute(node, op.attributes[i]);
    graph.add_node(std::move(node));
    HEED_TRY(type_graph(file, registry_));
    // As a model is loaded: constants of bodies, and what dialects are rewritten to.
    std::vector<RewriteCount> fired;
    for (int round = 0; round < 3; ++round) {
      if (auto folded = fold_constants(graph, registry_); !folded) return std::move(folded).error();
      if (auto rewritten = rewrite(graph, registry_, fired); !rewritten) return std::move(rewritten).error();
      HEED_TRY(remove_unused(graph, registry_));
    }
    return file;
  }

 private:
  static Result<Tensor> ones_of(DataType type, std::vector<int64_t> dims, size_t count) {
    if (type == DataType::i32) return Tensor::of<int32_t>(type, std::move(dims), std::vector<int32_t>(count, 1));
    return Tensor::of<int64_t>(type, std::move(dims), std::vector<int64_t>(count, 1));
  }

  void add_attribute(Node& node, const heed_attribute_rule& rule) {
    const std::string name(text_of(rule.name));
    if (!rule.required || node.attributes.contains(name)) return;
    auto& content = node.attributes[name].content;
    if (rule.kind == HEED_ATTRIBUTE_INT) content = int64_t{1};
    if (rule.kind == HEED_ATTRIBUTE_FLOAT) content = 1.0f;
    if (rule.kind == HEED_ATTRIBUTE_INTS) content = std::vector<int64_t>{1, 1};
    if (rule.kind == HEED_ATTRIBUTE_FLOATS) content = std::vector<float>{1, 1};
    if (rule.kind == HEED_ATTRIBUTE_STRING) content = std::string();
  }

  const Registry& registry_;
  const OperatorEntry& entry_;
  DataType type_;
};

bool all_take(const Graph& graph, const Registry& registry, const PlanOptions& options, bool on_gpu) {
  for (const Node& node : graph.nodes) {
    if (node.removed) continue;
    const OperatorEntry* op = registry.find_operator(node.domain, node.op_type);
    if (!op) return false;
    if (op->is_view()) continue;
    if (on_gpu) {
      const auto answer = ask_gpu_kernels(graph, node, *op, registry, options);
      if (!answer || !answer->choice) return false;
    } else if (!choose_cpu_kernel(graph, node, *op, registry, options)) {
      return false;
    }
  }
  return true;
}

struct Row {
  std::string domain, name, versions, cpu, gpu;
};

std::string joined(const std::vector<DataType>& types, size_t allowed_count) {
  if (types.empty()) return "–";
  if (types.size() == allowed_count && allowed_count == std::size(all_types)) return "all";
  std::string text;
  for (const DataType type : types) text += (text.empty() ? "" : " ") + std::string(name_of(type));
  return text;
}

Row row_of(const OperatorEntry& entry, const Registry& registry) {
  const heed_operator& op = *entry.c;
  Row row{std::string(entry.domain()), std::string(entry.op_type()), {}, {}, {}};
  for (size_t i = 0; i < op.version_count; ++i)
    row.versions += (i ? ", " : "") + std::to_string(op.versions[op.version_count - 1 - i]);
  if (registry.control_kernel(entry.domain(), entry.op_type(), op.versions[0])) {
    row.cpu = row.gpu = "runs its graphs where their nodes run";
    return row;
  }
  const auto* main = main_parameter(op);
  std::vector<DataType> allowed, on_cpu, on_gpu;
  if (main) allowed = types_of(op, *main).elements;
  PlanOptions options;
  options.use_gpu = true;
  options.gpu_capability = best_capability;
  bool was_typed = false;
  constexpr std::array<std::array<int, 3>, 15> tried = {{{4, 4, 4},
                                                         {3, 3, 3},
                                                         {2, 2, 2},
                                                         {1, 1, 1},
                                                         {0, 0, 0},
                                                         {4, 1, 1},
                                                         {3, 1, 1},
                                                         {2, 1, 1},
                                                         {4, 0, 0},
                                                         {2, 0, 0},
                                                         {3, 3, 1},
                                                         {4, 4, 1},
                                                         {2, 2, 1},
                                                         {5, 5, 5},
                                                         {4, 3, 3}}};
  for (const DataType type : allowed) {
    Specimens specimens(registry, entry, type);
    bool cpu = false, gpu = false;
    for (size_t attempt = 0; attempt < 2 * tried.size() && !gpu; ++attempt) {
      auto file = specimens.make(tried[attempt % tried.size()], attempt >= tried.size());
      if (!file) continue;
      was_typed = true;
      cpu = cpu || all_take(*file->graph, registry, options, false);
      if (!fuse_elementwise(*file->graph, registry, expression_types)) continue;
      gpu = all_take(*file->graph, registry, options, true);
    }
    if (cpu) on_cpu.push_back(type);
    if (gpu) on_gpu.push_back(type);
  }
  row.cpu = joined(on_cpu, allowed.size());
  row.gpu = joined(on_gpu, allowed.size());
  // Inputs that fit each other in ways that nobody guesses: what its contract says.
  if (!was_typed) {
    row.cpu = joined(allowed, allowed.size());
    const auto kernels = registry.gpu_kernels(entry.domain(), entry.op_type(), op.versions[0]);
    row.gpu = kernels && !kernels->empty() ? "some of these" : "–";
  }
  return row;
}

void print(const std::vector<Row>& rows) {
  std::string domain = "none";
  for (const Row& row : rows) {
    if (row.domain != domain) {
      domain = row.domain;
      std::cout << "\n## " << (domain.empty() ? "ai.onnx" : domain)
                << "\n\n| operator | versions | types on the CPU | types on Vulkan |\n|---|---|---|---|\n";
    }
    std::cout << "| " << row.name << " | " << row.versions << " | " << row.cpu << " | "
              << (row.gpu == row.cpu && row.gpu != "–" ? "the same" : row.gpu) << " |\n";
  }
}

}  // namespace

int operators(const Arguments& arguments) {
  RunOptions run_options;
  po::options_description all("options");
  all.add_options()("plugin", po::value(&run_options.plugins)->composing()->value_name("LIB"),
                    "load a plugin; may be repeated");
  if (const auto status = read_command_line(
          arguments, "operators", "[--plugin LIB]...",
          "Lists the operators that are here: versions, and types on the CPU and on Vulkan, as Markdown.", all, {}))
    return *status;
  const auto registry = open_registry(run_options);
  if (!registry) return report(registry.error());
  std::vector<Row> rows;
  for (const OperatorEntry* entry : (*registry)->operators())
    if (entry->domain() != "heed") rows.push_back(row_of(*entry, **registry));  // those of rewrites: no model has them
  std::cout
      << "# Operators\n\nWritten by `heed operators`. A version is an opset at which the meaning changed; a node of "
         "opset n"
         " has the newest one up to n.\nThe types are those of the first input that is no shape, on a device that has"
         " the capability for them (`heed devices`); other inputs and\nattributes are the usual ones. What Vulkan does "
         "not"
         " take runs on the CPU.\n";
  print(rows);
  return success;
}

}  // namespace heed::tool
