// Quarantine: kernels that gave wrong results on a device, kept on disk for its driver's and Heed's versions, so that no
// plan takes them.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "heed/result.hpp"
#include "vulkan/pipeline_cache_file.hpp"

namespace heed::vulkan {

// A kernel as a plan meets it, and what it did.
struct Quarantined {
  std::string domain, op_type;
  std::string variants;  // the names of the shaders that it gave for the node: "4 bytes"; "*": all that it gives
  std::string element;   // the type of the node's first input: "f32"
  std::string reason;
};

class Quarantine {
 public:
  // In this folder, which need not be there; empty: nothing is kept.
  Quarantine(const std::filesystem::path& folder, const PipelineCacheOwner& owner);

  const std::filesystem::path& path() const { return path_; }  // empty where there is none
  // Fails on a file that is damaged or of another kind; none where there is no file.
  Result<std::vector<Quarantined>> read() const;
  // Replaces what there is as a whole; nothing to keep removes the file. Fails where that cannot be written.
  Result<void> write(std::span<const Quarantined> kernels) const;

 private:
  std::filesystem::path path_;
};

// The entry that this kernel's answer falls under; null: none.
const Quarantined* find_quarantined(std::span<const Quarantined> kernels, std::string_view domain,
                                    std::string_view op_type, std::string_view variants, std::string_view element);

}  // namespace heed::vulkan
