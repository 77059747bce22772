// PipelineCacheFile: what a driver compiled for a device, kept on disk from one process to the next.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace heed::vulkan {

// For whom the data is: each gets a file of its own, and so does each version of Heed.
struct PipelineCacheOwner {
  uint32_t vendor = 0;
  uint32_t device = 0;
  uint32_t driver_version = 0;
  std::array<uint8_t, 16> uuid{};  // VkPhysicalDeviceProperties::pipelineCacheUUID
};

// "pipelines-10005-0-1-...-0.1.0": the kind, the owner and Heed's version.
std::string cache_file_name(std::string_view kind, const PipelineCacheOwner& owner);

// FNV-1a, 64 bits: each byte changes the sum.
uint64_t checksum_of(std::span<const std::byte> bytes);

// Puts these bytes where `path` is, as a whole: who reads meanwhile sees the old file or the new. False where that
// fails, or where another process is at it.
bool replace_file(const std::filesystem::path& path, std::span<const std::byte> bytes);

// $XDG_CACHE_HOME/heed or ~/.cache/heed; empty where neither is told.
std::filesystem::path default_cache_folder();

// Nothing here fails: a file that is missing, unreadable, damaged or another owner's is as none, and what cannot be
// written is tried again by the next process. Any number of processes read and write at once.
class PipelineCacheFile {
 public:
  // In this folder, which need not be there; empty: nothing is read or written.
  PipelineCacheFile(const std::filesystem::path& folder, const PipelineCacheOwner& owner);

  const std::filesystem::path& path() const { return path_; }  // empty where there is none
  // The data of the last write, by any process; empty where there is none that can be trusted.
  std::vector<std::byte> read() const;
  // Replaces the file as a whole: who reads meanwhile sees the old data or the new.
  void write(std::span<const std::byte> data) const;

 private:
  std::filesystem::path path_;
  PipelineCacheOwner owner_;
};

}  // namespace heed::vulkan
