// Where the tests find data that is not the project's own.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string_view>

#include "rows.hpp"

namespace heed {

// A file or folder below the environment's HEED_TEST_DATA, or below the default that tests/CMakeLists.txt gives. Where
// it is missing a line says so, and the test that asked returns.
inline std::optional<std::filesystem::path> test_data(std::string_view relative) {
  const char* chosen = std::getenv("HEED_TEST_DATA");
  const auto path = std::filesystem::path(chosen && *chosen ? chosen : HEED_TEST_DATA_DEFAULT) / relative;
  std::error_code failure;
  if (std::filesystem::exists(path, failure)) return path;
  test::skip_row("no " + path.lexically_normal().string() + " (set HEED_TEST_DATA to the folder of test data)");
  return std::nullopt;
}

}  // namespace heed
