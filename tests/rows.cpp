// Rows of tables of cases, counted.
#include "rows.hpp"

#include <iostream>

namespace heed::test {

Rows of_this_case;

void count_row(bool passed) { ++(passed ? of_this_case.passed : of_this_case.failed); }

void skip_row(const std::string& reason) {
  std::cout << "skipped: " << reason << std::endl;
  ++of_this_case.skipped;
}

}  // namespace heed::test
