// A file's bytes, mapped or read, and the rule of which files a model may name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "heed/result.hpp"

namespace heed {

enum class FileAccess : int32_t {
  map,   // read-only and lazily; a file that another process truncates meanwhile raises SIGBUS
  read,  // a private copy in memory
};

enum class HardLinks : int32_t { allow, refuse };

// The bytes of one regular file, unchanged while any copy of this handle lives. Copies share the bytes. Thread-safe.
class MappedFile {
 public:
  // No bytes.
  MappedFile() = default;

  // Fails with io where the file is missing, unreadable, or no regular file (a folder, a pipe, a device).
  static Result<MappedFile> open(const std::string& path, FileAccess access = FileAccess::map);

  // Opens what a model names as external data: `location`, a relative path with no `..`, beneath the folder of
  // model_path. A link may lead to a file beneath that folder or beneath the folder of the real model file, and nowhere
  // else; the file that was opened is what is checked. Fails with io.
  static Result<MappedFile> open_beneath(const std::string& model_path, std::string_view location,
                                         FileAccess access = FileAccess::map, HardLinks hard_links = HardLinks::allow);

  std::span<const std::byte> bytes() const;
  size_t size_bytes() const { return bytes().size(); }
  // As it was opened, for messages.
  const std::string& path() const;

  // Gives back the memory of whole pages inside [offset, offset + size) of a mapped file; reading them again reads the
  // file again. Nothing for a file that was read.
  void drop_pages(size_t offset, size_t size) const;
  // The same for bytes that are known to lie in a file that is mapped.
  static void drop_mapped_pages(std::span<const std::byte> bytes);

 private:
  struct Content;
  explicit MappedFile(std::shared_ptr<const Content> content) : content_(std::move(content)) {}
  static Result<MappedFile> from_descriptor(int descriptor, const std::string& path, FileAccess access);

  std::shared_ptr<const Content> content_;
};

}  // namespace heed
