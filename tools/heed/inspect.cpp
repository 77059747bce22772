// heed inspect: what a model file holds, also where Heed cannot run it.
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "decoder_inputs.hpp"
#include "onnx/read_model.hpp"
#include "open_model.hpp"
#include "passes/inline_functions.hpp"
#include "plan/find_states.hpp"
#include "table.hpp"

namespace heed::tool {
namespace {

struct OperatorUse {
  int64_t count = 0;
  bool known = true;
};

struct Inspection {
  std::map<std::pair<std::string, std::string>, OperatorUse> operators;  // by domain and name
  int64_t nodes = 0, subgraphs = 0, parameters = 0;
  size_t weight_bytes = 0;
};

void look(const Graph& graph, const ModelFile& file, const Registry& registry, Inspection& found) {
  for (const Node& node : graph.nodes) {
    if (node.removed) continue;
    ++found.nodes;
    auto& use = found.operators[{node.domain, node.op_type}];
    ++use.count;
    use.known = registry.find_operator(node.domain, node.op_type) ||
                file.functions.count({node.domain, node.op_type, node.overload});
    for (const auto& body : subgraphs_of(node)) {
      ++found.subgraphs;
      look(*body, file, registry, found);
    }
  }
  for (const Value& value : graph.values) {
    if (!value.constant || value.captured != no_id) continue;
    found.parameters += value.constant->element_count();
    found.weight_bytes += value.constant->size_bytes;
  }
}

nlohmann::json values_json(const Graph& graph, const std::vector<ValueId>& list) {
  auto out = nlohmann::json::array();
  for (const ValueId id : list)
    out.push_back({{"name", graph.values[id].name}, {"type", to_string(graph.values[id].type)}});
  return out;
}

void print_values(const char* title, const Graph& graph, const std::vector<ValueId>& list) {
  std::cout << title << "\n";
  Table table({Table::Align::left, Table::Align::left});
  for (const ValueId id : list) table.add({graph.values[id].name, to_string(graph.values[id].type)});
  table.print(std::cout);
}

nlohmann::json decoder_json(const Graph& graph, const DecoderGraph& found, const Decoding& decoding) {
  nlohmann::json report = {{"logits", graph.output_names[*found.logits]},
                           {"inputs", nlohmann::json::array()},
                           {"several_texts", describe(decoding.batch)}};
  for (const auto& input : decoding.inputs)
    report["inputs"].push_back(
        {{"name", graph.values[graph.inputs[input.input]].name}, {"role", describe(input.role)}});
  if (decoding.context.tokens != INT64_MAX)
    report["context"] = {{"tokens", decoding.context.tokens}, {"source", decoding.context.source}};
  return report;
}

// What `heed generate` takes it for.
void print_decoder(const Graph& graph, const DecoderGraph& found, const Decoding& decoding) {
  std::cout << "decoder\n";
  Table table({Table::Align::left, Table::Align::left});
  for (const auto& input : decoding.inputs)
    table.add({graph.values[graph.inputs[input.input]].name, std::string(describe(input.role))});
  table.add({graph.output_names[*found.logits], "logits"});
  table.add({"caches", !decoding.has_cache ? "none: the whole text is read again for each token"
                       : decoding.capacity ? "room for " + std::to_string(*decoding.capacity) + " tokens"
                       : !decoding.open_capacities.empty() ? "room for as many tokens as are asked for"
                                                           : "grow with the text"});
  table.add({"several texts", std::string(describe(decoding.batch))});
  if (decoding.context.tokens != INT64_MAX)
    table.add(
        {"context", "at most " + std::to_string(decoding.context.tokens) + " tokens: " + decoding.context.source});
  table.print(std::cout);
}

std::string domain_name(const std::string& domain) { return domain.empty() ? "ai.onnx" : domain; }

Result<void> inspect_model(const std::string& model, bool json, const RunOptions& options) {
  HEED_ASSIGN(const Registry* registry, open_registry(options));
  HEED_ASSIGN(const auto path, find_model(model));
  HEED_ASSIGN(ModelOptions on_cpu, options.model_options());
  on_cpu.device = "cpu";
  auto read = read_model(path, on_cpu.read);
  if (!read) return std::move(read).error().within(path.string());
  const ModelFile& file = *read;
  const Graph& graph = *file.graph;
  Inspection found;
  look(graph, file, *registry, found);

  // States show in the plan, which a model with unknown operators has none of.
  std::vector<StatePair> states;
  std::optional<Decoding> decoding;
  const DecoderGraph decoder_graph = DecoderGraph::of(graph);
  const auto loaded = Model::load(path, *registry, on_cpu);
  if (loaded) {
    states = (*loaded)->plan().states;
    if (auto found = Decoding::of((*loaded)->plan(), decoder_graph, file, path.parent_path()))
      decoding = std::move(*found);
  }

  if (json) {
    nlohmann::json report = {{"file", path.string()},
                             {"ir_version", file.ir_version},
                             {"opsets", file.opsets},
                             {"producer", file.producer},
                             {"producer_version", file.producer_version},
                             {"doc", file.doc},
                             {"metadata", file.metadata},
                             {"inputs", values_json(graph, graph.inputs)},
                             {"outputs", values_json(graph, graph.outputs)},
                             {"nodes", found.nodes},
                             {"subgraphs", found.subgraphs},
                             {"functions", file.functions.size()},
                             {"parameters", found.parameters},
                             {"weight_bytes", found.weight_bytes},
                             {"warnings", file.warnings},
                             {"runs", loaded.has_value()},
                             {"why_not", loaded ? "" : loaded.error().message}};
    report["operators"] = nlohmann::json::array();
    for (const auto& [key, use] : found.operators)
      report["operators"].push_back(
          {{"domain", domain_name(key.first)}, {"op_type", key.second}, {"count", use.count}, {"known", use.known}});
    report["states"] = nlohmann::json::array();
    for (const auto& state : states)
      report["states"].push_back({{"input", state.input_name},
                                  {"output", state.output_name},
                                  {"growing_axis", state.growing_axis},
                                  {"in_place", state.in_place}});
    if (decoding) report["decoder"] = decoder_json(graph, decoder_graph, *decoding);
    std::cout << report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
    return {};
  }

  std::cout << path.string() << ": " << (graph.name.empty() ? "a graph" : graph.name) << ", IR " << file.ir_version;
  for (const auto& [domain, opset] : file.opsets) std::cout << ", " << domain_name(domain) << " " << opset;
  if (!file.producer.empty()) std::cout << ", by " << file.producer << " " << file.producer_version;
  std::cout << "\n" << found.nodes << " nodes";
  if (found.subgraphs) std::cout << ", " << found.subgraphs << " subgraphs";
  if (!file.functions.empty()) std::cout << ", " << file.functions.size() << " functions";
  std::cout << ", " << found.parameters << " parameters in " << size_text(static_cast<double>(found.weight_bytes))
            << "\n\n";
  print_values("inputs", graph, graph.inputs);
  print_values("outputs", graph, graph.outputs);
  if (!states.empty()) {
    std::cout << "states\n";
    Table table({Table::Align::left, Table::Align::left, Table::Align::left});
    for (const auto& state : states)
      table.add({state.input_name, "-> " + state.output_name,
                 state.growing_axis >= 0
                     ? "grows along axis " + std::to_string(state.growing_axis) + (state.in_place ? ", in place" : "")
                 : state.in_place ? "of one size, in place"
                                  : ""});
    table.print(std::cout);
  }
  if (decoding) print_decoder(graph, decoder_graph, *decoding);
  std::cout << "operators\n";
  Table table({Table::Align::right, Table::Align::left, Table::Align::left});
  for (const auto& [key, use] : found.operators)
    table.add({std::to_string(use.count), (key.first.empty() ? "" : key.first + ".") + key.second,
               use.known ? "" : "unknown: a plugin could bring it (--plugin)"});
  table.print(std::cout);
  if (!file.metadata.empty()) {
    std::cout << "metadata\n";
    Table metadata({Table::Align::left, Table::Align::left});
    for (const auto& [key, value] : file.metadata) metadata.add({key, value});
    metadata.print(std::cout);
  }
  for (const auto& warning : file.warnings) std::cout << "note: " << warning << "\n";
  if (!loaded) std::cout << "\nHeed cannot run it: " << loaded.error().message << "\n";
  return {};
}

}  // namespace

int inspect(const Arguments& arguments) {
  std::string model;
  bool json = false;
  RunOptions run_options;
  po::options_description all("options");
  all.add_options()("model", po::value(&model)->required()->value_name("MODEL"), "an .onnx file or a model folder")(
      "json", po::bool_switch(&json), "report as JSON");
  all.add(run_options.described());
  if (const auto status =
          read_command_line(arguments, "inspect", "MODEL",
                            "Shows what a model file holds, also where Heed cannot run it.", all, {"model"}))
    return *status;
  if (auto done = inspect_model(model, json, run_options); !done) return report(done.error());
  return success;
}

}  // namespace heed::tool
