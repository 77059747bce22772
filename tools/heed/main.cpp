// heed: run, look into and check ONNX models. One file per subcommand stands beside this one.
#include <csignal>
#include <cstdio>
#include <iostream>

#include "command.hpp"
#include "heed/dim.hpp"
#include "heed/version.hpp"
#include "registry/registry.hpp"

namespace heed::tool {
namespace {

constexpr Command commands[] = {
    {"run", "MODEL [--input NAME=FILE|VALUE] [--text TEXT] [--random] [--output DIR]", "run a model once", run_model},
    {"inspect", "MODEL", "inputs, outputs, states, operators, sizes, metadata", inspect},
    {"explain", "MODEL [--dim NAME=SIZE]", "each step: where it runs, why, shapes, memory", explain},
    {"generate", "MODEL --prompt TEXT [--max-tokens N]", "text to text, streaming", generate},
    {"verify", "PATH...", "run every ONNX test-data case that is found", verify},
    {"compare", "MODEL --with cpu|vulkan|FILE.npz",
     "the same run on two devices, or against given values, node by node", compare},
    {"bench", "MODEL | --device-report", "time, memory, and where they go; what a device can do", bench},
    {"operators", "[--plugin LIB]", "the operators that are here, with versions and types", operators},
    {"devices", "[--test]", "the processors and GPUs that are here, and whether they compute as they should", devices},
};

// This program's own copy; that of the library that it shares with libheed.so is set there.
[[maybe_unused]] const bool dims_are_combined = (dim_algebra = host_functions()->dims, true);

void print_help(std::ostream& out) {
  out << "heed " << version
      << ": ONNX models on any GPU that speaks Vulkan, and on the CPU\n\nusage: heed COMMAND [OPTION]...\n\n";
  for (const auto& command : commands) {
    out << "  " << command.name << std::string(10 - command.name.size(), ' ') << command.summary << "\n";
  }
  out << "\n`heed COMMAND --help` tells more. Exit status: 0 all went well, 1 something failed, 2 a wrong command "
         "line.\n";
}

}  // namespace

int report(const Error& error) {
  std::cerr << "error[" << name_of(error.code) << "]: " << error.message << std::endl;
  return failure;
}

}  // namespace heed::tool

int main(int argc, char** argv) {
  using namespace heed::tool;
  std::signal(SIGPIPE, SIG_DFL);
  const std::string_view name = argc > 1 ? argv[1] : "";
  if (name == "--help" || name == "-h" || name == "help") {
    print_help(std::cout);
    return success;
  }
  if (name == "--version") {
    std::cout << "heed " << heed::version << "\n";
    return success;
  }
  for (const auto& command : commands) {
    if (command.name != name) continue;
    const Arguments arguments(argv + 2, argv + argc);
    try {
      return command.run(arguments);
    } catch (const std::bad_alloc&) {
      return report({heed::Code::out_of_memory, "out of memory"});
    }
  }
  if (!name.empty()) std::cerr << "error: there is no command '" << name << "'\n\n";
  print_help(std::cerr);
  return usage_error;
}
