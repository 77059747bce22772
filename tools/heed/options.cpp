// What every subcommand takes, and how command lines are read.
#include "options.hpp"

#include <charconv>
#include <iostream>

namespace heed::tool {
namespace {

// "NAME=VALUE" at its first '='.
std::optional<std::pair<std::string, std::string>> split_assignment(const std::string& text) {
  const size_t at = text.find('=');
  if (at == std::string::npos || at == 0) return std::nullopt;
  return std::pair(text.substr(0, at), text.substr(at + 1));
}

}  // namespace

po::options_description RunOptions::described() {
  po::options_description all("where and how it runs");
  all.add_options()("device", po::value(&device)->value_name("auto|cpu|vulkan[:N]"),
                    "the device (auto: a GPU that speaks Vulkan, else the CPU; `heed devices` lists them)")(
      "require-gpu", po::bool_switch(&require_gpu), "refuse to run anything that computes on the CPU")(
      "threads", po::value(&threads)->value_name("N"), "threads on the CPU (default: all that this process may use)")(
      "plugin", po::value(&plugins)->composing()->value_name("LIB"), "load a plugin; may be repeated")(
      "dim", po::value(&dims)->composing()->value_name("NAME=SIZE"),
      "a size that the model leaves open; may be repeated")(
      "state", po::value(&states)->composing()->value_name("INPUT=OUTPUT"),
      "an output that is the input of the next run; may be repeated, and is found by itself in most models")(
      "profile", po::value(&profile)->value_name("FILE"), "write a Chrome/Perfetto trace")(
      "no-fold", po::bool_switch(&no_fold), "do not compute at load what depends on constants alone")(
      "no-mmap", po::bool_switch(&no_mmap), "read files instead of mapping them")(
      "strict", po::bool_switch(&strict), "external data: no hard links, checksums are checked")(
      "option", po::value(&options)->composing()->value_name("NAME=VALUE"),
      "an option of kernels, of the device or of runs: kernel=scalar, cpu.isa=avx2 (the greatest "
      "instruction set, up to amx), vulkan.mask=int64, "
      "vulkan.memory_limit_bytes=N, session.fill=nan (fill memory before each run, to find what reads it unwritten)")(
      "memory-limit", po::value(&memory_limit_mb)->value_name("MB"), "what loading, and what a run, may allocate for tensors")(
      "time-limit", po::value(&time_limit_seconds)->value_name("SECONDS"), "how long loading, and a run, may take")(
      "step-limit", po::value(&step_limit)->value_name("N"), "steps that a run may take, those of each iteration of a loop too");
  return all;
}

Result<ModelOptions> RunOptions::model_options() const {
  ModelOptions model;
  HEED_ASSIGN(model.size_hints, dim_values());
  for (const auto& text : states) {
    auto pair = split_assignment(text);
    if (!pair)
      return Error{Code::invalid_argument, "--state " + text + ": expected INPUT=OUTPUT, such as past=present"};
    model.states.push_back(std::move(*pair));
  }
  model.device = device;
  model.require_gpu = require_gpu;
  model.thread_count = threads;
  model.fold = !no_fold;
  if (memory_limit_mb > 0) model.memory_limit_bytes = model.read.memory_limit_bytes = static_cast<size_t>(memory_limit_mb * 1e6);
  model.time_limit_ns = run_limits().time_ns;
  model.read.map = !no_mmap;
  model.read.strict = strict;
  for (const auto& text : options)
    if (auto option = split_assignment(text)) model.kernel_options.push_back(std::move(*option));
  return model;
}

StopLimits RunOptions::run_limits() const { return {static_cast<int64_t>(time_limit_seconds * 1e9), step_limit}; }

Result<std::vector<std::pair<std::string, int64_t>>> RunOptions::dim_values() const {
  std::vector<std::pair<std::string, int64_t>> values;
  for (const auto& text : dims) {
    const auto assignment = split_assignment(text);
    int64_t size = -1;
    if (assignment) {
      const auto& digits = assignment->second;
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), size);
      if (error != std::errc() || end != digits.data() + digits.size()) size = -1;
    }
    if (size < 0) return Error{Code::invalid_argument, "--dim " + text + ": expected NAME=SIZE, such as seq=128"};
    values.emplace_back(assignment->first, size);
  }
  return values;
}

std::optional<int> read_command_line(const Arguments& arguments, std::string_view name, std::string_view synopsis,
                                     std::string_view summary, const po::options_description& options,
                                     const std::vector<std::string>& positional) {
  po::options_description all;
  bool help = false;
  all.add(options).add_options()("help,h", po::bool_switch(&help), "this text");
  po::positional_options_description words;
  for (size_t i = 0; i < positional.size(); ++i) words.add(positional[i].c_str(), i + 1 == positional.size() ? -1 : 1);
  try {
    po::variables_map values;
    po::store(po::command_line_parser(arguments)
                  .options(all)
                  .positional(words)
                  .style(po::command_line_style::default_style & ~po::command_line_style::allow_guessing)
                  .run(),
              values);
    for (const auto& argument : arguments) help |= argument == "--help" || argument == "-h";
    if (help) {
      std::cout << "heed " << name << " " << synopsis << "\n" << summary << "\n\n" << all;
      return success;
    }
    po::notify(values);
  } catch (const po::error& error) {
    std::cerr << "error: " << error.what() << "\nusage: heed " << name << " " << synopsis << "\n`heed " << name
              << " --help` tells more.\n";
    return usage_error;
  }
  return std::nullopt;
}

}  // namespace heed::tool
