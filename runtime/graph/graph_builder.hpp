// Puts a graph together from statements that speak of values by name: what both readers of models stand on, the one of
// ONNX files and the one of text.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "graph/graph.hpp"

namespace heed {

// A node whose inputs and outputs are names; "": absent.
struct Statement {
  std::vector<std::string> outputs;
  std::string domain, op_type;
  std::map<std::string, Attribute, std::less<>> attributes;
  std::vector<std::string> inputs;
  std::string name, overload;
  bool is_alternative = false;  // of a pattern: another way to make these outputs
};

// "node 'add' (Add)", or by its position where it has no name.
std::string describe(const Statement& statement, size_t position);

using Opsets = std::map<std::string, int32_t, std::less<>>;

// "ai.onnx" is the domain "".
std::string_view canonical_domain(std::string_view domain);

// In a built subgraph: Value::captured before the graph around it is built.
inline constexpr ValueId unresolved_capture = 0xFFFFFFFE;

class GraphBuilder {
 public:
  enum class Scope {
    complete,  // a model's graph or a function's body: every name is made or taken by it
    nested,    // a subgraph: other names are captured from the graph around it, which resolves them when it is built
  };

  GraphBuilder(std::shared_ptr<DimPool> dims, Scope scope)
      : graph_(std::make_shared<Graph>(std::move(dims))), scope_(scope) {}

  void set_name(std::string name) { graph_->name = std::move(name); }
  // Fail with invalid_model on a second definition of a name, and on an empty name.
  Result<void> add_input(std::string name, ValueType type);
  // A value that the graph brings; of an input, its default.
  Result<void> add_constant(std::string name, Tensor tensor);
  Result<void> add_statement(Statement statement);
  void add_output(std::string name, ValueType type);
  // What is said about the type of a value, wherever that is defined.
  void declare_type(std::string name, ValueType type);

  bool has_input(std::string_view name) const;

  // Inputs with a default become constants unless they are among `overridable`; the names of those that do are appended
  // to `defaulted` where that is given. Names are resolved, nodes ordered and given unique names and opsets (1 where
  // `opsets` lacks the domain). Fails with invalid_model on names that nothing defines and on cycles.
  Result<std::shared_ptr<Graph>> build(const Opsets& opsets, std::span<const std::string> overridable = {},
                                       std::vector<std::string>* defaulted = nullptr) &&;

 private:
  struct Definition {
    ValueId value;
    size_t statement;  // no_statement: an input or a constant
  };
  static constexpr size_t no_statement = SIZE_MAX;

  Result<void> define(const std::string& name, size_t statement, ValueId& value);
  // no_id where the name is not known and cannot be captured.
  ValueId resolve(const std::string& name);
  void name_nodes();
  void settle_defaults(std::span<const std::string> overridable, std::vector<std::string>* defaulted);
  void apply_types();

  std::shared_ptr<Graph> graph_;
  Scope scope_;
  std::unordered_map<std::string, Definition> definitions_;
  std::vector<Statement> statements_;
  std::vector<std::pair<std::string, ValueType>> declared_types_;
  std::vector<std::string> outputs_;
};

}  // namespace heed
