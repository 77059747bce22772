// What every subcommand takes, and how command lines are read.
#pragma once

#include <boost/program_options.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "command.hpp"
#include "session/model.hpp"

namespace heed::tool {

namespace po = boost::program_options;

// The options of whatever runs a model.
struct RunOptions {
  std::string device = "auto";
  bool require_gpu = false;
  int threads = 0;
  std::vector<std::string> plugins;
  std::vector<std::string> dims;  // "seq=128"
  std::vector<std::string> states;  // "past=present"
  std::string profile;            // a file for a Chrome/Perfetto trace
  bool no_fold = false, no_mmap = false, strict = false;
  std::vector<std::string> options;  // "cpu.isa=avx2": of kernels, for tests and measurements
  double memory_limit_mb = 0, time_limit_seconds = 0;  // of loading, and of each run; 0: none
  uint64_t step_limit = 0;                             // of each run; 0: none

  po::options_description described();
  // Fails on a --dim or --state that cannot be read.
  Result<ModelOptions> model_options() const;
  StopLimits run_limits() const;
  // Sizes by the names of --dim. Fails on what is no NAME=NUMBER.
  Result<std::vector<std::pair<std::string, int64_t>>> dim_values() const;
};

// Reads a command line. A wrong one is told on stderr, and --help on stdout: the exit status is returned; nullopt to go
// on. `positional` options are filled from the words without a name; the last takes all that are left.
std::optional<int> read_command_line(const Arguments& arguments, std::string_view name, std::string_view synopsis,
                                     std::string_view summary, const po::options_description& options,
                                     const std::vector<std::string>& positional);

}  // namespace heed::tool
