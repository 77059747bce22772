// Which way short runs go, by what both ways take.
#include "session/loop_sharing.hpp"

#include <catch2/catch.hpp>

using namespace heed;

namespace {

constexpr int tries = 2 * LoopSharing::sample_count;

// How many of so many runs were shared, which take so long each way.
int count_shared(LoopSharing& sharing, int runs, int64_t shared_ns, int64_t alone_ns) {
  int count = 0;
  for (int run = 0; run < runs; ++run) {
    count += sharing.is_shared();
    sharing.add(sharing.is_shared() ? shared_ns : alone_ns);
  }
  return count;
}

}  // namespace

TEST_CASE("short runs go the way that takes less, and both are tried again") {
  struct Case {
    int64_t shared_ns, alone_ns;
    bool is_shared;
  };
  for (const auto& [shared_ns, alone_ns, is_shared] : {Case{16'000, 20'000, true}, Case{30'000, 20'000, false}}) {
    LoopSharing sharing;
    CHECK(count_shared(sharing, tries, shared_ns, alone_ns) == LoopSharing::sample_count);
    CHECK(count_shared(sharing, LoopSharing::held_count, shared_ns, alone_ns) ==
          (is_shared ? LoopSharing::held_count : 0));
    CHECK(count_shared(sharing, tries, alone_ns, shared_ns) == LoopSharing::sample_count);
    CHECK(sharing.is_shared() != is_shared);
  }
}

TEST_CASE("single runs that were held up decide nothing") {
  LoopSharing sharing;
  for (int run = 0; run < tries; ++run) sharing.add(run % 3 == 0 ? 250'000 : sharing.is_shared() ? 20'000 : 19'000);
  CHECK_FALSE(sharing.is_shared());
}

TEST_CASE("long runs are shared, without a try; one that is met alone brings the others back") {
  LoopSharing sharing;
  CHECK(count_shared(sharing, 5000, LoopSharing::short_run_ns + 1, 1) == 5000);
  LoopSharing alone;
  count_shared(alone, tries, 20'000, 10'000);
  REQUIRE_FALSE(alone.is_shared());
  alone.add(LoopSharing::short_run_ns + 1);
  CHECK(count_shared(alone, LoopSharing::held_count, 400'000, 1) == LoopSharing::held_count);
}
