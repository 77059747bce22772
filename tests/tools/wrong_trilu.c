/* A plugin whose GPU kernel of Trilu is wrong: it fills with sevens, or, compiled with CRASHES, ends the process as a
   driver may. For what must notice that. */
#include <stdlib.h>

#include "heed/plugin.h"

#define TEXT(text) {text, sizeof text - 1}

enum { f32 = 1, i32 = 6 }; /* ONNX's TensorProto.DataType */
static const heed_host* host;

static const char glsl[] =
    "#version 450\n"
    "layout(local_size_x = 64) in;\n"
    "layout(set = 0, binding = 0, std430) readonly buffer Input { uint x[]; };\n"
    "layout(set = 0, binding = 1, std430) writeonly buffer Output { uint y[]; };\n"
    "layout(set = 0, binding = 2, std430) readonly buffer Parameters { uint count, offset; };\n"
    "void main() {\n"
    "  if (gl_GlobalInvocationID.x < count) y[offset + gl_GlobalInvocationID.x] = 7u;\n"
    "}\n";

static int32_t plan(heed_node* node, void* user) {
  const heed_text reason = TEXT("it fills f32 and i32 alone");
  const heed_binding bindings[] = {{HEED_BIND_INPUT, 0, 0}, {HEED_BIND_OUTPUT, 0, 1}};
  const heed_variant variant = {
      .struct_size = sizeof variant, .name = TEXT("sevens"), .glsl = TEXT(glsl), .bindings = bindings, .binding_count = 2};
  const int32_t element = host->node_input(node, 0).element;
  (void)user;
  if (element != f32 && element != i32) return host->plan_decline(node, reason);
  return host->plan_variant(node, &variant);
}

static int32_t bind(heed_node* node, void* user) {
  const heed_tensor output = host->bind_output(node, 0);
  uint32_t parameters[2] = {1, (uint32_t)output.offset};
  uint32_t workgroups[3] = {1, 1, 1};
  (void)user;
#ifdef CRASHES
  abort();
#endif
  for (int32_t axis = 0; axis < output.rank; ++axis) parameters[0] *= (uint32_t)output.dims[axis];
  if (parameters[0] == 0) return HEED_OK;
  workgroups[0] = (parameters[0] + 63) / 64;
  return host->bind_dispatch(node, 0, parameters, sizeof parameters, workgroups, NULL, 0);
}

static const heed_gpu_kernel kernel = {.struct_size = sizeof kernel,
                                       .op_type = TEXT("Trilu"),
                                       .since_version = 14,
                                       .until_version = INT32_MAX,
                                       .name = TEXT("vulkan"),
                                       .plan = plan,
                                       .bind = bind};
static const heed_gpu_kernel* const kernels[] = {&kernel};

static const heed_plugin plugin = {.struct_size = sizeof plugin,
                                   .abi_major = HEED_ABI_MAJOR,
                                   .abi_minor = HEED_ABI_MINOR,
                                   .name = TEXT("wrong"),
                                   .version = TEXT("1"),
                                   .gpu_kernels = kernels,
                                   .gpu_kernel_count = 1};

const heed_plugin* heed_plugin_entry(const heed_host* given);
const heed_plugin* heed_plugin_entry(const heed_host* given) {
  host = given;
  return &plugin;
}
