/* One plugin in C per fault, chosen by a definition. */
#include "heed/plugin.h"

#define TEXT(text) {text, sizeof text - 1}

static int32_t infer(heed_node* node, void* user) {
  (void)node;
  (void)user;
  return 0;
}

static const int32_t versions[] = {1};
#ifndef NO_OP_TYPE
static const heed_operator op = {
    .struct_size = sizeof op, .domain = TEXT("bad"), .op_type = TEXT("Op"), .versions = versions, .version_count = 1, .infer = infer};
#else
static const heed_operator op = {
    .struct_size = sizeof op, .domain = TEXT("bad"), .versions = versions, .version_count = 1, .infer = infer};
#endif
static const heed_operator* const operators[] = {&op, &op};

static const heed_cpu_kernel kernel = {.struct_size = sizeof kernel, .domain = TEXT("bad"), .op_type = TEXT("Op")};
static const heed_cpu_kernel* const kernels[] = {&kernel};

static const heed_plugin plugin = {
#ifdef SHORT_TABLE
    .struct_size = sizeof plugin - 8,
#else
    .struct_size = sizeof plugin,
#endif
#ifdef OTHER_MAJOR
    .abi_major = HEED_ABI_MAJOR + 7,
#else
    .abi_major = HEED_ABI_MAJOR,
#endif
    .abi_minor = HEED_ABI_MINOR,
    .name = TEXT("bad"),
    .version = TEXT("1"),
#ifdef NO_OPERATORS
    .operator_count = 1,
#else
    .operators = operators,
#ifdef DUPLICATE
    .operator_count = 2,
#else
    .operator_count = 1,
#endif
#endif
#ifdef KERNEL_WITHOUT_RUN
    .cpu_kernels = kernels,
    .cpu_kernel_count = 1,
#endif
};

const void* used_by_each_fault(void);
const void* used_by_each_fault(void) { return kernels[0] == 0 || operators[0] == 0 ? 0 : &plugin; }

#ifndef NO_SYMBOL
const heed_plugin* heed_plugin_entry(const heed_host* host);
const heed_plugin* heed_plugin_entry(const heed_host* host) {
#ifdef GIVES_NULL
  const heed_text why = TEXT("the licence server sleeps");
  host->fail(HEED_UNSUPPORTED, why);
  return 0;
#elif defined(GIVES_NULL_SILENTLY)
  (void)host;
  return 0;
#else
  (void)host;
  return &plugin;
#endif
}
#endif
