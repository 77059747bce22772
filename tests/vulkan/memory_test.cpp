// Buffers: cut from blocks, returned, too large; reads and writes.
#include "gpu.hpp"

namespace heed::vulkan {

TEST_CASE("bytes come back as they were written, at any size and offset") {
  HEED_NEED_GPU(gpu);
  for (const size_t size : {1u, 3u, 4u, 255u, 256u, 257u, 65537u, 3000000u}) {
    INFO(size);
    std::vector<uint8_t> bytes(size);
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(i * 31 + size);
    const auto now = gpu.buffer(bytes);
    CHECK(gpu.values<uint8_t>(now) == bytes);

    const auto recorded = gpu.room(size);
    must(gpu.recording->write(whole(recorded), bytes_in(bytes)));
    const auto copied = gpu.room(size);
    must(gpu.recording->copy(whole(recorded), whole(copied)));
    CHECK(gpu.values<uint8_t>(copied) == bytes);
    if (size < 4) continue;
    std::vector<uint8_t> middle(size - 2);
    must(gpu.recording->read({copied.get(), 1, size - 2}, std::as_writable_bytes(std::span(middle))));
    must(gpu.recording->wait());
    CHECK(middle == std::vector<uint8_t>(bytes.begin() + 1, bytes.end() - 1));
  }
}

TEST_CASE("buffers do not overlap, begin aligned, and their place is used again") {
  HEED_NEED_GPU(gpu);
  std::vector<std::shared_ptr<Buffer>> buffers;
  for (size_t i = 0; i < 50; ++i) buffers.push_back(gpu.room(i * 97));
  for (const auto& a : buffers) {
    CHECK(a->block_offset_bytes() % binding_alignment_bytes == 0);
    for (const auto& b : buffers) {
      if (a == b || a->block() != b->block()) continue;
      const bool apart = a->block_offset_bytes() + a->size_bytes() <= b->block_offset_bytes() ||
                         b->block_offset_bytes() + b->size_bytes() <= a->block_offset_bytes();
      CHECK(apart);
      CHECK(a->block_offset_bytes() != b->block_offset_bytes());
    }
  }
  const auto* block = buffers[20]->block();
  const auto offset = buffers[20]->block_offset_bytes();
  for (const size_t i : {20u, 22u, 21u}) buffers[i].reset();  // neighbours, joined again
  const auto again = gpu.room(6000);
  CHECK(again->block() == block);
  CHECK(again->block_offset_bytes() == offset);
}

TEST_CASE("a device tells the most memory that was taken of it at once") {
  HEED_NEED_GPU(gpu);
  constexpr uint64_t large = uint64_t{40} << 20;
  { const auto one = must(Buffer::create(gpu.device, large)), other = must(Buffer::create(gpu.device, large)); }
  const uint64_t most = gpu.device->most_held_bytes();
  CHECK(most >= 2 * large);
  { const auto again = must(Buffer::create(gpu.device, large)); }
  CHECK(gpu.device->most_held_bytes() == most);
}

TEST_CASE("more memory than there is gives an error with both sizes") {
  HEED_NEED_GPU(gpu);
  for (const uint64_t size : {uint64_t{1} << 50, UINT64_MAX, UINT64_MAX - 255}) {
    const auto buffer = Buffer::create(gpu.device, size);
    REQUIRE_FALSE(buffer);
    CHECK(buffer.error().code == Code::out_of_memory);
  }
}

TEST_CASE("where a usual block finds no room, a buffer takes just what it needs") {
  HEED_NEED_GPU(shared);
  const Option options[] = {{"vulkan.max_allocation_bytes", "1048576"}, {"vulkan.cache", "off"}};
  Gpu gpu(must(Device::open(std::to_string(shared.device->info().index), options)));
  std::vector<std::shared_ptr<Buffer>> buffers;
  for (const size_t size : {100u, 600000u, 1048576u}) buffers.push_back(gpu.buffer(std::vector<uint8_t>(size, 7)));
  CHECK(gpu.values<uint8_t>(buffers[1]) == std::vector<uint8_t>(600000, 7));
  const auto larger = Buffer::create(gpu.device, 1048577);
  REQUIRE_FALSE(larger);
  CHECK(larger.error().code == Code::out_of_memory);
  CHECK(larger.error().message.find("1.0 MiB") != std::string::npos);
}

TEST_CASE("a range that reaches past its buffer is refused") {
  HEED_NEED_GPU(gpu);
  const auto a = gpu.room(256), b = gpu.room(256);
  const BufferRange bad[] = {{a.get(), 0, 257}, {a.get(), 300, 1}, {a.get(), 8, UINT64_MAX}, {a.get(), UINT64_MAX, 8}};
  for (const auto& range : bad) {
    const auto copied = gpu.recording->copy(range, {b.get(), 0, range.size_bytes});
    REQUIRE_FALSE(copied);
    CHECK(copied.error().code == Code::invalid_argument);
    CHECK_FALSE(gpu.recording->fill(range, 0));
  }
  CHECK_FALSE(gpu.recording->copy({a.get(), 0, 8}, {b.get(), 0, 4}));
  CHECK_FALSE(gpu.recording->fill({a.get(), 2, 4}, 0));
  std::byte byte{};
  CHECK_FALSE(gpu.recording->read({a.get(), 256, 1}, {&byte, 1}));
}

}  // namespace heed::vulkan
