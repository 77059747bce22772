// Where tensors lie: none overlaps another that lives at the same time.
#include "plan/place_tensors.hpp"

#include <catch2/catch.hpp>
#include <random>

namespace heed::test {

TEST_CASE("tensors that live at the same time do not overlap, and others share") {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<Lifetime> lifetimes(1 + random() % 40);
    for (auto& lifetime : lifetimes) {
      lifetime.first_step = random() % 50;
      lifetime.last_step = lifetime.first_step + random() % 10;
      lifetime.size_bytes = random() % 5000;
    }
    const auto placement = place_tensors(lifetimes);
    REQUIRE(placement);
    size_t all = 0;
    for (size_t i = 0; i < lifetimes.size(); ++i) {
      all += (lifetimes[i].size_bytes + placement_alignment - 1) / placement_alignment * placement_alignment;
      CHECK(placement->offsets[i] % placement_alignment == 0);
      CHECK(placement->offsets[i] + lifetimes[i].size_bytes <= placement->size_bytes);
      for (size_t j = 0; j < i; ++j) {
        const bool together =
            lifetimes[i].first_step <= lifetimes[j].last_step && lifetimes[j].first_step <= lifetimes[i].last_step;
        const bool overlap = lifetimes[i].size_bytes && lifetimes[j].size_bytes &&
                             placement->offsets[i] < placement->offsets[j] + lifetimes[j].size_bytes &&
                             placement->offsets[j] < placement->offsets[i] + lifetimes[i].size_bytes;
        CHECK_FALSE((together && overlap));
      }
    }
    CHECK(placement->size_bytes <= all);
  }
}

TEST_CASE("a chain of equal tensors needs two places") {
  std::vector<Lifetime> chain;
  for (uint32_t i = 0; i < 100; ++i) chain.push_back({i, i + 1, 1000});
  const auto placement = place_tensors(chain);
  REQUIRE(placement);
  CHECK(placement->size_bytes == 2048);
}

TEST_CASE("sizes that no memory holds are refused") {
  const Lifetime huge[] = {{0, 1, SIZE_MAX - 1}};
  CHECK_FALSE(place_tensors(huge));
  const Lifetime two[] = {{0, 1, SIZE_MAX / 2 + 1}, {0, 1, SIZE_MAX / 2 + 1}};
  CHECK_FALSE(place_tensors(two));
  const Lifetime over[] = {{0, 1, 4096}};
  CHECK_FALSE(place_tensors(over, 1024));
}

}  // namespace heed::test
