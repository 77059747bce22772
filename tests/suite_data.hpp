// The unpacked archive of ONNX's backend test suite.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "test_data.hpp"

namespace heed {

// The folder that holds node/, simple/, real/, light/ ...: unpacked below the build folder by whoever asks first, while
// other processes wait. Null, after a line that says so, where the archive is missing or cannot be unpacked.
inline std::optional<std::filesystem::path> suite_folder() {
  const std::string name = "onnx-1.23.2-cases";
  const std::filesystem::path home = std::filesystem::path(HEED_BINARY_FOLDER) / "suite";
  const std::filesystem::path folder = home / name, part = home / (name + ".part");
  const auto archive = test_data(name + ".tar.xz");
  if (!archive) return std::nullopt;
  std::filesystem::create_directories(home);
  const int lock = open((home / "lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644);
  flock(lock, LOCK_EX);
  bool is_there = std::filesystem::exists(folder);
  if (!is_there) {
    std::filesystem::remove_all(part);
    std::filesystem::create_directories(part);
    const std::string command = "tar -xJf '" + archive->string() + "' -C '" + part.string() + "'";
    if (std::system(command.c_str()) == 0) {
      // The archive holds one folder of its own name, or the content itself.
      const bool has_folder = std::filesystem::exists(part / name);
      std::filesystem::rename(has_folder ? part / name : part, folder);
      is_there = true;
    } else {
      test::skip_row(archive->string() + " cannot be unpacked");
    }
    std::filesystem::remove_all(part);
  }
  close(lock);
  return is_there ? std::optional(folder) : std::nullopt;
}

}  // namespace heed
