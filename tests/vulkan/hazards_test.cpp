// Which commands need a barrier before them.
#include "vulkan/hazards.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace heed::vulkan {

TEST_CASE("a barrier stands only where bytes that one side writes overlap") {
  const auto* block = reinterpret_cast<const Block*>(0x1000);
  const auto* other = reinterpret_cast<const Block*>(0x2000);
  const auto read = [&](uint64_t begin, uint64_t end) { return Access{block, begin, end, true, false}; };
  const auto write = [&](uint64_t begin, uint64_t end) { return Access{block, begin, end, false, true}; };
  const struct {
    std::string name;
    Access first, second;
    bool barrier;
  } cases[] = {
      {"read after write", write(0, 16), read(8, 24), true},
      {"write after read", read(0, 16), write(15, 16), true},
      {"write after write", write(0, 16), write(0, 16), true},
      {"read after read", read(0, 16), read(0, 16), false},
      {"neighbours", write(0, 16), read(16, 32), false},
      {"another block", write(0, 16), {other, 0, 16, true, false}, false},
      {"in place after read", read(0, 16), {block, 0, 16, true, true}, true},
  };
  for (const auto& c : cases) {
    INFO(c.name);
    Hazards hazards;
    CHECK_FALSE(hazards.add({&c.first, 1}));
    CHECK(hazards.add({&c.second, 1}) == c.barrier);
  }
}

TEST_CASE("a barrier covers all that came before it, and nothing of its own command") {
  const auto* block = reinterpret_cast<const Block*>(0x1000);
  Hazards hazards;
  const Access in_place[] = {{block, 0, 16, true, false}, {block, 0, 16, false, true}};
  CHECK_FALSE(hazards.add(in_place));
  const Access elsewhere[] = {{block, 32, 48, false, true}};
  CHECK_FALSE(hazards.add(elsewhere));
  const Access both[] = {{block, 0, 48, true, false}};
  CHECK(hazards.add(both));
  CHECK_FALSE(hazards.add(both));
  const Access later[] = {{block, 40, 44, false, true}};
  CHECK(hazards.add(later));
}

}  // namespace heed::vulkan
