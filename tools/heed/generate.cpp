// heed generate: text to text, streaming.
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <optional>

#include "generation.hpp"
#include "session/gpu.hpp"
#include "text/sampler.hpp"
#include "text/stream.hpp"
#include "text/tokenizer.hpp"
#include "warm_start.hpp"

namespace heed::tool {
namespace {

constexpr std::string_view name = "generate";
constexpr std::string_view synopsis =
    "MODEL --prompt TEXT... [--max-tokens N] [--temperature T] [--top-k K] [--top-p P] [--seed S] [--warm-start]";

struct GenerateOptions {
  std::string model;
  std::vector<std::string> prompts;
  int64_t max_tokens = 200;
  text::SamplerOptions sampler;
  bool ids = false, warm_start = false;
};

Result<void> continue_text(Decoder& decoder, const text::Tokenizer& tokenizer, const std::string& prompt,
                           const GenerateOptions& options) {
  HEED_ASSIGN(auto sampler, text::Sampler::create(options.sampler));
  const bool greedy = options.sampler.temperature == 0;
  HEED_ASSIGN(auto ids, tokenizer.encode(prompt));
  if (ids.empty()) {
    if (const auto bos = tokenizer.bos()) ids.push_back(*bos);
  }
  if (ids.empty()) return Error{Code::invalid_argument, "the prompt has no tokens; give --prompt some text"};

  text::TextStream stream(tokenizer);
  std::string shown;
  for (const int64_t id : ids) shown += stream.push(id);
  std::cout << shown << std::flush;
  std::vector<int64_t> made;
  const auto now = [] { return std::chrono::steady_clock::now(); };
  const auto begin = now();
  const auto next_after = [&](std::span<const int64_t> read) -> Result<int64_t> {
    if (greedy) return decoder.likeliest(read);
    HEED_ASSIGN(const auto logits, decoder.logits(read));
    return sampler.choose(logits);
  };
  HEED_ASSIGN(int64_t id, next_after(ids));
  const auto prefilled = now();
  while (true) {
    if (tokenizer.ends_text(id)) break;
    made.push_back(id);
    std::cout << stream.push(id) << std::flush;
    if (!std::cout) return Error{Code::io, "the text cannot be written to standard output"};
    if (static_cast<int64_t>(made.size()) >= options.max_tokens || decoder.length() >= decoder.context()) break;
    HEED_ASSIGN(id, next_after(std::span(&id, 1)));
  }
  const auto end = now();
  std::cout << stream.finish() << std::endl;
  if (options.ids) {
    for (const auto* list : {&ids, &made})
      for (const int64_t id : *list) std::cout << id << ' ';
    std::cout << std::endl;
  }
  const auto seconds = [](auto from, auto to) { return std::chrono::duration<double>(to - from).count(); };
  const Model& model = decoder.model();
  const std::string device = model.device() ? device_name(*model.device()) : "cpu";
  const int threads = model.threads().thread_count();
  char line[200];
  std::snprintf(line, sizeof line,
                "%zu tokens read at %.0f a second, %zu written at %.0f a second, on %s (%d thread%s)\n", ids.size(),
                static_cast<double>(ids.size()) / seconds(begin, prefilled), made.size(),
                made.size() > 1 ? static_cast<double>(made.size() - 1) / seconds(prefilled, end) : 0.0, device.c_str(),
                threads, threads == 1 ? "" : "s");
  std::cerr << line;
  return {};
}

// A decoder that the CPU runs until the device is ready.
Result<WarmStart<Decoder>> start_warm(const GenerateOptions& options, const RunOptions& run_options,
                                      Decoder::Gives gives) {
  if (run_options.device == "cpu" || run_options.require_gpu)
    return Error{Code::invalid_argument,
                 "--warm-start begins on the CPU and goes on with a device: --device cpu and "
                 "--require-gpu contradict it"};
  HEED_TRY(open_registry(run_options));  // by this thread, once
  RunOptions on_cpu = run_options;
  on_cpu.device = "cpu";
  return WarmStart<Decoder>::begin([&] { return Decoder::open(options.model, on_cpu, gives); },
                                   [=] { return Decoder::open(options.model, run_options, gives); });
}

Result<void> generate_texts(const GenerateOptions& options, const RunOptions& run_options) {
  HEED_ASSIGN(const auto path, find_model(options.model));
  HEED_ASSIGN(const auto tokenizer, text::Tokenizer::open(path.parent_path()));
  HEED_TRY(text::Sampler::create(options.sampler));
  const auto gives = options.sampler.temperature == 0 ? Decoder::Gives::likeliest : Decoder::Gives::logits;
  std::optional<WarmStart<Decoder>> warm;
  std::unique_ptr<Decoder> opened;
  if (options.warm_start) {
    HEED_ASSIGN(warm, start_warm(options, run_options, gives));
  } else {
    HEED_ASSIGN(opened, Decoder::open(options.model, run_options, gives));
  }
  for (size_t i = 0; i < options.prompts.size(); ++i) {
    if (i) std::cout << "----\n";
    Decoder* decoder = opened.get();
    if (warm) {
      HEED_ASSIGN(decoder, warm->next());
    }
    decoder->reset();
    HEED_TRY(continue_text(*decoder, *tokenizer, options.prompts[i], options));
  }
  return {};
}

}  // namespace

int generate(const Arguments& arguments) {
  GenerateOptions options;
  RunOptions run_options;
  po::options_description all("options");
  all.add_options()("model", po::value(&options.model)->required()->value_name("MODEL"),
                    "a model folder with a tokenizer")("prompt",
                                                       po::value(&options.prompts)->composing()->value_name("TEXT"),
                                                       "what the text begins with; each one more makes one more text")(
      "max-tokens", po::value(&options.max_tokens)->default_value(options.max_tokens)->value_name("N"),
      "how many tokens to write at most")(
      "temperature",
      po::value(&options.sampler.temperature)->default_value(options.sampler.temperature)->value_name("T"),
      "0: always the likeliest token")(
      "top-k", po::value(&options.sampler.top_k)->default_value(options.sampler.top_k)->value_name("K"),
      "only the K likeliest; 0: all")(
      "top-p", po::value(&options.sampler.top_p)->default_value(options.sampler.top_p)->value_name("P"),
      "only the fewest that reach probability P")(
      "seed", po::value(&options.sampler.seed)->default_value(0)->value_name("S"),
      "the same seed writes the same text")("ids", po::bool_switch(&options.ids), "print the token ids, too")(
      "warm-start", po::bool_switch(&options.warm_start),
      "write on the CPU until the device is ready; the text that begins then is the first that it writes");
  all.add(run_options.described());
  if (const auto status = read_command_line(arguments, name, synopsis,
                                            "Continues texts with a decoder, token by token.", all, {"model"}))
    return *status;
  if (options.prompts.empty()) options.prompts.emplace_back();
  if (auto done = generate_texts(options, run_options); !done) {
    std::cout << std::flush;
    return report(done.error());
  }
  return success;
}

}  // namespace heed::tool
