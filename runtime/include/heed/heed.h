/* heed.h: Heed in a program of one's own, in C. heed.hpp is the same in C++, docs/embed.md shows both at work.
 *
 *   heed_model* model;
 *   heed_session* session;
 *   heed_model_load(NULL, "model.onnx", NULL, &model);
 *   heed_session_create(model, NULL, &session);
 *   heed_session_bind_input(session, "x", &x);
 *   heed_session_run(session);
 *   heed_session_output(session, "y", &y);
 *
 * Rules:
 * - What can fail returns HEED_SUCCESS or what kind of error it met; heed_error_message() then tells more. After an
 * error nothing has changed unless it is said here, and every handle can be used on or freed.
 * - Handles are freed in any order: a session keeps its model, a model its runtime. Freeing NULL does nothing.
 * - Texts are UTF-8 and end with a zero. What a function returns or fills in belongs to the handle that it was asked
 * of.
 * - A runtime, a model and a value may be used by any number of threads; a session by one at a time, but for
 *   heed_session_cancel.
 * - Structs that begin with struct_size may grow at their end: set it by sizeof, or begin with the macro beside them.
 *   Functions are added, never changed, within a major version; while that is 0, within a minor one.
 */
#ifndef HEED_H
#define HEED_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEED_API __attribute__((visibility("default")))

/* Of these headers; heed_version() tells that of the library. */
#define HEED_VERSION_MAJOR 0
#define HEED_VERSION_MINOR 1
#define HEED_VERSION_PATCH 0

/* "0.1.0". */
HEED_API const char* heed_version(void);

/* ---- errors ----------------------------------------------------------------------------------------------------- */

/* docs/errors.md tells of each what it means and what to do. */
typedef enum heed_status {
  HEED_SUCCESS = 0,
  HEED_ERROR_INVALID_ARGUMENT = 1, /* the caller's fault: a wrong name, type, value or option */
  HEED_ERROR_INVALID_MODEL = 2,    /* the model contradicts itself or ONNX */
  HEED_ERROR_SHAPE_MISMATCH = 3,   /* sizes that met do not fit each other */
  HEED_ERROR_UNSUPPORTED = 4,      /* well formed, but nothing here can do it: an operator, a type, a feature */
  HEED_ERROR_IO = 5,               /* a file is missing, short, unreadable or outside where it may be */
  HEED_ERROR_OUT_OF_MEMORY = 6,    /* on the host or a device, or over a limit that was set */
  HEED_ERROR_DEVICE_FAILED = 7,    /* a driver's call failed or the device was lost: load the model anew */
  HEED_ERROR_CANCELLED = 8         /* the caller asked to stop, or a limit of time or steps was reached */
} heed_status;

/* "shape-mismatch": under which name docs/errors.md has it, and the program `heed` prints it. "ok" for HEED_SUCCESS. */
HEED_API const char* heed_error_id(heed_status status);
/* Of the calling thread's last call that failed: which file and node, what was met and expected, what to do. Until its
 * next call that fails. */
HEED_API const char* heed_error_message(void);

/* ---- the log ---------------------------------------------------------------------------------------------------- */

typedef enum heed_log_level {
  HEED_LOG_DEBUG = 0,
  HEED_LOG_INFO = 1,
  HEED_LOG_WARNING = 2,
  HEED_LOG_ERROR = 3
} heed_log_level;

/* Called from any thread, by several at once; `text` is one message without a line end, borrowed for the call. */
typedef void (*heed_log_sink)(void* context, heed_log_level level, const char* text);

/* The library never prints: from now on messages of `least` and above go to `sink`, which must stay callable until the
 * process ends. NULL, as at the start: they go nowhere. */
HEED_API heed_status heed_set_log_sink(heed_log_sink sink, void* context, heed_log_level least);

/* ---- tensors and other values ----------------------------------------------------------------------------------- */

/* ONNX's TensorProto.DataType. Types of fewer than 8 bits are packed, the first element in the low bits. */
typedef enum heed_data_type {
  HEED_F32 = 1,
  HEED_U8 = 2,
  HEED_I8 = 3,
  HEED_U16 = 4,
  HEED_I16 = 5,
  HEED_I32 = 6,
  HEED_I64 = 7,
  HEED_STRING = 8, /* elements are heed_string */
  HEED_BOOL = 9,   /* one byte, 0 or 1 */
  HEED_F16 = 10,
  HEED_F64 = 11,
  HEED_U32 = 12,
  HEED_U64 = 13,
  HEED_C64 = 14,  /* two f32: real, imaginary */
  HEED_C128 = 15, /* two f64 */
  HEED_BF16 = 16,
  HEED_F8E4M3FN = 17,
  HEED_F8E4M3FNUZ = 18,
  HEED_F8E5M2 = 19,
  HEED_F8E5M2FNUZ = 20,
  HEED_U4 = 21,
  HEED_I4 = 22,
  HEED_F4E2M1 = 23,
  HEED_F8E8M0 = 24,
  HEED_U2 = 25,
  HEED_I2 = 26
} heed_data_type;

/* "f32"; "undefined" for what is no data type. */
HEED_API const char* heed_data_type_name(int32_t data_type);

/* Any bytes, not terminated by zero. */
typedef struct heed_string {
  const char* data;
  size_t size;
} heed_string;

/* Elements side by side, row-major. Frozen. */
typedef struct heed_array {
  void* data; /* may be NULL where a size is 0 */
  size_t size_bytes;
  const int64_t* dims;
  int32_t rank; /* 0: a scalar */
  int32_t data_type;
} heed_array;

typedef enum heed_value_kind {
  HEED_VALUE_TENSOR = 0,
  HEED_VALUE_SEQUENCE = 1,
  HEED_VALUE_OPTIONAL = 2,
  HEED_VALUE_MAP = 3 /* in descriptions alone: models that ask for one are not run yet */
} heed_value_kind;

/* A tensor, a sequence of values, or an optional one; immutable, counted. Only models with inputs or outputs that are
 * no tensors, or that outlive the next run, need one. */
typedef struct heed_value heed_value;

/* A tensor with a copy of the elements. */
HEED_API heed_status heed_value_create_tensor(const heed_array* array, heed_value** value);
/* The elements are kept, not copied; none may be NULL. */
HEED_API heed_status heed_value_create_sequence(heed_value* const* elements, size_t count, heed_value** value);
/* `content` is kept; NULL: nothing is in it. */
HEED_API heed_status heed_value_create_optional(heed_value* content, heed_value** value);
HEED_API void heed_value_free(heed_value* value);

HEED_API heed_value_kind heed_value_kind_of(const heed_value* value);
/* Of a tensor; until the value is freed. */
HEED_API heed_status heed_value_array(const heed_value* value, heed_array* array);
/* Elements of a sequence; 1 for an optional with content; else 0. */
HEED_API size_t heed_value_count(const heed_value* value);
/* An element of a sequence, or an optional's content at 0: a reference more, to be freed. */
HEED_API heed_status heed_value_element(const heed_value* value, size_t index, heed_value** element);

/* ---- runtime: operators and kernels ----------------------------------------------------------------------------- */

typedef struct heed_runtime heed_runtime;

/* All that is built in. Functions that take a runtime also take NULL: one that the process shares, without plugins. */
HEED_API heed_status heed_runtime_create(heed_runtime** runtime);
/* A library that brings operators or kernels (plugin.h). Its kernels come before those that are built in. Before the
 * first model is loaded with this runtime; it stays loaded until the last of its models is freed. */
HEED_API heed_status heed_runtime_load_plugin(heed_runtime* runtime, const char* path);
HEED_API void heed_runtime_free(heed_runtime* runtime);

/* ---- models ----------------------------------------------------------------------------------------------------- */

/* A graph made ready on a device: plan, packed weights, shaders. */
typedef struct heed_model heed_model;

typedef struct heed_size {
  const char* name;
  int64_t size;
} heed_size;

typedef struct heed_text_pair {
  const char* first;
  const char* second;
} heed_text_pair;

/* Zeros and NULLs are the defaults. Texts and lists are borrowed for the call. */
typedef struct heed_model_options {
  size_t struct_size;
  const char* device;               /* "auto" (a GPU, else the CPU), "cpu", "vulkan", "vulkan:1", "vulkan:NAME" */
  int32_t require_gpu;              /* 1: refuse where a step that computes would run on the CPU */
  int32_t thread_count;             /* on the CPU, the one that calls included; 0: as many as this process may use */
  uint64_t memory_limit_bytes;      /* of what loading allocates for tensors; and of what each session does. 0: none */
  uint32_t time_limit_ms;           /* of loading; 0: none */
  int32_t read_files;               /* 1: files are read into memory instead of mapped */
  int32_t strict;                   /* 1: external data may not be a hard link, and checksums are checked */
  const char* external_data_folder; /* for models from memory: where their external data lies; NULL: they have none */
  const char* append;         /* nodes behind the file's, in ONNX's textual syntax: "t = ArgMax<axis = -1>(logits)" */
  const char* const* outputs; /* what runs give, of what the file or `append` makes; none: what the file says */
  size_t output_count;
  const char* const* overridable; /* inputs with initializers that get values at runs; others become constants */
  size_t overridable_count;
  const heed_size* size_hints; /* by names of open sizes ("batch"): what kernels are chosen for; binds nothing */
  size_t size_hint_count;
  const heed_text_pair* states; /* inputs and the outputs that are their later selves; most are found unasked */
  size_t state_count;
  const heed_text_pair* kernel_options; /* as those of `heed run --option`: "cpu.isa" and "avx2" */
  size_t kernel_option_count;
} heed_model_options;
#define HEED_MODEL_OPTIONS \
  { .struct_size = sizeof(heed_model_options) }

/* `path`: an ONNX file, or a folder with model.onnx in it. options may be NULL. */
HEED_API heed_status heed_model_load(heed_runtime* runtime, const char* path, const heed_model_options* options,
                                     heed_model** model);
/* The bytes of an ONNX file, which are not copied: they stay as they are until release(context) is called, once: when
 * nothing needs them any more, at the latest when model and sessions are gone, or where this fails. release may be NULL. */
HEED_API heed_status heed_model_load_memory(heed_runtime* runtime, const void* data, size_t size_bytes,
                                            void (*release)(void* context), void* context,
                                            const heed_model_options* options, heed_model** model);
HEED_API void heed_model_free(heed_model* model);

/* What an input or output is. */
typedef struct heed_value_info {
  size_t struct_size;
  const char* name;
  const char* type;    /* "f32 [batch, seq, 64]" */
  int32_t kind;        /* heed_value_kind; of sequences and optionals, what follows tells of the tensors in them */
  int32_t data_type;   /* 0: not known */
  int32_t rank;        /* -1: not known */
  int32_t is_state;    /* 1: carried from run to run where it is not bound */
  int32_t has_default; /* 1: an input that may be left out: the model brings a value */
  const int64_t* dims; /* -1 where a run tells the size */
  const char* const* dim_names; /* "batch", "past + seq"; "64" for a number */
} heed_value_info;
#define HEED_VALUE_INFO \
  { .struct_size = sizeof(heed_value_info) }

HEED_API size_t heed_model_input_count(const heed_model* model);
HEED_API size_t heed_model_output_count(const heed_model* model);
HEED_API heed_status heed_model_input(const heed_model* model, size_t index, heed_value_info* info);
HEED_API heed_status heed_model_output(const heed_model* model, size_t index, heed_value_info* info);
/* Of the file's metadata; NULL where it has no such key. */
HEED_API const char* heed_model_metadata(const heed_model* model, const char* key);
/* "cpu", or "vulkan: " and the device's name. */
HEED_API const char* heed_model_device(const heed_model* model);
/* How many steps that compute a run takes on the CPU and on the GPU; those of bodies count once. */
HEED_API void heed_model_step_counts(const heed_model* model, size_t* cpu, size_t* gpu);

/* ---- sessions --------------------------------------------------------------------------------------------------- */

/* One run at a time over a model: its memory and its states. */
typedef struct heed_session heed_session;

typedef struct heed_session_options {
  size_t struct_size;
  uint64_t seed;          /* of random operators without a seed of their own */
  int32_t without_states; /* 1: nothing is carried from run to run, and every input must be bound */
  uint32_t time_limit_ms; /* of a run, looked at before each step; 0: none */
  uint64_t step_limit;    /* of a run: steps, those of each iteration of a loop too; 0: none */
  const heed_size* sizes; /* of open sizes that no input tells, by name: the capacity of caches written in place */
  size_t size_count;
} heed_session_options;
#define HEED_SESSION_OPTIONS \
  { .struct_size = sizeof(heed_session_options) }

HEED_API heed_status heed_session_create(heed_model* model, const heed_session_options* options,
                                         heed_session** session);
HEED_API void heed_session_free(heed_session* session);

/* Runs read the elements where they lie: they stay there until another array or NULL (a state, or the default) is
 * bound, or the session is freed. `dims` are copied. Types and sizes are checked at the run. */
HEED_API heed_status heed_session_bind_input(heed_session* session, const char* name, const heed_array* array);
/* Runs write the result there; its type and sizes must be those of the result. NULL: to the session's own memory. A
 * state whose output is bound is not carried on. */
HEED_API heed_status heed_session_bind_output(heed_session* session, const char* name, const heed_array* array);
/* The same for a value that is no tensor; the session keeps it. */
HEED_API heed_status heed_session_bind_input_value(heed_session* session, const char* name, heed_value* value);

/* After an error in the middle of a run states are as before the first one, and the message says so. */
HEED_API heed_status heed_session_run(heed_session* session);
/* Where the last run left a result; until the next run, or the session is freed. No states. */
HEED_API heed_status heed_session_output(heed_session* session, const char* name, heed_array* array);
/* The same to keep: a reference, to be freed. */
HEED_API heed_status heed_session_output_value(heed_session* session, const char* name, heed_value** value);
/* From any thread: the run under way stops before its next step with HEED_ERROR_CANCELLED. */
HEED_API void heed_session_cancel(heed_session* session);

/* States as they were before the first run. */
HEED_API void heed_session_reset_states(heed_session* session);
/* Forgets all but the first `length` entries of states that grow, such as the keys and values of attention. */
HEED_API heed_status heed_session_truncate_states(heed_session* session, int64_t length);
/* How many entries they hold; 0 before the first run. */
HEED_API int64_t heed_session_state_length(const heed_session* session);

#ifdef __cplusplus
}
#endif

#endif /* HEED_H */
