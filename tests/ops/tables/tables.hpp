// The library heed_cases.so, of the same build as the program that opens it.
#pragma once

#include "tests/ops/cases.hpp"

using heed_case_tables_function = const std::vector<heed::test::Table>* (*)();
inline constexpr char heed_case_tables_symbol[] = "heed_case_tables";
