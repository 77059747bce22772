// The plan: a flat list of steps over values, still symbolic. Made once per Model; nothing in it changes afterwards.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/dim.hpp"
#include "graph/graph.hpp"
#include "registry/registry.hpp"

namespace heed {

enum class Location : uint8_t { cpu, vulkan };
constexpr std::string_view name_of(Location location) { return location == Location::cpu ? "cpu" : "vulkan"; }

// Where a value's bytes come from.
enum class Store : uint8_t {
  absent,    // an optional input or output that is not there
  input,     // given by the caller, or captured from the graph around
  constant,  // an initializer, or folded
  sizes,     // a small integer tensor whose elements follow from the sizes: written at bind
  arena,     // placed at bind, for as long as it is needed
  output,    // a result of the graph: memory of its own at each run
  dynamic,   // made by its step at each run: sequences, data-dependent sizes, results of control kernels
  view,      // another value's elements, looked at differently
};

using SlotId = uint32_t;

// A value of the plan: one value of the graph at one location.
struct Slot {
  std::string name;
  ValueType type;
  Store store = Store::arena;
  Location location = Location::cpu;
  ValueId value = no_id;               // of the graph
  SlotId root = no_id;                 // whose memory it lies in: itself, or through views and in-place steps another's
  std::vector<Dim> strides;            // in elements, where they are known and not dense
  Dim offset = 0;                      // in elements, from the root's first
  bool strided = false;                // may not be dense at a run
  bool unsized = false;                // dynamic, with sizes that only the run tells
  bool anywhere = false;               // lies where its value is made at a run: no step looks at it here
  uint32_t segment = 0;                // in which its sizes are worked out
  std::vector<uint32_t> dim_slots;     // in its segment's program: one per axis
  std::vector<uint32_t> stride_slots;  // likewise, where `strides` is not empty
  uint32_t offset_slot = 0;
  std::vector<uint32_t> element_slots;     // sizes: one per element
  uint32_t first_step = 0, last_step = 0;  // of a root: between which its memory is in use
};

enum class StepKind : uint8_t {
  cpu,      // a CPU kernel
  gpu,      // a GPU kernel
  control,  // a control kernel, which runs subgraphs
  view,     // no work: its outputs look at its input
  upload,   // host to device
  download  // device to host
};

// A kernel that was asked and said no.
struct Declined {
  std::string kernel;  // "vulkan", "cpu avx512"
  std::string reason;
};

struct KernelVariant {
  std::string name;
  const uint32_t* spirv = nullptr;
  size_t spirv_word_count = 0;
  std::string glsl;
  std::vector<heed_binding> bindings;
  std::vector<heed_constant> constants;
  std::string error;  // heed_variant.error
};

// "4 bytes", or several names: what tells a kernel's answers for different nodes apart.
std::string names_of(const std::vector<KernelVariant>& variants);
// In the place of these names: of an operator that runs on the GPU as an expression, in nodes that fuse several.
inline constexpr std::string_view expression_variant = "expression";

struct Plan;

struct Step {
  StepKind kind = StepKind::cpu;
  NodeId node = no_id;  // none for uploads and downloads
  const OperatorEntry* op = nullptr;
  int32_t version = 0;
  const heed_cpu_kernel* cpu = nullptr;
  const heed_gpu_kernel* gpu = nullptr;
  const heed_control_kernel* control = nullptr;
  std::vector<SlotId> inputs, outputs;        // no_id: absent, or not looked at
  std::vector<KernelVariant> variants;        // gpu
  std::vector<std::unique_ptr<Plan>> bodies;  // control: one per subgraph, whose captures follow its inputs
  std::vector<Declined> declined;
  Dim operation_count = 0;       // of numbers, in a run, as far as the kernel tells
  bool computes = false;         // neither view, copy, constant nor arithmetic that feeds only shapes
  std::vector<SlotId> captured;  // control: what its bodies read from here, for each body in turn
};

// A tensor that lives across runs of a session.
struct StatePair {
  std::string input_name, output_name;
  uint32_t input = 0, output = 0;  // positions among Plan::inputs and Plan::outputs
  int32_t growing_axis = -1;       // -1: its shape stays
  bool in_place = false;           // its kernel writes where the past lies; else the two are swapped
  std::string why;                 // "attention's own", "names", "given by the caller"
};

// Steps [begin, end) whose sizes are all known before the first of them runs.
struct Segment {
  uint32_t begin = 0, end = 0;
  DimProgram dims;
  struct Check {
    uint32_t a = 0, b = 0;  // slots of `dims` that must be equal
    std::string what;
  };
  std::vector<Check> checks;
  std::vector<SlotId> slots;  // whose sizes it works out
};

struct Plan {
  std::shared_ptr<Graph> graph;  // with the copies that planning added
  std::vector<Slot> slots;
  std::vector<Step> steps;
  std::vector<Segment> segments;
  std::vector<SlotId> inputs;     // in the order of the graph's inputs, then of the captures
  std::vector<ValueId> captures;  // of a body: the values of the graph around it that the further inputs stand for
  std::vector<SlotId> outputs;    // in the order of the graph's outputs
  bool is_body = false;           // of a control step: may run many times in one run
  std::vector<StatePair> states;
};

// What choosing depends on.
struct PlanOptions {
  bool use_gpu = false;
  // Asked by gpu_capability; null without a GPU.
  uint64_t (*gpu_capability)(const void* context, std::string_view name) = nullptr;
  // Why the shaders that a GPU kernel gave for a node are not to be taken, by their names and the type of the node's
  // first input; nullopt: they are. Null: none is refused.
  std::optional<std::string> (*gpu_refuses)(const void* context, std::string_view domain, std::string_view op_type,
                                            std::string_view variants, std::string_view element) = nullptr;
  const void* gpu_context = nullptr;
  std::vector<std::pair<std::string, std::string>> kernel_options;  // "cpu.isa" = "avx2", "kernel" = "scalar"
  // What costs are reckoned with where sizes are symbols; others count as 1 where they are batches, else as 128.
  std::vector<std::pair<std::string, int64_t>> size_hints;
  std::vector<std::pair<std::string, std::string>> states;  // inputs and the outputs that are their later selves
};

// Chooses kernels, finds views, aliases and lifetimes. Fails where a node has no kernel at all, naming each such node.
Result<std::unique_ptr<Plan>> make_plan(std::shared_ptr<Graph> graph, const Registry& registry,
                                        const PlanOptions& options);

}  // namespace heed
