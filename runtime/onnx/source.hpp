// Source: the bytes of the file that is being read, and what its tensors may take from elsewhere: other files, memory.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.hpp"
#include "graph/tensor.hpp"
#include "onnx/fields.hpp"

namespace heed::onnx_file {

// What a TensorProto says about data that lies in another file.
struct ExternalLocation {
  std::string location, checksum;
  uint64_t offset_bytes = 0;
  std::optional<uint64_t> length_bytes;
};

class Source {
 public:
  // `model_path` says where external data may lie; empty: nowhere.
  Source(MappedFile file, std::string model_path, FileAccess access, bool strict, size_t memory_limit_bytes);
  Source(Bytes bytes, std::shared_ptr<const void> owner, std::string model_path, FileAccess access, bool strict,
         size_t memory_limit_bytes);

  Bytes bytes() const { return bytes_; }

  // Memory for a tensor, counted against the limit.
  Result<Tensor> allocate(DataType type, std::vector<int64_t> dims);
  Result<void> reserve(size_t size_bytes);

  // A tensor whose bytes lie at `data`, in this file: borrowed where they are aligned for it and not small, else
  // copied.
  Result<Tensor> tensor_at(Bytes data, DataType type, std::vector<int64_t> dims);
  Result<Tensor> external_tensor(const ExternalLocation& location, DataType type, std::vector<int64_t> dims);
  // Keeps the file's bytes alive.
  const std::shared_ptr<const void>& owner() const { return owner_; }

  // Says that so many bytes of the file were read to make a tensor of their own and are not needed again.
  void count_converted(size_t size_bytes);
  // Gives back the pages that were only parsed; those of tensors are read again when they are needed.
  void drop_parsed_pages() const;

 private:
  struct OpenFile {
    MappedFile file;
    std::shared_ptr<const void> owner;
    bool is_checked = false;  // its checksum
  };
  Result<OpenFile*> open_external(const std::string& location);
  Result<Tensor> tensor_in(const MappedFile* file, const std::shared_ptr<const void>& owner, Bytes data, DataType type,
                           std::vector<int64_t> dims);
  void count_touched(const MappedFile* file, size_t size_bytes);

  Bytes bytes_;
  std::shared_ptr<const void> owner_;
  MappedFile file_;  // no bytes for a model from memory
  std::string model_path_;
  FileAccess access_;
  bool strict_;
  size_t memory_limit_bytes_, memory_left_bytes_;
  size_t touched_bytes_ = 0;  // since pages were last given back
  std::map<std::string, OpenFile> external_files_;
};

}  // namespace heed::onnx_file
