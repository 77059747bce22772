// Files that are written whole or not at all.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <string_view>

#include "heed/result.hpp"

namespace heed {

// Writes the pieces one after another beside `path`, then puts the result in its place. Fails with io; `path` is then
// as it was.
Result<void> write_whole_file(const std::filesystem::path& path, std::initializer_list<std::string_view> pieces);

}  // namespace heed
