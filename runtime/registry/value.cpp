// Values at a run: their memory, and how they become tensors of the graph and back.
#include "registry/value.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/memory_budget.hpp"

heed_value::~heed_value() {
  // A chain of values that hold each other is let go without recursion.
  std::vector<heed_value*> to_release = std::move(elements);
  while (!to_release.empty()) {
    heed_value* value = to_release.back();
    to_release.pop_back();
    if (value == nullptr || value->references.fetch_sub(1, std::memory_order_acq_rel) != 1) continue;
    to_release.insert(to_release.end(), value->elements.begin(), value->elements.end());
    value->elements.clear();
    delete value;
  }
}

heed_text heed_value::store_text(heed_text bytes) {
  if (!arena_) {
    auto arena = std::make_shared<heed::TextArena>();
    texts.push_back(arena);
    arena_ = std::move(arena);
  }
  return arena_->store(bytes);
}

namespace heed {
namespace {

constexpr size_t alignment_bytes = 64;
// Of weights and arenas: a walk through the page table for each 4 KB of a matrix costs a hundredth to a twentieth of its
// product.
constexpr size_t huge_page_bytes = 2 * 1024 * 1024;
constexpr size_t chunk_bytes = 4096;

void copy_bytes(void* target, const void* source, size_t size_bytes) {
  if (size_bytes > 0) std::memcpy(target, source, size_bytes);
}

// Row by row along the last axis; elements of `size` bytes.
void copy_strided(const heed_tensor& tensor, size_t size, std::byte* target) {
  const auto* source = static_cast<const std::byte*>(tensor.data);
  const int32_t rank = tensor.rank;
  if (rank == 0) return copy_bytes(target, source, size);
  std::vector<int64_t> index(static_cast<size_t>(rank), 0);
  const int64_t row_length = tensor.dims[rank - 1], row_stride = tensor.strides[rank - 1];
  for (;;) {
    int64_t offset = 0;
    for (int32_t axis = 0; axis < rank - 1; ++axis) offset += index[static_cast<size_t>(axis)] * tensor.strides[axis];
    const std::byte* row = source + offset * static_cast<int64_t>(size);
    if (row_stride == 1) {
      copy_bytes(target, row, static_cast<size_t>(row_length) * size);
      target += static_cast<size_t>(row_length) * size;
    } else {
      for (int64_t i = 0; i < row_length; ++i, target += size) {
        std::memcpy(target, row + i * row_stride * static_cast<int64_t>(size), size);
      }
    }
    int32_t axis = rank - 2;
    while (axis >= 0 && ++index[static_cast<size_t>(axis)] == tensor.dims[axis]) index[static_cast<size_t>(axis--)] = 0;
    if (axis < 0) return;
  }
}

size_t element_bytes(DataType type) {
  return type == DataType::string ? sizeof(heed_text) : static_cast<size_t>(bits_of(type)) / 8;
}

}  // namespace

heed_text TextArena::store(heed_text bytes) {
  if (bytes.size == 0) return {nullptr, 0};
  if (bytes.size > left_) {
    const size_t capacity = std::max(bytes.size, chunk_bytes);
    chunks_.push_back(allocate_host_memory(capacity));
    if (chunks_.back() == nullptr) {
      chunks_.pop_back();
      throw std::bad_alloc();
    }
    // A long text has a chunk of its own; the one that was begun goes on.
    if (bytes.size >= chunk_bytes) {
      std::memcpy(chunks_.back().get(), bytes.data, bytes.size);
      return {static_cast<const char*>(chunks_.back().get()), bytes.size};
    }
    next_ = static_cast<char*>(chunks_.back().get());
    left_ = capacity;
  }
  std::memcpy(next_, bytes.data, bytes.size);
  const heed_text copy{next_, bytes.size};
  next_ += bytes.size;
  left_ -= bytes.size;
  return copy;
}

std::shared_ptr<void> allocate_host_memory(size_t size_bytes) {
  if (size_bytes > SIZE_MAX - alignment_bytes) return nullptr;
  const size_t rounded = std::max((size_bytes + alignment_bytes - 1) / alignment_bytes, size_t{1}) * alignment_bytes;
  return allocate_counted(rounded, [](size_t bytes) {
    if (bytes < huge_page_bytes) return std::aligned_alloc(alignment_bytes, bytes);
    void* memory = nullptr;  // aligned_alloc wants whole pages
    if (posix_memalign(&memory, huge_page_bytes, bytes) != 0) return static_cast<void*>(nullptr);
    // Whole huge pages only: what is behind the last of them stays as small as it was asked for.
    madvise(memory, bytes / huge_page_bytes * huge_page_bytes, MADV_HUGEPAGE);
    return memory;
  });
}

// Those of an empty tensor may not fit 64 bits, and are not looked at: they wrap.
void fill_dense_strides(std::span<const int64_t> dims, std::span<int64_t> strides) {
  uint64_t stride = 1;
  for (size_t axis = dims.size(); axis-- > 0;) {
    strides[axis] = static_cast<int64_t>(stride);
    stride *= static_cast<uint64_t>(std::max<int64_t>(dims[axis], 1));
  }
}

std::vector<int64_t> dense_strides(std::span<const int64_t> dims) {
  std::vector<int64_t> strides(dims.size());
  fill_dense_strides(dims, strides);
  return strides;
}

bool is_dense(std::span<const int64_t> dims, std::span<const int64_t> strides) {
  if (std::find(dims.begin(), dims.end(), 0) != dims.end()) return true;
  int64_t stride = 1;
  for (size_t axis = dims.size(); axis-- > 0;) {
    if (dims[axis] != 1 && strides[axis] != stride) return false;
    stride *= dims[axis];
  }
  return true;
}

bool may_write_again(const SharedValue& made, DataType element, std::span<const int64_t> dims) {
  return made && !made->shared() && made->storage.use_count() == 1 && made->element == element &&
         std::equal(made->dims.begin(), made->dims.end(), dims.begin(), dims.end()) &&
         is_dense(made->dims, made->strides);
}

Result<SharedValue> new_host_tensor(DataType element, std::span<const int64_t> dims) {
  if (!is_known(element))
    return Error{Code::invalid_argument,
                 "a tensor needs a data type; met number " + std::to_string(static_cast<int32_t>(element))};
  HEED_ASSIGN(const size_t size_bytes, dense_size_bytes(element, dims));
  auto storage = allocate_host_memory(size_bytes);
  if (!storage) {
    return Error{Code::out_of_memory, "no memory for a tensor " + std::string(name_of(element)) + " " +
                                          to_string(dims) + " of " + std::to_string(size_bytes) + " bytes" + memory_limit_note()};
  }
  if (element == DataType::string && size_bytes > 0) std::memset(storage.get(), 0, size_bytes);
  auto value = SharedValue::own(new heed_value);
  value->element = element;
  value->dims.assign(dims.begin(), dims.end());
  value->strides = dense_strides(dims);
  value->data = storage.get();
  value->storage = std::move(storage);
  return value;
}

SharedValue value_of(const Tensor& tensor) {
  auto value = SharedValue::own(new heed_value);
  value->element = tensor.type;
  value->dims = tensor.dims;
  value->strides = tensor.strides.empty() ? dense_strides(tensor.dims) : tensor.strides;
  value->data = const_cast<std::byte*>(tensor.data);
  value->storage = std::const_pointer_cast<void>(tensor.owner);
  return value;
}

Result<Tensor> tensor_of(const heed_value& value) {
  if (value.kind != Kind::tensor)
    return Error{Code::invalid_argument, "a sequence or optional where a tensor was expected"};
  if (value.on_device) return Error{Code::invalid_argument, "the tensor lies on a device; copy it to the host first"};
  if (!is_dense(value.dims, value.strides)) {
    HEED_ASSIGN(const SharedValue copy, copy_to_host_tensor(view_of(value)));
    return tensor_of(*copy.get());
  }
  HEED_ASSIGN(const size_t size_bytes, dense_size_bytes(value.element, value.dims));
  // The characters of strings are kept alive with the elements.
  struct Owner {
    std::shared_ptr<void> storage;
    std::vector<std::shared_ptr<const void>> texts;
  };
  std::shared_ptr<const void> owner = value.storage;
  if (!value.texts.empty()) owner = std::make_shared<const Owner>(Owner{value.storage, value.texts});
  return Tensor{value.element, value.dims, size_bytes ? static_cast<const std::byte*>(value.data) : nullptr, size_bytes,
                std::move(owner)};
}

void copy_dense(const heed_tensor& tensor, void* target) {
  const auto element = static_cast<DataType>(tensor.element);
  const std::span dims(tensor.dims, static_cast<size_t>(tensor.rank));
  if (std::find(dims.begin(), dims.end(), 0) != dims.end()) return;
  if (is_packed(element) || is_dense(dims, std::span(tensor.strides, dims.size()))) {
    const auto size_bytes = dense_size_bytes(element, dims);
    if (size_bytes) copy_bytes(target, tensor.data, *size_bytes);
    return;
  }
  copy_strided(tensor, element_bytes(element), static_cast<std::byte*>(target));
}

Result<SharedValue> copy_to_host_tensor(const heed_tensor& tensor) {
  const auto element = static_cast<DataType>(tensor.element);
  const std::span dims(tensor.dims, static_cast<size_t>(tensor.rank));
  HEED_ASSIGN(SharedValue copy, new_host_tensor(element, dims));
  copy_dense(tensor, copy->data);
  if (element == DataType::string) {
    size_t count = 1;
    for (const int64_t dim : dims) count *= static_cast<size_t>(dim);
    auto* texts = static_cast<heed_text*>(copy->data);
    for (size_t i = 0; i < count; ++i) texts[i] = copy->store_text(texts[i]);
  }
  return copy;
}

heed_tensor view_of(const heed_value& value) {
  return {value.data,
          value.dims.data(),
          value.strides.data(),
          value.offset,
          static_cast<int32_t>(value.dims.size()),
          static_cast<int32_t>(value.element)};
}

}  // namespace heed
