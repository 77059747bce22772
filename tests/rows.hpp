// Rows of tables of cases: what the last line of tools/check counts.
#pragma once

#include <cstddef>
#include <string>

namespace heed::test {

struct Rows {
  size_t passed = 0, failed = 0, skipped = 0;
};
extern Rows of_this_case;  // of the test case under way

// One row of a table was looked at. A test case that counts no rows is itself one row.
void count_row(bool passed);
// A row that cannot be looked at here: said on standard output, and counted.
void skip_row(const std::string& reason);

}  // namespace heed::test
