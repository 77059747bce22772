// Bytes that cross between host and device: through rings where device memory is its own, straight into it where the
// host sees it.
#include "gpu.hpp"

namespace heed::vulkan {
namespace {

constexpr size_t whole_ring_bytes = size_t{8} << 20;

// The test's device, as it is and as if its memory were not the host's.
std::vector<std::shared_ptr<Device>> each_memory(const std::shared_ptr<Device>& device) {
  const Option options[] = {{"vulkan.mask", "unified_memory"}, {"vulkan.cache", "off"}};
  return {device, must(Device::open(std::to_string(device->info().index), options))};
}

std::vector<uint8_t> some_bytes(size_t count, uint32_t seed) {
  std::vector<uint8_t> bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<uint8_t>((i * 2654435761u >> 13) + seed);
  return bytes;
}

}  // namespace

TEST_CASE("what is larger than a ring goes through it in pieces, in order with the commands around it") {
  HEED_NEED_GPU(shared);
  for (const auto& device : each_memory(shared.device)) {
    INFO("unified memory: " << device->capability("unified_memory"));
    Gpu gpu(device);
    for (const size_t size : {size_t{3}, whole_ring_bytes / 2 - 1, whole_ring_bytes + 3}) {
      INFO(size);
      const auto first = some_bytes(size, 1), second = some_bytes(size, 2);
      const auto x = gpu.room(size), y = gpu.room(size), z = gpu.room(size);
      std::vector<uint8_t> early(size), middle(size - 2);
      must(gpu.recording->write(whole(x), bytes_in(first)));
      must(gpu.recording->copy(whole(x), whole(y)));
      must(gpu.recording->write(whole(x), bytes_in(second)));  // what is listed still reads the first
      must(gpu.recording->copy(whole(x), whole(z)));
      must(gpu.recording->read(whole(y), std::as_writable_bytes(std::span(early))));
      must(gpu.recording->read({z.get(), 1, size - 2}, std::as_writable_bytes(std::span(middle))));
      must(gpu.recording->wait());
      CHECK(early == first);
      CHECK(std::equal(middle.begin(), middle.end(), second.begin() + 1));
      must(gpu.recording->write(whole(x), bytes_in(first)));  // and under way
      must(gpu.recording->copy(whole(x), whole(z)));
      must(gpu.recording->submit());
      must(gpu.recording->write(whole(x), bytes_in(second)));
      CHECK(gpu.values<uint8_t>(z) == first);
      CHECK(gpu.values<uint8_t>(x) == second);
    }
  }
}

TEST_CASE("what is listed keeps its bytes when older commands are forgotten") {
  HEED_NEED_GPU(shared);
  for (const auto& device : each_memory(shared.device)) {
    INFO("unified memory: " << device->capability("unified_memory"));
    Gpu gpu(device);
    const auto first = some_bytes(64, 1), second = some_bytes(64, 2);
    const auto x = gpu.room(64), y = gpu.room(64);
    must(gpu.recording->write(whole(x), bytes_in(first)));
    must(gpu.recording->forget());
    must(gpu.recording->write(whole(y), bytes_in(second)));
    CHECK(gpu.values<uint8_t>(x) == first);
    CHECK(gpu.values<uint8_t>(y) == second);
  }
}

TEST_CASE("a run like the one before takes no more memory, and is not recorded again") {
  HEED_NEED_GPU(shared);
  for (const auto& device : each_memory(shared.device)) {
    INFO("unified memory: " << device->capability("unified_memory"));
    Gpu gpu(device);
    const size_t size = whole_ring_bytes / 2 - 5;
    const auto x = gpu.room(size), y = gpu.room(size);
    std::vector<uint8_t> out(size);
    const auto run = [&](uint32_t seed) {
      const auto bytes = some_bytes(size, seed);
      must(gpu.recording->write(whole(x), bytes_in(bytes)));
      must(gpu.recording->copy(whole(x), whole(y)));
      must(gpu.recording->read(whole(y), std::as_writable_bytes(std::span(out))));
      must(gpu.recording->wait());
      return out == bytes;
    };
    CHECK(run(0));
    const uint64_t held_bytes = device->most_held_bytes(), recorded = gpu.recording->recorded_count();
    for (uint32_t seed = 1; seed < 12; ++seed) CHECK(run(seed));
    CHECK(device->most_held_bytes() == held_bytes);
    CHECK(gpu.recording->recorded_count() == recorded);
    CHECK(gpu.recording->submission_count() == 12);
  }
}

TEST_CASE("on unified memory what nothing touches is written in place, without a command") {
  HEED_NEED_GPU(gpu);
  if (gpu.device->capability("unified_memory") == 0) return;
  const auto bytes = some_bytes(1000, 3);
  const auto x = gpu.room(1000), y = gpu.room(1000);
  must(gpu.recording->write(whole(x), bytes_in(bytes)));
  must(gpu.recording->write({x.get(), 10, 990}, std::span(bytes_in(bytes)).subspan(10)));
  must(gpu.recording->submit());
  CHECK(gpu.recording->submission_count() == 0);
  must(gpu.recording->copy({x.get(), 0, 500}, {y.get(), 0, 500}));
  must(gpu.recording->write({x.get(), 500, 500}, std::span(bytes_in(bytes)).subspan(500)));  // beside what is read
  must(gpu.recording->write({y.get(), 500, 500}, std::span(bytes_in(bytes)).subspan(500)));
  CHECK(std::memcmp(x->mapped() + 500, bytes.data() + 500, 500) == 0);
  CHECK(gpu.values<uint8_t>(y) == bytes);
}

}  // namespace heed::vulkan
