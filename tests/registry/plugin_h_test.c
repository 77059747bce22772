/* plugin.h as C11: this file compiles, and its numbers are those that C++ sees. */
#include "heed/plugin.h"

size_t heed_test_c_size(int table);

size_t heed_test_c_size(int table) {
  const size_t sizes[] = {sizeof(heed_host),       sizeof(heed_operator),       sizeof(heed_cpu_kernel), sizeof(heed_gpu_kernel),
                          sizeof(heed_attribute),  sizeof(heed_control_kernel), sizeof(heed_rewrite),    sizeof(heed_plugin),
                          sizeof(heed_arguments),  sizeof(heed_variant),        sizeof(heed_type),       sizeof(heed_tensor)};
  return sizes[table];
}
