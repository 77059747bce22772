// Source: borrowing, copying and counting of tensors' bytes.
#include "onnx/source.hpp"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "onnx/sha1.hpp"

namespace heed::onnx_file {

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian and used as it lies");

namespace {

size_t physical_memory_bytes() {
  const long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
  return pages > 0 && page_bytes > 0 ? static_cast<size_t>(pages) * static_cast<size_t>(page_bytes) : SIZE_MAX;
}

// As many bytes of a file may stand in memory beside the copies that were made of them.
constexpr size_t kept_page_bytes = size_t{4} << 20;

// Smaller tensors of a mapped file are copied: the system maps 64 KiB around each page that is touched, so that
// borrowing them would bring in their neighbours, which were copied, once more.
constexpr size_t least_borrowed_bytes = size_t{256} << 10;

// What a kernel needs to address elements: the size of an element, or of a part of a complex one.
size_t alignment_of(DataType type) {
  const auto bits = static_cast<size_t>(bits_of(type));
  return bits < 8 ? 1 : std::min<size_t>(bits / 8, 8);
}

}  // namespace

Source::Source(MappedFile file, std::string model_path, FileAccess access, bool strict, size_t memory_limit_bytes)
    : Source(file.bytes(), std::make_shared<MappedFile>(file), std::move(model_path), access, strict,
             memory_limit_bytes) {
  file_ = std::move(file);
}

Source::Source(Bytes bytes, std::shared_ptr<const void> owner, std::string model_path, FileAccess access, bool strict,
               size_t memory_limit_bytes)
    : bytes_(bytes),
      owner_(std::move(owner)),
      model_path_(std::move(model_path)),
      access_(access),
      strict_(strict),
      memory_limit_bytes_(memory_limit_bytes ? memory_limit_bytes : physical_memory_bytes()),
      memory_left_bytes_(memory_limit_bytes_) {}

Result<void> Source::reserve(size_t size_bytes) {
  if (size_bytes > memory_left_bytes_) {
    return Error{Code::out_of_memory, "its " + std::to_string(size_bytes) +
                                          " bytes do not fit what is left of the limit of " +
                                          std::to_string(memory_limit_bytes_) + " bytes for this model"};
  }
  memory_left_bytes_ -= size_bytes;
  return {};
}

Result<Tensor> Source::allocate(DataType type, std::vector<int64_t> dims) {
  HEED_ASSIGN(const size_t size_bytes, dense_size_bytes(type, dims));
  HEED_TRY(reserve(size_bytes));
  return Tensor::allocate(type, std::move(dims));
}

Result<Tensor> Source::tensor_at(Bytes data, DataType type, std::vector<int64_t> dims) {
  return tensor_in(file_.size_bytes() ? &file_ : nullptr, owner_, data, type, std::move(dims));
}

Result<Tensor> Source::tensor_in(const MappedFile* file, const std::shared_ptr<const void>& owner, Bytes data,
                                 DataType type, std::vector<int64_t> dims) {
  if (data.empty()) return Tensor{type, std::move(dims), nullptr, 0, nullptr};
  const bool is_aligned = reinterpret_cast<uintptr_t>(data.data()) % alignment_of(type) == 0;
  if (is_aligned && (file == nullptr || data.size() >= least_borrowed_bytes)) {
    return Tensor{type, std::move(dims), data.data(), data.size(), owner, file != nullptr, {}};
  }
  HEED_ASSIGN(Tensor tensor, allocate(type, std::move(dims)));
  for (size_t at = 0; at < data.size(); at += kept_page_bytes) {
    const size_t size = std::min(kept_page_bytes, data.size() - at);
    std::memcpy(tensor.writable() + at, data.data() + at, size);
    count_touched(file, size);
  }
  return tensor;
}

void Source::count_touched(const MappedFile* file, size_t size_bytes) {
  touched_bytes_ += size_bytes;
  if (touched_bytes_ < kept_page_bytes || file == nullptr) return;
  file->drop_pages(0, file->size_bytes());
  touched_bytes_ = 0;
}

void Source::count_converted(size_t size_bytes) { count_touched(&file_, size_bytes); }

Result<Source::OpenFile*> Source::open_external(const std::string& location) {
  const auto found = external_files_.find(location);
  if (found != external_files_.end()) return &found->second;
  if (model_path_.empty()) {
    return Error{Code::io, "its data lies in the file '" + location +
                               "', but the model came from memory: give the folder of external data when loading it"};
  }
  HEED_ASSIGN(MappedFile file,
              MappedFile::open_beneath(model_path_, location, access_, strict_ ? HardLinks::refuse : HardLinks::allow));
  auto owner = std::make_shared<MappedFile>(file);
  return &external_files_.emplace(location, OpenFile{std::move(file), std::move(owner)}).first->second;
}

Result<Tensor> Source::external_tensor(const ExternalLocation& external, DataType type, std::vector<int64_t> dims) {
  HEED_ASSIGN(const size_t expected_bytes, dense_size_bytes(type, dims));
  HEED_ASSIGN(OpenFile * open, open_external(external.location));
  const Bytes bytes = open->file.bytes();
  if (external.length_bytes && *external.length_bytes != expected_bytes) {
    return Error{Code::invalid_model, "its shape needs " + std::to_string(expected_bytes) +
                                          " bytes, its external data has " + std::to_string(*external.length_bytes)};
  }
  if (external.offset_bytes > bytes.size() || expected_bytes > bytes.size() - external.offset_bytes) {
    return Error{Code::io, "its " + std::to_string(expected_bytes) + " bytes at offset " +
                               std::to_string(external.offset_bytes) + " reach beyond the end of '" +
                               external.location + "', which has " + std::to_string(bytes.size()) +
                               " bytes: is that file complete?"};
  }
  if (strict_ && !external.checksum.empty() && !open->is_checked) {
    const std::string met = sha1_hex(bytes);
    if (met != external.checksum) {
      return Error{Code::invalid_model,
                   "the SHA-1 of '" + external.location + "' is " + met + ", the model expects " + external.checksum};
    }
    open->is_checked = true;
  }
  return tensor_in(&open->file, open->owner, bytes.subspan(external.offset_bytes, expected_bytes), type,
                   std::move(dims));
}

void Source::drop_parsed_pages() const {
  if (file_.size_bytes() > 0) file_.drop_pages(0, file_.size_bytes());
}

}  // namespace heed::onnx_file
