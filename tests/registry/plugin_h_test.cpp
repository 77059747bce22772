// plugin.h means the same in C11 and C++20, and nothing but the two standard headers is behind it.
#include <catch2/catch.hpp>
#include <fstream>
#include <set>
#include <string>

#include "heed/plugin.h"
#include "heed/result.hpp"

extern "C" size_t heed_test_c_size(int table);

TEST_CASE("plugin.h has tables of the same size in C11 and C++20") {
  const size_t sizes[] = {sizeof(heed_host),       sizeof(heed_operator),  sizeof(heed_cpu_kernel),
                          sizeof(heed_gpu_kernel), sizeof(heed_attribute), sizeof(heed_control_kernel),
                          sizeof(heed_rewrite),    sizeof(heed_plugin),    sizeof(heed_arguments),
                          sizeof(heed_variant),    sizeof(heed_type),      sizeof(heed_tensor)};
  for (int i = 0; i < 12; ++i) CHECK(heed_test_c_size(i) == sizes[i]);
}

TEST_CASE("plugin.h includes only stdint.h and stddef.h") {
  std::ifstream file(HEED_SOURCE_FOLDER "/runtime/include/heed/plugin.h");
  REQUIRE(file);
  std::set<std::string> included;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("#include", 0) == 0) included.insert(line);
  }
  CHECK(included == std::set<std::string>{"#include <stddef.h>", "#include <stdint.h>"});
}

TEST_CASE("the codes of plugin.h are those of result.hpp") {
  CHECK(HEED_INVALID_ARGUMENT == static_cast<int>(heed::Code::invalid_argument));
  CHECK(HEED_SHAPE_MISMATCH == static_cast<int>(heed::Code::shape_mismatch));
  CHECK(HEED_CANCELLED == static_cast<int>(heed::Code::cancelled));
}
