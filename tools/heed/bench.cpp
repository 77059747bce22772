// heed bench: time, memory, and where they go.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "device_report.hpp"
#include "generation.hpp"
#include "inputs.hpp"
#include "open_model.hpp"
#include "session/gpu.hpp"
#include "table.hpp"
#include "trace.hpp"

namespace heed::tool {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds(Clock::duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

struct Options {
  std::string model;
  InputRequest inputs;
  int64_t warm_up = 10, repetitions = 100;
  int64_t decode_tokens = 0;  // > 0: a decoder writes so many, and each is a sample
  bool device_report = false, kernels = false;
  bool samples = false, json = false;
};

size_t peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<size_t>(usage.ru_maxrss) * 1024;
}

// One token after another, the likeliest each: what a generation costs without tokenizer and terminal.
Result<void> bench_decoding(const Options& options, const RunOptions& run_options) {
  HEED_ASSIGN(const auto decoder,
              Decoder::open(options.model, run_options, Decoder::Gives::likeliest, options.decode_tokens));
  std::vector<double> samples;
  for (int64_t round = 0; round <= (options.warm_up > 0 ? 1 : 0); ++round) {
    decoder->begin({0});
    samples.clear();
    int64_t id = 1;
    for (int64_t i = 0; i < options.decode_tokens; ++i) {
      const auto begin = Clock::now();
      HEED_ASSIGN(const auto next, decoder->likeliest(std::span(&id, 1)));
      id = next[0];
      samples.push_back(milliseconds(Clock::now() - begin));
    }
  }
  if (options.samples) {
    for (const double sample : samples) std::cout << sample << " ms\n";
    return {};
  }
  std::sort(samples.begin(), samples.end());
  const double median = samples[samples.size() / 2];
  if (options.json) {
    std::cout << nlohmann::json{{"tokens", samples.size()},
                                {"min_ms", samples.front()},
                                {"median_ms", median},
                                {"threads", decoder->model().threads().thread_count()}}
                     .dump(2)
              << "\n";
    return {};
  }
  char line[200];
  std::snprintf(line, sizeof line, "%zu tokens: min %.4f ms, median %.4f ms a token (%.0f a second) with %d threads\n",
                samples.size(), samples.front(), median, 1000 / median, decoder->model().threads().thread_count());
  std::cout << line;
  return {};
}

Result<void> bench_model(Options& options, const RunOptions& run_options) {
  HEED_ASSIGN(options.inputs.dims, run_options.dim_values());
  HEED_ASSIGN(const auto path, find_model(options.model));
  if (options.decode_tokens > 0) return bench_decoding(options, run_options);
  const auto loading = Clock::now();
  HEED_ASSIGN(const auto model, open_model(options.model, run_options));
  const double load_ms = milliseconds(Clock::now() - loading);
  options.inputs.random = true;
  HEED_ASSIGN(const auto named, make_inputs(*model, options.inputs, path.parent_path()));
  const Plan& plan = model->plan();
  std::vector<SharedValue> inputs(plan.inputs.size()), outputs(plan.outputs.size());
  for (size_t i = 0; i < inputs.size(); ++i)
    for (const auto& [name, value] : named)
      if (name == plan.slots[plan.inputs[i]].name) {
        HEED_ASSIGN(inputs[i], to_run_value(value));
      }
  HEED_ASSIGN(const auto session, Session::create(model, {.limits = run_options.run_limits()}));
  const auto run = [&]() -> Result<void> {
    session->reset_states();
    std::fill(outputs.begin(), outputs.end(), SharedValue());
    return session->run(inputs, outputs);
  };
  const auto first = Clock::now();
  HEED_TRY(run());
  const double first_ms = milliseconds(Clock::now() - first);
  for (int64_t i = 1; i < options.warm_up; ++i) HEED_TRY(run());
  std::vector<double> samples;
  for (int64_t i = 0; i < options.repetitions; ++i) {
    const auto begin = Clock::now();
    HEED_TRY(run());
    samples.push_back(milliseconds(Clock::now() - begin));
    if (options.samples) std::cout << samples.back() << " ms\n";
  }
  if (options.samples) return {};
  Trace trace;
  trace.watch(*session);
  for (int64_t i = 0; i < std::min<int64_t>(options.repetitions, 20); ++i) HEED_TRY(run());
  if (!run_options.profile.empty()) HEED_TRY(trace.write(run_options.profile));
  std::map<std::string, std::pair<double, int64_t>> by_operator;
  double total = 0;
  for (const auto& traced : trace.steps()) {
    const Step& step = traced.plan->steps[traced.step];
    if (step.kind == StepKind::control) continue;  // its bodies' steps are counted themselves
    auto& entry = by_operator[step.node == no_id ? "transfer" : traced.plan->graph->nodes[step.node].op_type];
    entry.first += static_cast<double>(traced.end_ns - traced.begin_ns);
    ++entry.second;
    total += static_cast<double>(traced.end_ns - traced.begin_ns);
  }
  std::vector<std::pair<std::string, std::pair<double, int64_t>>> shares(by_operator.begin(), by_operator.end());
  std::sort(shares.begin(), shares.end(), [](const auto& a, const auto& b) { return a.second.first > b.second.first; });
  std::sort(samples.begin(), samples.end());
  const double least = samples.front(), median = samples[samples.size() / 2];
  const std::string device = model->device() ? device_name(*model->device()) : "cpu";
  if (options.json) {
    nlohmann::json report = {{"device", device},
                             {"threads", model->threads().thread_count()},
                             {"load_ms", load_ms},
                             {"first_ms", first_ms},
                             {"min_ms", least},
                             {"median_ms", median},
                             {"repetitions", samples.size()},
                             {"peak_bytes", peak_bytes()},
                             {"weight_bytes", model->weight_bytes()},
                             {"arena_bytes", session->arena_bytes()}};
    for (const auto& [op, share] : shares) report["share"][op] = share.first / total;
    std::cout << report.dump(2) << "\n";
    return {};
  }
  char line[240];
  std::snprintf(
      line, sizeof line,
      "%s: min %.3f ms, median %.3f ms over %zu runs on %s with %d threads; load %.1f ms, first run %.2f ms\n",
      options.model.c_str(), least, median, samples.size(), device.c_str(), model->threads().thread_count(), load_ms,
      first_ms);
  std::cout << line << "memory: peak " << size_text(static_cast<double>(peak_bytes())) << " of the process, weights "
            << size_text(static_cast<double>(model->weight_bytes())) << ", arena "
            << size_text(static_cast<double>(session->arena_bytes())) << "\n";
  Table table({Table::Align::right, Table::Align::left, Table::Align::right});
  for (const auto& [op, share] : shares) {
    std::snprintf(line, sizeof line, "%.1f %%", 100 * share.first / total);
    table.add({line, op, std::to_string(share.second / std::min<int64_t>(options.repetitions, 20)) + " a run"});
  }
  table.print(std::cout);
  return {};
}

}  // namespace

int bench(const Arguments& arguments) {
  Options options;
  RunOptions run_options;
  po::options_description all("options");
  all.add_options()("model", po::value(&options.model)->value_name("MODEL"), "an .onnx file or a model folder")(
      "input", po::value(&options.inputs.given)->composing()->value_name("NAME=FILE|VALUE"),
      "an input; what is not given is made up")(
      "warm-up", po::value(&options.warm_up)->default_value(options.warm_up)->value_name("N"),
      "runs before the clock counts")(
      "repetitions", po::value(&options.repetitions)->default_value(options.repetitions)->value_name("N"),
      "runs that are timed")("decode", po::value(&options.decode_tokens)->value_name("N"),
                             "time N tokens of a decoder, one by one, its states kept")(
      "device-report", po::bool_switch(&options.device_report),
      "without MODEL: what the device reads and computes at most, measured, and how much of it Heed's kernels use")(
      "kernels", po::bool_switch(&options.kernels),
      "with --device-report: each kernel beside the CPU's scalar one, too")(
      "samples", po::bool_switch(&options.samples), "one `NUMBER ms` a line, for scripts")(
      "json", po::bool_switch(&options.json), "report as JSON");
  all.add(run_options.described());
  if (const auto status = read_command_line(
          arguments, "bench", "MODEL [OPTION]... | --device-report",
          "Measures a model: time, memory, and which operators they go to; or a device.", all, {"model"}))
    return *status;
  if (options.model.empty() != options.device_report || (options.kernels && !options.device_report)) {
    std::cerr << "error: "
              << (!options.device_report ? options.kernels ? "--kernels goes with --device-report" : "MODEL is missing"
                                         : "--device-report takes no MODEL")
              << "\nusage: heed bench MODEL, or heed bench --device-report\n";
    return usage_error;
  }
  if (options.device_report) {
    if (auto done = report_device(run_options, options.kernels, options.json); !done) return report(done.error());
    return success;
  }
  if (options.repetitions < 1) {
    std::cerr << "error: --repetitions must be at least 1\n";
    return usage_error;
  }
  if (auto done = bench_model(options, run_options); !done) return report(done.error());
  return success;
}

}  // namespace heed::tool
