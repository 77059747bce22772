// What heed_cases.so gives: the tables of cases.
#include "tables.hpp"

extern "C" [[gnu::visibility("default")]] const std::vector<heed::test::Table>* heed_case_tables() {
  return &heed::test::tables();
}
