/* plugin.h: the door for operators, in C. Authors of plugins write against plugin.hpp and never see this page.
 *
 * A plugin is a library that brings operators, kernels, rewrites or any mix of them. It exports one symbol,
 * heed_plugin_entry. Everything built into Heed comes through the same door.
 *
 * Rules:
 * - A table that may grow begins with struct_size, set by sizeof on the side that fills it; members are only appended.
 *   Structs that travel in arrays (heed_dim, heed_text, heed_tensor, heed_type, heed_constant) are frozen.
 * - The major version must match exactly. While it is 0, every change counts as a break. Later these break it: a member
 *   moved, removed or given another meaning; another signature; another numeric value of an enumerator.
 * - Extras are asked for by string id on both sides ("heed.profile/1"); null means no.
 * - What a plugin returns is static until it is unloaded. What the host passes is borrowed for the call. Results are
 *   handed over by calling the host. Nothing is allocated on one side and freed on the other.
 * - Every function of a kernel is re-entrant: any thread, several at a time.
 * - A function that can fail returns 0, or the code that host->fail() gave it. No exception crosses.
 */
#ifndef HEED_PLUGIN_H
#define HEED_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEED_ABI_MAJOR 0u
#define HEED_ABI_MINOR 8u

/* ---- plain data ------------------------------------------------------------------------------------------------- */

/* UTF-8 (or any bytes, in a string tensor), not terminated by zero. */
typedef struct heed_text {
  const char* data;
  size_t size;
} heed_text;

/* What kind of thing went wrong; the same numbers as heed::Code in result.hpp, where each says when to use it. */
typedef enum heed_code {
  HEED_OK = 0,
  HEED_INVALID_ARGUMENT = 1,
  HEED_INVALID_MODEL = 2,
  HEED_SHAPE_MISMATCH = 3,
  HEED_UNSUPPORTED = 4,
  HEED_IO = 5,
  HEED_OUT_OF_MEMORY = 6,
  HEED_DEVICE_FAILED = 7,
  HEED_CANCELLED = 8
} heed_code;

/* A size or an element of a shape tensor. Expression 0 means the number, of either sign; other expressions are interned
 * per graph, live as long as it, and are combined only by heed_dim_algebra: equal ones have equal bits. */
typedef struct heed_dim {
  int64_t number;
  uint64_t expression;
} heed_dim;

typedef enum heed_dim_operation {
  HEED_DIM_ADD,
  HEED_DIM_SUBTRACT,
  HEED_DIM_MULTIPLY,
  HEED_DIM_FLOOR_DIVIDE,
  HEED_DIM_CEIL_DIVIDE,
  HEED_DIM_TRUNCATE_DIVIDE,
  HEED_DIM_MODULO, /* follows the divisor, as Python's */
  HEED_DIM_MIN,
  HEED_DIM_MAX,
  HEED_DIM_BROADCAST, /* 1 gives way; unequal otherwise is an error when it is evaluated */
  HEED_DIM_LESS,      /* 1 or 0 */
  HEED_DIM_EQUAL      /* 1 or 0 */
} heed_dim_operation;

typedef struct heed_dim_algebra {
  size_t struct_size;
  heed_dim (*combine)(int32_t operation, heed_dim a, heed_dim b);
  heed_dim (*select)(heed_dim condition, heed_dim then_dim, heed_dim else_dim);
  size_t (*text)(heed_dim dim, char* buffer, size_t capacity); /* returns the whole length, also past capacity */
  int64_t (*lower_bound)(heed_dim dim);
  int64_t (*upper_bound)(heed_dim dim);
} heed_dim_algebra;

typedef enum heed_kind { HEED_TENSOR = 0, HEED_SEQUENCE = 1, HEED_OPTIONAL = 2, HEED_MAP = 3 } heed_kind;

/* The type of a value. `element` is ONNX's TensorProto.DataType (0: not known). A sequence's or optional's `element`,
 * `rank` and `dims` are those of the tensors in it. rank -1: not known. */
typedef struct heed_type {
  int32_t kind;
  int32_t element;
  int32_t rank;
  int32_t sequence_of_optional; /* 1 where an optional holds a sequence */
  const heed_dim* dims;
} heed_type;

/* A tensor at a run, or at bind with data null. Strides count elements; 0 and negative ones occur where the kernel said
 * that it takes strided tensors, otherwise tensors are dense and row-major. Sub-byte types are dense and packed, low
 * bits first. A string tensor's elements are heed_text. element 0 (undefined): the optional value is absent. */
typedef struct heed_tensor {
  void* data; /* the element at index zero; on a GPU null */
  const int64_t* dims;
  const int64_t* strides;
  int64_t offset; /* GPU only: element at index zero, in elements from the start of the binding */
  int32_t rank;
  int32_t element;
} heed_tensor;

typedef enum heed_attribute_kind {
  HEED_ATTRIBUTE_NONE = 0,
  HEED_ATTRIBUTE_FLOAT = 1,
  HEED_ATTRIBUTE_INT = 2,
  HEED_ATTRIBUTE_STRING = 3,
  HEED_ATTRIBUTE_TENSOR = 4,
  HEED_ATTRIBUTE_GRAPH = 5,
  HEED_ATTRIBUTE_FLOATS = 6,
  HEED_ATTRIBUTE_INTS = 7,
  HEED_ATTRIBUTE_STRINGS = 8,
  HEED_ATTRIBUTE_SPARSE_TENSOR = 11,
  HEED_ATTRIBUTE_TYPE = 13
} heed_attribute_kind;

/* One member is meant, by kind; lists are (pointer, count). The kinds' numbers are ONNX's AttributeProto.AttributeType. */
typedef struct heed_attribute {
  size_t struct_size;
  int32_t kind;
  int32_t subgraph; /* which of the node's subgraphs */
  float f;
  int64_t i;
  heed_text s;
  const float* floats;
  const int64_t* ints;
  const heed_text* strings;
  size_t count;
  heed_tensor tensor;
  heed_type type;
} heed_attribute;

/* ---- what the host offers --------------------------------------------------------------------------------------- */

typedef struct heed_node heed_node;             /* a node as any phase sees it */
typedef struct heed_value heed_value;           /* a counted reference to a tensor, sequence or optional at a run */
typedef struct heed_run heed_run;               /* one execution of one CPU kernel */
typedef struct heed_control heed_control;       /* one execution of one control kernel */
typedef struct heed_match heed_match;           /* one place where a rewrite's pattern fits */

typedef void (*heed_loop)(void* context, int64_t begin, int64_t end, int32_t thread);

typedef struct heed_variant heed_variant;

/* Of a buffer, what one dispatch sees through a binding: for tensors that are longer than a binding may be
 * ("max_binding_bytes"), by kernels whose bindings say so (heed_binding.windowed). offset_bytes counts from the first byte of the whole binding, a multiple of 256. */
typedef struct heed_window {
  int32_t binding; /* its place among the variant's bindings */
  uint64_t offset_bytes;
  uint64_t size_bytes;
} heed_window;

typedef struct heed_host {
  size_t struct_size;
  uint32_t abi_major;
  uint32_t abi_minor;
  const heed_dim_algebra* dims;

  const void* (*extension)(heed_text id);
  /* Keeps a copy of the text for the calling thread and returns the code, for the caller to return in turn. The host
   * adds the node's path, operator, input types and shapes. */
  int32_t (*fail)(int32_t code, heed_text message);

  /* -- a node, in every phase -- */
  int32_t (*node_version)(const heed_node*);      /* the version of the operator, e.g. 13 of Softmax-13 */
  int32_t (*node_input_count)(const heed_node*);  /* trailing absent inputs are not counted */
  int32_t (*node_output_count)(const heed_node*);
  int32_t (*node_has_input)(const heed_node*, int32_t input); /* 0 where absent ("") */
  int32_t (*node_has_output)(const heed_node*, int32_t output);
  heed_type (*node_input)(const heed_node*, int32_t input);
  heed_type (*node_output)(const heed_node*, int32_t output); /* after inference */
  /* The elements of a small integer tensor as Dims (row-major), as far as they are known: -1, or how many. */
  int64_t (*node_input_elements)(const heed_node*, int32_t input, const heed_dim** elements);
  /* The value of a constant input; 0 where it is not constant. */
  int32_t (*node_input_constant)(const heed_node*, int32_t input, heed_tensor* constant);
  /* 0 where neither the node nor the contract's defaults hold it. */
  int32_t (*node_attribute)(const heed_node*, heed_text name, heed_attribute* attribute);
  int32_t (*node_attribute_count)(const heed_node*);
  heed_text (*node_attribute_name)(const heed_node*, int32_t index);

  /* -- shape inference: heed_operator.infer -- */
  int32_t (*infer_output)(heed_node*, int32_t output, heed_type type);
  int32_t (*infer_output_elements)(heed_node*, int32_t output, const heed_dim* elements, size_t count);
  /* A size that the shapes do not tell: fresh at each call. upper: a bound, or INT64_MAX as a number. */
  heed_dim (*infer_symbol)(heed_node*, heed_text hint, heed_dim upper);
  /* Demands a == b: proven now, refuted now (an error), or checked when sizes are bound. */
  int32_t (*infer_equal)(heed_node*, heed_dim a, heed_dim b, heed_text what);
  /* Demands a rank of an input whose rank nothing tells: what makes it is held to it in the run. */
  int32_t (*infer_rank)(heed_node*, int32_t input, int32_t rank);
  /* Infers a subgraph whose inputs have these types; its outputs' types are then read by index. */
  int32_t (*infer_subgraph)(heed_node*, int32_t subgraph, const heed_type* inputs, size_t input_count);
  /* The same of a subgraph without inputs that the run may never come to: 0 in `fits` where its shapes contradict each
   * other, and nothing of it is to be read; who calls it in a run meets that error. */
  int32_t (*infer_untaken_subgraph)(heed_node*, int32_t subgraph, int32_t* fits);
  /* The node does what this subgraph does, once, whatever the run brings: its nodes take the node's place. */
  int32_t (*infer_becomes)(heed_node*, int32_t subgraph);
  int32_t (*subgraph_output_count)(const heed_node*, int32_t subgraph);
  heed_type (*subgraph_output)(const heed_node*, int32_t subgraph, int32_t output);

  /* -- views: heed_operator.view, once per node, over Dims -- */
  const heed_dim* (*view_source_strides)(const heed_node*); /* of input 0, in elements: one per axis */
  /* The output looks at input 0's memory with these strides, from this element on. An operator with several outputs
   * tells each (Split). Not called at all: it is no view here, and a kernel copies. */
  void (*view_output)(heed_node*, int32_t output, const heed_dim* strides, heed_dim offset);

  /* -- planning of a CPU or GPU kernel -- */
  int32_t (*plan_decline)(heed_node*, heed_text reason); /* returns what the callback returns: not an error */
  void (*plan_strided_input)(heed_node*, int32_t input);   /* this input may come strided */
  void (*plan_strided_output)(heed_node*, int32_t output);
  /* CPU: this input or output may lie channels last, axis 1 innermost and the others in order, where it is not dense. An
   * output does where those who read it take it so. Returns whether it will, as far as is known: kernels are asked until
   * layouts are chosen, and once more then. */
  int32_t (*plan_channels_last_input)(heed_node*, int32_t input);
  int32_t (*plan_channels_last_output)(heed_node*, int32_t output);
  /* The same of output 0 and all inputs that have its spatial axes, where they lie alike. */
  int32_t (*plan_channels_last_alike)(heed_node*);
  void (*plan_in_place)(heed_node*, int32_t input, int32_t output); /* output may lie where input lies */
  /* How many additions and multiplications of numbers a run costs, where that is more than its bytes tell: for placing
   * nodes and for profiles. */
  void (*plan_work)(heed_node*, heed_dim operation_count);
  /* Planning and binding of a GPU kernel: a feature or limit of the device: "subgroup_size", "max_shared_bytes", "int64",
   * "float16", ...: 0 when absent. */
  uint64_t (*gpu_capability)(const heed_node*, heed_text name);
  int32_t (*plan_variant)(heed_node*, const heed_variant* variant); /* copied */

  /* -- binding: sizes are numbers now -- */
  /* Shapes and strides of inputs and outputs, without data. */
  heed_tensor (*bind_input)(const heed_node*, int32_t input);
  heed_tensor (*bind_output)(const heed_node*, int32_t output);
  /* Whether an output lies where an input lies, element for element (plan_in_place, a state that grows where it is). */
  int32_t (*bind_in_place)(const heed_node*, int32_t input, int32_t output);
  void (*bind_scratch)(heed_node*, size_t size_bytes); /* CPU: 64-byte aligned; GPU: bound as HEED_BIND_SCRATCH */
  /* GPU: one dispatch of a variant; several run in order, each seeing what the ones before it wrote. The parameters
   * (std430) and the windows are copied. */
  int32_t (*bind_dispatch)(heed_node*, int32_t variant, const void* parameters, size_t size_bytes,
                           const uint32_t workgroups[3], const heed_window* windows, size_t window_count);
  int32_t (*bind_has_kept)(const heed_node*); /* GPU: whether heed_gpu_kernel.prepare has kept something for the node */

  /* -- preparing a kernel, once per Model; prepare_keep is the CPU's -- */
  void* (*prepare_keep)(heed_node*, size_t size_bytes); /* 64-byte aligned, owned by the Model; null: out of memory */
  void (*prepare_replaced)(heed_node*, int32_t input);  /* the constant's own bytes are not read again by this node */
  int32_t (*prepare_threads)(const heed_node*);
  int32_t (*prepare_option)(const heed_node*, heed_text name, heed_text* value); /* e.g. "cpu.isa" = "avx2" */

  /* -- running a CPU kernel -- */
  void (*parallel_for)(heed_run*, int64_t count, int64_t grain, heed_loop function, void* context);
  int32_t (*thread_count)(const heed_run*); /* threads that parallel_for uses: `thread` lies in [0, thread_count) */
  /* For outputs whose size may depend on data: makes room and fills in `tensor`; an output whose size was known already
   * (its data is not null, or it is empty) is given back as it is, after a check of `dims`. */
  int32_t (*allocate_output)(heed_run*, int32_t output, const int64_t* dims, int32_t rank, heed_tensor* tensor);
  /* Copies bytes into the arena of a string output and returns the copy. */
  heed_text (*store_text)(heed_run*, int32_t output, heed_text bytes);
  uint64_t (*random_seed)(heed_run*); /* of this run, for nodes without a seed attribute */

  /* -- values that are not plain tensors, in CPU and control kernels. `new_*` and `*_copy` give a reference that is
   *    released or given away by set_output; the others borrow. -- */
  heed_value* (*run_input)(heed_run*, int32_t input); /* null where absent */
  int32_t (*run_set_output)(heed_run*, int32_t output, heed_value* value); /* takes the reference */
  void (*value_retain)(heed_value*);
  void (*value_release)(heed_value*);
  int32_t (*value_kind)(const heed_value*);
  int32_t (*value_tensor)(heed_value*, heed_tensor* tensor); /* dense; fails on a tensor that lies on a GPU */
  heed_value* (*new_tensor)(heed_run*, int32_t element, const int64_t* dims, int32_t rank, heed_tensor* tensor);
  heed_text (*value_store_text)(heed_value*, heed_text bytes); /* as store_text, for a new tensor */
  heed_value* (*new_sequence)(heed_run*, int32_t element);
  heed_value* (*sequence_copy)(heed_run*, int32_t input); /* the input's own storage where nobody else holds it */
  int64_t (*sequence_size)(const heed_value*);
  heed_value* (*sequence_at)(const heed_value*, int64_t index);
  int32_t (*sequence_insert)(heed_value* sequence, int64_t index, heed_value* element); /* retains the element */
  int32_t (*sequence_erase)(heed_value* sequence, int64_t index);
  heed_value* (*new_optional)(heed_run*, heed_value* content /* null: empty; retained */);
  heed_value* (*optional_content)(const heed_value*); /* null: empty */

  /* -- control kernels: values are opaque and stay where they are -- */
  heed_run* (*control_run)(heed_control*); /* for the functions above that take a heed_run */
  int32_t (*control_input_count)(const heed_control*);
  int32_t (*control_output_count)(const heed_control*);
  heed_value* (*control_input)(heed_control*, int32_t input); /* null where absent */
  /* Reads one number; the only call that waits for a device. Integers and booleans by i, floats by f. */
  int32_t (*control_read_scalar)(heed_control*, heed_value* value, int64_t* i, double* f);
  heed_value* (*control_scalar)(heed_control*, int32_t element, int64_t i);
  int32_t (*control_dims)(heed_control*, heed_value* value, const int64_t** dims, int32_t* rank); /* -1: no tensor */
  /* Runs a subgraph; results[] receives references that the caller releases or gives away. */
  int32_t (*control_call)(heed_control*, int32_t subgraph, heed_value* const* arguments, size_t argument_count,
                          heed_value** results, size_t result_count);
  /* control_scalar, _stack and _slice give null on failure; whatever takes that null fails with the same error. */
  /* [count, ...] along a new axis from equally shaped tensors; with count 0 the shape comes from `output` and may be empty. */
  heed_value* (*control_stack)(heed_control*, int32_t axis, heed_value* const* values, size_t count, int32_t output);
  heed_value* (*control_slice)(heed_control*, heed_value* value, int32_t axis, int64_t index); /* drops the axis */
  int32_t (*control_set_output)(heed_control*, int32_t output, heed_value* value); /* takes the reference */

  /* -- rewrites -- */
  const heed_node* (*match_node)(const heed_match*, heed_text result); /* the node of the pattern that makes `result` */
  int32_t (*match_value)(const heed_match*, heed_text name, heed_type* type);
  int32_t (*match_constant)(const heed_match*, heed_text name, heed_tensor* constant);
  int64_t (*match_elements)(const heed_match*, heed_text name, const heed_dim** elements);
  void (*match_set_int)(heed_match*, heed_text name, int64_t value);     /* @name in the replacement */
  void (*match_set_float)(heed_match*, heed_text name, float value);
  void (*match_set_ints)(heed_match*, heed_text name, const int64_t* values, size_t count);
  void (*match_set_text)(heed_match*, heed_text name, heed_text value);
  void (*match_replace)(heed_match*, heed_text replacement); /* instead of heed_rewrite.replacement, for this match */
} heed_host;

/* ---- operators -------------------------------------------------------------------------------------------------- */

typedef enum heed_parameter_flags {
  HEED_OPTIONAL_PARAMETER = 1,
  HEED_VARIADIC = 2,      /* the last one: any number, at least one unless also optional */
  HEED_HETEROGENEOUS = 4, /* variadic, and each may have a type of its own */
  HEED_SHAPE_DATA = 8     /* its elements are sizes, axes or indices that inference reads: it stays on the CPU */
} heed_parameter_flags;

/* An input or output of an operator. `type` names a row of heed_operator.types, e.g. "T", or is a data type itself. */
typedef struct heed_parameter {
  size_t struct_size;
  heed_text name;
  heed_text type;
  uint32_t flags;
  /* Outputs: the input whose later self it is (a KV cache's past, a recurrent state), or -1; and the axis along which
   * it grows, or -1. */
  int32_t state_of;
  int32_t state_axis;
} heed_parameter;

typedef struct heed_type_rule {
  size_t struct_size;
  heed_text name;
  uint64_t elements; /* bit n: ONNX's data type n; 0: all */
  uint32_t kinds;    /* bit n: heed_kind n; 0: tensors */
} heed_type_rule;

typedef struct heed_attribute_rule {
  size_t struct_size;
  heed_text name;
  int32_t kind;
  int32_t required;
  heed_attribute default_value; /* kind NONE: no default */
} heed_attribute_rule;

typedef enum heed_operator_flags {
  HEED_RANDOM = 1,           /* never folded, never merged */
  HEED_ENLARGES = 2,         /* its output outweighs its input: constants are not folded through it */
  HEED_COMMUTATIVE = 4,      /* the first two inputs may change places */
  HEED_VIEW_DENSE = 8,       /* output 0 is input 0's elements in the same order: Reshape, Squeeze, Identity */
  HEED_VIEW_STRIDED = 16,    /* outputs are strided looks at input 0: Transpose, Slice, Expand, Split; `view` tells how */
  HEED_COPIES = 32,          /* moves data and computes nothing: Concat, Tile, the strided copy */
  HEED_CONTROL = 64          /* holds subgraphs and is run by a control kernel */
} heed_operator_flags;

/* A contract. Versions: those of ONNX's changelog at which the meaning changed and that this contract covers, newest
 * first; a node of opset n has the newest version <= n. */
typedef struct heed_operator {
  size_t struct_size;
  heed_text domain; /* "" is ai.onnx */
  heed_text op_type;
  heed_text role;   /* what the runtime asks for by role: "copy", "cast", "fused_elementwise"; else empty */
  const int32_t* versions;
  size_t version_count;
  uint32_t flags;
  const heed_parameter* inputs;
  size_t input_count;
  const heed_parameter* outputs;
  size_t output_count;
  const heed_type_rule* types;
  size_t type_count;
  const heed_attribute_rule* attributes;
  size_t attribute_count;
  /* The meaning in terms of other operators, in ONNX's textual syntax: "y = Mul(Sigmoid(x), x)"; @name takes the node's
   * attribute. Empty where the operator is a primitive. */
  heed_text body;
  /* Element-wise operators: output 0 from the inputs by name, e.g. "max(x, 0)"; the language is told in heed/expression.hpp.
   * Types that it does not take are left to the kernels. One variadic input: how `a` and `b`, two of them, meet; they
   * meet from left to right. */
  heed_text expression;
  int32_t (*infer)(heed_node* node, void* user);
  int32_t (*view)(heed_node* node, void* user);
  void* user;
} heed_operator;

/* ---- kernels ---------------------------------------------------------------------------------------------------- */

typedef struct heed_arguments {
  size_t struct_size;
  const heed_tensor* inputs;
  heed_tensor* outputs;
  int32_t input_count;
  int32_t output_count;
  const void* kept;    /* what prepare kept */
  void* scratch;       /* as asked for by bind; this run's alone */
  heed_run* run;
} heed_arguments;

typedef struct heed_cpu_kernel {
  size_t struct_size;
  heed_text domain;
  heed_text op_type;
  int32_t since_version; /* inclusive */
  int32_t until_version; /* inclusive; INT32_MAX: the newest */
  heed_text name;        /* e.g. "scalar", "avx512"; shown by explain, forced by --option */
  int32_t score;         /* among those that do not decline the highest wins; the scalar kernel has 0 */
  int32_t (*plan)(heed_node* node, void* user);                      /* may be null: serves all that infer accepts */
  int32_t (*prepare)(heed_node* node, void** kept, void* user);      /* may be null */
  int32_t (*bind)(heed_node* node, const void* kept, void* user);    /* may be null: no scratch */
  int32_t (*run)(heed_arguments* arguments, const heed_node* node, void* user);
  void* user;
} heed_cpu_kernel;

typedef struct heed_control_kernel {
  size_t struct_size;
  heed_text domain;
  heed_text op_type;
  int32_t since_version;
  int32_t until_version;
  int32_t (*run)(heed_control* control, const heed_node* node, void* user);
  void* user;
} heed_control_kernel;

typedef enum heed_binding_kind {
  HEED_BIND_INPUT,
  HEED_BIND_OUTPUT,
  HEED_BIND_SCRATCH, /* index: none */
  HEED_BIND_ERROR,   /* index: none. One word, 0 until a shader tells of bad data (shaders/error_word.glsl) */
  HEED_BIND_KEPT     /* index: none. What heed_gpu_kernel.prepare made: runs only read it */
} heed_binding_kind;

typedef struct heed_binding {
  int32_t kind;
  int32_t index;
  int32_t writes;   /* 0 read, 1 write, 2 both */
  int32_t windowed; /* 1: where its tensor is longer than a binding may be, bind gives each dispatch a window of it */
} heed_binding;

typedef struct heed_constant {
  uint32_t id;    /* constant_id of the shader */
  uint32_t value; /* bits */
} heed_constant;

/* One shader with its specialisation. Binding n of set 0 is bindings[n]; the parameters' buffer follows after them. */
struct heed_variant {
  size_t struct_size;
  heed_text name;
  const uint32_t* spirv; /* or null, with GLSL below */
  size_t spirv_word_count;
  heed_text glsl;
  const heed_binding* bindings;
  size_t binding_count;
  const heed_constant* constants;
  size_t constant_count;
  heed_text error; /* what a set error word says; "{}" in it becomes the place that was told */
};

typedef struct heed_gpu_kernel {
  size_t struct_size;
  heed_text domain;
  heed_text op_type;
  int32_t since_version;
  int32_t until_version;
  heed_text name;
  int32_t score;
  int32_t (*plan)(heed_node* node, void* user);
  int32_t (*bind)(heed_node* node, void* user);
  void* user;
  /* Once per Model; may be null. Gives dispatches by bind's functions, which make of constants what runs find as
   * HEED_BIND_KEPT; bind_scratch tells its size, and where nothing is told nothing is kept. It sees inputs that are
   * constants on the device, and no outputs; an input that is not read again is prepare_replaced. */
  int32_t (*prepare)(heed_node* node, void* user);
} heed_gpu_kernel;

/* ---- rewrites --------------------------------------------------------------------------------------------------- */

/* Wherever a pattern (nodes in ONNX's textual syntax; the last one is where matching begins) fits and `accept` agrees,
 * the results of the pattern that are used outside of it are replaced by those of the same name of `replacement`; a
 * result that is used outside and that the replacement does not make is no match. Names that the pattern does not make
 * are variables: each stands for one value, or for an absent input of its node (absent in the replacement too).
 * Attributes in a pattern must be equal; those it does not mention may be anything. @name in the replacement is what
 * accept set, or the attribute of that name of the pattern's last node. */
typedef struct heed_rewrite {
  size_t struct_size;
  heed_text name;
  const heed_text* patterns; /* the first that fits is taken */
  size_t pattern_count;
  heed_text replacement;
  int32_t (*accept)(heed_match* match, void* user); /* 1 yes, 0 no; null: always */
  void* user;
} heed_rewrite;

/* ---- the plugin ------------------------------------------------------------------------------------------------- */

typedef struct heed_plugin {
  size_t struct_size;
  uint32_t abi_major;
  uint32_t abi_minor;
  heed_text name;
  heed_text version;
  const heed_operator* const* operators;
  size_t operator_count;
  const heed_cpu_kernel* const* cpu_kernels;
  size_t cpu_kernel_count;
  const heed_gpu_kernel* const* gpu_kernels;
  size_t gpu_kernel_count;
  const heed_control_kernel* const* control_kernels;
  size_t control_kernel_count;
  const heed_rewrite* const* rewrites;
  size_t rewrite_count;
  const void* (*extension)(heed_text id); /* may be null */
} heed_plugin;

/* The one symbol of a shared plugin. Null: the plugin failed, after host->fail(). */
typedef const heed_plugin* (*heed_plugin_entry_function)(const heed_host* host);

#ifdef __cplusplus
}
#endif

#endif /* HEED_PLUGIN_H */
