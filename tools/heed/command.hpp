// A subcommand of `heed`, and what it tells the shell.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "heed/result.hpp"

namespace heed::tool {

// 0 all went well, 1 something failed, 2 a wrong command line.
enum ExitStatus : int { success = 0, failure = 1, usage_error = 2 };

using Arguments = std::vector<std::string>;

struct Command {
  std::string_view name;
  std::string_view synopsis;  // what follows the name: "MODEL [--input NAME=VALUE]"
  std::string_view summary;   // one line
  int (*run)(const Arguments& arguments);
};

int run_model(const Arguments& arguments);
int inspect(const Arguments& arguments);
int explain(const Arguments& arguments);
int generate(const Arguments& arguments);
int verify(const Arguments& arguments);
int compare(const Arguments& arguments);
int bench(const Arguments& arguments);
int operators(const Arguments& arguments);
int devices(const Arguments& arguments);

// Prints "error[code]: message" to stderr; gives `failure`.
int report(const Error& error);

}  // namespace heed::tool
