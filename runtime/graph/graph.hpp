// The model in memory: graphs of nodes over values, before and after every pass. It knows nothing of protobuf, kernels
// or devices.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/dim.hpp"
#include "graph/tensor.hpp"
#include "heed/data_type.hpp"
#include "heed/dim.hpp"
#include "heed/result.hpp"

namespace heed {

enum class Kind : int32_t { tensor = HEED_TENSOR, sequence = HEED_SEQUENCE, optional = HEED_OPTIONAL, map = HEED_MAP };

// The type of a value, as far as it is known. A sequence's or optional's `element` and `dims` are those of the tensors
// in it.
struct ValueType {
  Kind kind = Kind::tensor;
  bool sequence_of_optional = false;      // optional(sequence(tensor))
  std::optional<DataType> element;        // nullopt: not known
  std::optional<std::vector<Dim>> dims;   // nullopt: rank not known
  friend bool operator==(const ValueType&, const ValueType&) = default;
};

// "f32 [batch, seq, 64]", "sequence(i64)", "?"
std::string to_string(const ValueType& type);

using ValueId = uint32_t;
using NodeId = uint32_t;
inline constexpr uint32_t no_id = 0xFFFFFFFF;  // an optional input or output that is absent; a value that no node makes

// The newest opset of ai.onnx that is known.
inline constexpr int32_t newest_opset = 28;

class Graph;

struct Attribute {
  // A reference to an attribute of the function around it (only inside of function bodies): its name.
  struct Reference {
    std::string name;
    int32_t kind = HEED_ATTRIBUTE_NONE;
  };
  // Subgraphs are owned; ValueType serves TypeProto attributes.
  using Content =
      std::variant<int64_t, float, std::string, Tensor, std::shared_ptr<Graph>, std::vector<int64_t>, std::vector<float>,
                   std::vector<std::string>, std::vector<Tensor>, std::vector<std::shared_ptr<Graph>>, ValueType, Reference>;
  Content content;
};

struct Node {
  std::string name;     // unique per graph after loading; made up from op_type and position where the file has none
  std::string domain;   // "" is ai.onnx
  std::string op_type;
  std::string overload;
  std::vector<ValueId> inputs;   // no_id: absent
  std::vector<ValueId> outputs;  // no_id: absent
  std::map<std::string, Attribute, std::less<>> attributes;
  int32_t opset = 0;             // of the node's domain where it was written (a function may have its own)
  std::string origin;            // after a rewrite: what it replaced, e.g. "9 nodes (layer_norm)"
  std::shared_ptr<const class Function> replaced;  // a fused node's body: what it does in terms of plainer nodes
  int32_t becomes = -1;          // the subgraph that does all that the node does, as inference found; -1: none
  bool removed = false;          // skipped by everyone until Graph::compact()
};

struct Value {
  std::string name;
  ValueType type;
  std::optional<std::vector<Dim>> elements;  // of a small integer tensor, as far as they are known: row-major
  std::shared_ptr<const Tensor> constant;    // initializers and folded values
  NodeId producer = no_id;
  bool sizes_declared = false;               // by the model alone: inference does not know them
  bool is_input = false;                     // of this graph; with `constant`: an input with a default
  ValueId captured = no_id;                  // in a subgraph: the value of the graph around it that this one stands for
};

// A constraint that inference could not prove; checked when sizes are bound.
struct Constraint {
  Dim a, b;
  std::string what;  // "node 'add' (Add): axis 1 of inputs 0 and 1"
};

// A graph, or a body inside of one. Nodes stand in an order in which each comes after what it reads. A subgraph's values
// that come from outside stand in it as captured values, so that every graph is complete in itself.
// Not thread-safe; passes own it while they run.
class Graph {
 public:
  explicit Graph(std::shared_ptr<DimPool> dims) : dims_(std::move(dims)) {}

  std::string name;
  std::vector<Node> nodes;
  std::vector<Value> values;
  std::vector<ValueId> inputs;   // in order; initializers that are also inputs only where declared overridable
  std::vector<ValueId> outputs;
  std::vector<std::string> output_names;  // as the file has them, whatever values stand in `outputs` later
  std::vector<Constraint> constraints;
  std::map<uint32_t, Dim> bounds;  // by symbol: what a contract says that a size which only the run tells cannot pass
  std::vector<std::string> node_notes;
  // Of a body that the run may never come to, and whose shapes contradict each other: it is empty, and this is what who
  // calls it is told.
  std::optional<Error> contradiction;

  DimPool& dims() const { return *dims_; }
  const std::shared_ptr<DimPool>& shared_dims() const { return dims_; }

  ValueId add_value(std::string name, ValueType type = {});
  ValueId add_constant(std::string name, Tensor tensor);
  NodeId add_node(Node node);  // at the end; sets the producers of its outputs
  // By the name that the value was added with; the first where several share it.
  std::optional<ValueId> find_value(std::string_view name) const;
  // How often each value is read by nodes (those in subgraphs through captures) or is an output of the graph.
  std::vector<int32_t> use_counts() const;
  // Puts `with` where nodes and graph outputs (captures included) read `value`.
  void replace_uses(ValueId value, ValueId with);
  // Drops removed and unread pure nodes and renumbers nothing but the order of nodes; sorts them after what they read.
  // Goes into subgraphs first: what only an unread node captured is let go.
  Result<void> sort();
  // Drops removed nodes and puts each node after what it reads, otherwise as they stood. Sets the producers of values.
  // Fails on a cycle, whose nodes it names.
  Result<void> order();
  // A name that no value has: the wish itself where it is free.
  std::string unique_name(std::string_view wish) const;
  // A copy with subgraphs of its own, over the same DimPool and tensors.
  std::shared_ptr<Graph> clone() const;

 private:
  void mark_unread();
  void index_names() const;

  std::shared_ptr<DimPool> dims_;
  mutable std::unordered_map<std::string, ValueId> ids_by_name_;  // of the first indexed_count_ values
  mutable size_t indexed_count_ = 0;
  mutable std::unordered_map<std::string, size_t> last_suffixes_;  // of unique_name, by wish
};

// The subgraphs of a node, in the order of its attributes' names; heed_attribute.subgraph is the index in it.
std::vector<std::shared_ptr<Graph>> subgraphs_of(const Node& node);

// What a node reads: its inputs and what its subgraphs capture; absent inputs left out, repetitions kept.
std::vector<ValueId> reads_of(const Node& node);

// "node 'h.0/add' (Add)"
std::string describe(const Node& node);

// A model-local function, or the body of an operator.
class Function {
 public:
  std::string domain, name, overload;
  std::vector<std::string> inputs, outputs, attributes;       // attributes without default
  std::map<std::string, Attribute, std::less<>> defaults;     // attributes with default
  std::map<std::string, int32_t, std::less<>> opsets;         // by domain
  std::shared_ptr<const Graph> body;                          // its inputs and outputs in the order of the names
};

struct FunctionKey {
  std::string domain, name, overload;
  friend auto operator<=>(const FunctionKey&, const FunctionKey&) = default;
};

// What a file holds, before any pass.
struct ModelFile {
  std::shared_ptr<Graph> graph;
  std::map<FunctionKey, std::shared_ptr<const Function>> functions;
  std::map<std::string, int32_t, std::less<>> opsets;  // by domain; "" is ai.onnx
  std::map<std::string, std::string, std::less<>> metadata;
  int64_t ir_version = 0;
  std::string producer, producer_version, doc;
  std::vector<std::string> defaulted_inputs;  // inputs with an initializer that are constants here: not overridable
  std::vector<std::string> warnings;  // for people, e.g. a newer opset than is known
  std::string path;                   // empty for a model from memory
};

}  // namespace heed
