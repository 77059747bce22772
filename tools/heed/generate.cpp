// heed generate: text to text, streaming.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>

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
    "MODEL --prompt TEXT... [--max-tokens N] [--temperature T] [--top-k K] [--top-p P] [--min-p P] "
    "[--repetition-penalty R] [--stop TEXT]... [--seed S] [--warm-start]";

struct GenerateOptions {
  std::string model;
  std::vector<std::string> prompts, stops;
  int64_t max_tokens = 200;
  text::SamplerOptions sampler;
  bool ids = false, warm_start = false;

  Decoder::Gives wanted() const { return sampler.is_greedy() ? Decoder::Gives::likeliest : Decoder::Gives::logits; }
};

// A prompt and what is written behind it.
struct Text {
  std::vector<int64_t> ids;  // of both
  size_t prompt_length;
  text::Sampler sampler;
  text::TextStream stream;
  text::StopAt stop;
  std::string unshown;
  int64_t padding = 0;  // places before the first id
  bool ended = false;

  size_t written() const { return ids.size() - prompt_length; }
  int64_t end() const { return padding + static_cast<int64_t>(ids.size()); }
  // What stands at a place: in padding, and behind the end of a text that has ended, some token.
  int64_t at(int64_t place) const {
    const int64_t last = static_cast<int64_t>(ids.size()) - 1;
    return ids[static_cast<size_t>(std::clamp<int64_t>(place - padding, 0, last))];
  }
};

Result<std::vector<Text>> read_prompts(const text::Tokenizer& tokenizer, const GenerateOptions& options) {
  std::vector<Text> texts;
  for (const auto& prompt : options.prompts) {
    HEED_ASSIGN(auto sampler, text::Sampler::create(options.sampler));
    HEED_ASSIGN(auto ids, tokenizer.encode(prompt));
    if (ids.empty()) {
      if (const auto bos = tokenizer.bos()) ids.push_back(*bos);
    }
    if (ids.empty()) return Error{Code::invalid_argument, "the prompt has no tokens; give --prompt some text"};
    const size_t length = ids.size();
    Text& text = texts.emplace_back(
        Text{std::move(ids), length, std::move(sampler), text::TextStream(tokenizer), text::StopAt(options.stops), {}});
    for (const int64_t id : text.ids) text.unshown += text.stream.push(id);
  }
  return texts;
}

std::string told(const ContextLimit& limit) {
  return "the model reads at most " + std::to_string(limit.tokens) + " tokens (" + limit.source + ")";
}

// Texts on standard output, one behind the other, whichever of them grows.
class Show {
 public:
  explicit Show(std::span<Text> texts, bool ids) : texts_(texts), ids_(ids) {}

  // What can be shown by now.
  Result<void> go_on() {
    for (; next_ < texts_.size(); ++next_) {
      Text& text = texts_[next_];
      if (next_ > 0 && !begun_) std::cout << "----\n";
      begun_ = !text.ended;
      std::cout << std::exchange(text.unshown, {}) << std::flush;
      if (!std::cout) return Error{Code::io, "the text cannot be written to standard output"};
      if (!text.ended) break;
      std::cout << std::endl;
      if (!ids_) continue;
      for (const int64_t id : text.ids) std::cout << id << ' ';
      std::cout << std::endl;
    }
    return {};
  }

 private:
  std::span<Text> texts_;
  bool ids_;
  size_t next_ = 0;
  bool begun_ = false;
};

// Puts a token behind a text, unless the text ends before it.
void add(Text& text, int64_t id, const text::Tokenizer& tokenizer, const ContextLimit& context, int64_t max_tokens) {
  text.ended = tokenizer.ends_text(id);
  if (!text.ended) {
    text.ids.push_back(id);
    text.unshown += text.stop.push(text.stream.push(id));
    text.ended = text.stop.met() || static_cast<int64_t>(text.written()) >= max_tokens;
    if (!text.ended && static_cast<int64_t>(text.ids.size()) > context.tokens) {
      std::cerr << "note: a text ends here: " << told(context) << "\n";
      text.ended = true;
    }
  }
  if (!text.ended) return;
  text.unshown += text.stop.push(text.stream.finish());
  text.unshown += text.stop.finish();
}

// Writes all texts together.
Result<void> continue_texts(Decoder& decoder, const text::Tokenizer& tokenizer, std::span<Text> texts, Show& show,
                            const GenerateOptions& options) {
  const Decoding& decoding = decoder.decoding();
  std::vector<int64_t> padding;
  int64_t longest = 0;
  for (const Text& text : texts) longest = std::max(longest, text.end());
  for (Text& text : texts)
    padding.push_back(text.padding = decoding.batch == Decoding::Batch::padded ? longest - text.end() : 0);
  decoder.begin(std::move(padding));

  using Clock = std::chrono::steady_clock;
  double reading_seconds = 0, writing_seconds = 0;
  size_t written_count = 0;
  std::vector<int64_t> ids;
  const auto has_ended = [](const Text& text) { return text.ended; };
  for (int64_t place = 0; !std::all_of(texts.begin(), texts.end(), has_ended);) {
    HEED_TRY(show.go_on());
    const auto begin = Clock::now();
    bool reads = false;
    int64_t count = decoding.most_new;
    for (const Text& text : texts) {
      if (text.ended) continue;
      count = std::min(count, text.end() - place);
      reads |= text.written() == 0;
    }
    ids.clear();
    for (const Text& text : texts)
      for (int64_t i = place; i < place + count; ++i) ids.push_back(text.at(i));
    place += count;
    std::span<const float> logits;
    std::span<const int64_t> likeliest;
    if (options.sampler.is_greedy()) {
      HEED_ASSIGN(likeliest, decoder.likeliest(ids));
    } else {
      HEED_ASSIGN(logits, decoder.logits(ids));
    }
    const size_t vocab = logits.size() / texts.size();
    for (size_t i = 0; i < texts.size(); ++i) {
      Text& text = texts[i];
      if (text.ended || text.end() > place) continue;
      int64_t id = 0;
      if (options.sampler.is_greedy()) {
        id = likeliest[i];
      } else {
        HEED_ASSIGN(id, text.sampler.choose(logits.subspan(i * vocab, vocab), text.ids));
      }
      add(text, id, tokenizer, decoding.context, options.max_tokens);
      written_count += !reads;
    }
    (reads ? reading_seconds : writing_seconds) += std::chrono::duration<double>(Clock::now() - begin).count();
  }
  HEED_TRY(show.go_on());

  const Model& model = decoder.model();
  const int threads = model.threads().thread_count();
  size_t read_count = 0, all_written = 0;
  for (const Text& text : texts) read_count += text.prompt_length, all_written += text.written();
  const auto each_second = [](size_t count, double seconds) {
    return std::to_string(count ? std::llround(static_cast<double>(count) / seconds) : 0) + " a second";
  };
  std::cerr << read_count << " tokens read at " << each_second(read_count, reading_seconds) << ", " << all_written
            << " written at " << each_second(written_count, writing_seconds)
            << (texts.size() > 1 ? " in " + std::to_string(texts.size()) + " texts" : "") << ", on "
            << (model.device() ? device_name(*model.device()) : "cpu") << " (" << threads << " thread"
            << (threads == 1 ? "" : "s") << ")\n";
  return {};
}

// A decoder that the CPU runs until the device is ready.
Result<WarmStart<Decoder>> start_warm(const GenerateOptions& options, const RunOptions& run_options,
                                      int64_t most_tokens) {
  if (run_options.device == "cpu" || run_options.require_gpu)
    return Error{Code::invalid_argument,
                 "--warm-start begins on the CPU and goes on with a device: --device cpu and "
                 "--require-gpu contradict it"};
  HEED_TRY(open_registry(run_options));  // by this thread, once
  RunOptions on_cpu = run_options;
  on_cpu.device = "cpu";
  const auto gives = options.wanted();
  return WarmStart<Decoder>::begin([&] { return Decoder::open(options.model, on_cpu, gives, most_tokens); },
                                   [=] { return Decoder::open(options.model, run_options, gives, most_tokens); });
}

// What a model does not do as well as others, and prompts that are too long for it.
Result<void> check(const Decoding& decoding, std::span<const Text> texts) {
  for (const Text& text : texts)
    if (static_cast<int64_t>(text.prompt_length) > decoding.context.tokens)
      return Error{Code::invalid_argument,
                   "a prompt has " + std::to_string(text.prompt_length) + " tokens; " + told(decoding.context)};
  if (!decoding.has_cache)
    std::cerr << "note: the model keeps no cache: it reads the whole text again for each token\n";
  return {};
}

Result<void> generate_texts(const GenerateOptions& options, const RunOptions& run_options) {
  HEED_ASSIGN(const auto path, find_model(options.model));
  HEED_ASSIGN(const auto tokenizer, text::Tokenizer::open(path.parent_path()));
  HEED_ASSIGN(auto texts, read_prompts(*tokenizer, options));
  int64_t longest_prompt = 0;
  for (const Text& text : texts) longest_prompt = std::max(longest_prompt, static_cast<int64_t>(text.prompt_length));
  const int64_t most_tokens = longest_prompt + std::min(options.max_tokens, INT64_MAX - longest_prompt);
  Show show(texts, options.ids);
  if (options.warm_start) {
    HEED_ASSIGN(auto warm, start_warm(options, run_options, most_tokens));
    for (Text& text : texts) {
      auto next = warm.next();
      if (!next) {
        std::cerr << "note: the CPU writes all: " << next.error().message << "\n";
        next = warm.next();
      }
      HEED_ASSIGN(Decoder * decoder, std::move(next));
      if (&text == &texts.front()) HEED_TRY(check(decoder->decoding(), texts));
      HEED_TRY(continue_texts(*decoder, *tokenizer, std::span(&text, 1), show, options));
    }
    return {};
  }
  HEED_ASSIGN(const auto decoder, Decoder::open(options.model, run_options, options.wanted(), most_tokens));
  HEED_TRY(check(decoder->decoding(), texts));
  if (texts.size() > 1) std::cerr << "note: the prompts run " << describe(decoder->decoding().batch) << "\n";
  const size_t together = decoder->decoding().batch == Decoding::Batch::alone ? 1 : texts.size();
  for (size_t i = 0; i < texts.size(); i += together)
    HEED_TRY(continue_texts(*decoder, *tokenizer, std::span(texts).subspan(i, together), show, options));
  return {};
}

}  // namespace

int generate(const Arguments& arguments) {
  GenerateOptions options;
  RunOptions run_options;
  po::options_description all("options");
  all.add_options()("model", po::value(&options.model)->required()->value_name("MODEL"),
                    "a model folder with a tokenizer")(
      "prompt", po::value(&options.prompts)->composing()->value_name("TEXT"),
      "what the text begins with; each one more makes one more text, and those run together "
      "where the model lets them")("max-tokens",
                                   po::value(&options.max_tokens)->default_value(options.max_tokens)->value_name("N"),
                                   "how many tokens to write at most")(
      "temperature",
      po::value(&options.sampler.temperature)->default_value(options.sampler.temperature)->value_name("T"),
      "0: always the likeliest token")(
      "top-k", po::value(&options.sampler.top_k)->default_value(options.sampler.top_k)->value_name("K"),
      "only the K likeliest; 0: all")(
      "top-p", po::value(&options.sampler.top_p)->default_value(options.sampler.top_p)->value_name("P"),
      "only the fewest that reach probability P")(
      "min-p", po::value(&options.sampler.min_p)->default_value(options.sampler.min_p)->value_name("P"),
      "only those at least P times as likely as the likeliest")(
      "repetition-penalty",
      po::value(&options.sampler.repetition_penalty)
          ->default_value(options.sampler.repetition_penalty)
          ->value_name("R"),
      "tokens of prompt and text become less likely: logits above 0 are divided by R, others multiplied; 1: not")(
      "stop", po::value(&options.stops)->composing()->value_name("TEXT"),
      "end the text before this one; may be repeated")(
      "seed", po::value(&options.sampler.seed)->default_value(0)->value_name("S"),
      "the same seed writes the same text")("ids", po::bool_switch(&options.ids), "print the token ids, too")(
      "warm-start", po::bool_switch(&options.warm_start),
      "write on the CPU until the device is ready; the text that begins then is the first that it writes");
  all.add(run_options.described());
  if (const auto status = read_command_line(arguments, name, synopsis,
                                            "Continues texts with a decoder, token by token.", all, {"model"}))
    return *status;
  if (options.max_tokens < 1)
    return report(
        Error{Code::invalid_argument, "--max-tokens " + std::to_string(options.max_tokens) + ": expected 1 or more"});
  if (options.prompts.empty()) options.prompts.emplace_back();
  if (auto done = generate_texts(options, run_options); !done) {
    std::cout << std::flush;
    return report(done.error());
  }
  return success;
}

}  // namespace heed::tool
