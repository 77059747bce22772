// A model folder that a test fills, and that goes with it.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace heed::text {

class ModelFolder {
 public:
  ModelFolder() {
    static int count = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("heed_text_test_" + std::to_string(getpid()) + "_" + std::to_string(count++));
    std::filesystem::create_directories(path_);
  }
  ~ModelFolder() {
    std::error_code failure;
    std::filesystem::remove_all(path_, failure);
  }
  ModelFolder(const ModelFolder&) = delete;

  ModelFolder& write(const std::string& name, const std::string& content) {
    std::ofstream(path_ / name, std::ios::binary) << content;
    return *this;
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace heed::text
