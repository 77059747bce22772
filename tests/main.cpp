// The main program of every test: Catch2's, and a last line that counts rows of tables of cases.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#include <iostream>

#include "rows.hpp"

namespace heed::test {
namespace {

Rows total;

// A test case that counted no rows is one itself; one that failed in spite of good rows is a failed row more.
struct RowListener : Catch::TestEventListenerBase {
  using TestEventListenerBase::TestEventListenerBase;
  void testCaseStarting(const Catch::TestCaseInfo&) override { of_this_case = {}; }
  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    const bool failed = stats.totals.assertions.failed > 0;
    if (of_this_case.passed + of_this_case.failed + of_this_case.skipped == 0)
      ++(failed ? of_this_case.failed : of_this_case.passed);
    if (failed && of_this_case.failed == 0) ++of_this_case.failed;
    total.passed += of_this_case.passed;
    total.failed += of_this_case.failed;
    total.skipped += of_this_case.skipped;
  }
};
CATCH_REGISTER_LISTENER(RowListener)

}  // namespace
}  // namespace heed::test

int main(int argc, char** argv) {
  const int failures = Catch::Session().run(argc, argv);
  using heed::test::total;
  std::cout << total.passed << " passed, " << total.failed << " failed, " << total.skipped << " skipped" << std::endl;
  return failures || total.failed ? 1 : 0;
}
