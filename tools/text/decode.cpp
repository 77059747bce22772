// The decoders of tokenizer.json, one class and one maker each, and the table of their names.
#include "text/decode.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "text/component.hpp"
#include "text/field.hpp"
#include "text/model.hpp"
#include "text/split_words.hpp"
#include "text/unicode.hpp"

namespace heed::text {
namespace {

using Parts = std::vector<TokenPart>;

// A step that looks at whole tokens only.
class WholeTokens : public DecodeStep {
 public:
  void push(TokenPart part, Parts& out) final {
    token_ += part.text;
    if (!part.ends_token) return;
    take(std::exchange(token_, {}), out);
    is_first_ = false;
  }

 protected:
  virtual void take(std::string token, Parts& out) = 0;
  bool is_first() const { return is_first_; }

 private:
  std::string token_;
  bool is_first_ = true;
};

// Bytes of all tokens become one token.
class ByteLevel : public WholeTokens {
 public:
  void take(std::string token, Parts& out) override {
    bytes_ += from_byte_level(token);
    out.push_back({take_decided_utf8(bytes_), false});
  }
  void finish(Parts& out) override { out.push_back({bytes_.empty() ? "" : std::string(replacement_character), true}); }

 private:
  std::string bytes_;  // an incomplete character
};

// A run of byte tokens becomes one token. As in SentencePiece, each byte that is no part of a character becomes U+FFFD;
// Hugging Face's library gives up the run's good characters too, which cannot be streamed.
class ByteFallback : public WholeTokens {
 public:
  void take(std::string token, Parts& out) override {
    if (const auto byte = byte_of_token(token)) {
      bytes_ += static_cast<char>(*byte);
      in_run_ = true;
      out.push_back({decided(), false});
    } else {
      end_run(out);
      out.push_back({std::move(token), true});
    }
  }
  void finish(Parts& out) override { end_run(out); }

 private:
  std::string decided() {
    std::string text;
    while (!bytes_.empty()) {
      const Utf8Step step = read_utf8(bytes_, 0);
      if (step.kind == Utf8Step::incomplete) break;
      text += step.kind == Utf8Step::valid ? std::string_view(bytes_).substr(0, step.size) : replacement_character;
      bytes_.erase(0, step.kind == Utf8Step::valid ? step.size : 1);
    }
    return text;
  }
  void end_run(Parts& out) {
    if (!in_run_) return;
    std::string text;
    for (size_t i = 0; i < bytes_.size(); ++i) text += replacement_character;
    out.push_back({std::move(text), true});
    bytes_.clear();
    in_run_ = false;
  }

  std::string bytes_;  // an incomplete character
  bool in_run_ = false;
};

// All tokens become one.
class Fuse : public DecodeStep {
 public:
  void push(TokenPart part, Parts& out) override { out.push_back({std::move(part.text), false}); }
  void finish(Parts& out) override { out.push_back({"", true}); }
};

class ReplaceString : public DecodeStep {
 public:
  ReplaceString(std::string needle, std::string content) : needle_(std::move(needle)), content_(std::move(content)) {}

  void push(TokenPart part, Parts& out) override {
    kept_ += part.text;
    std::string text;
    size_t done = 0;
    for (size_t at = find(done); at != kept_.npos; at = find(done)) {
      text.append(kept_, done, at - done) += content_;
      done = at + needle_.size();
    }
    const size_t keep = part.ends_token ? 0 : started_match(std::string_view(kept_).substr(done));
    text.append(kept_, done, kept_.size() - keep - done);
    kept_.erase(0, kept_.size() - keep);
    out.push_back({std::move(text), part.ends_token});
  }

 private:
  size_t find(size_t from) const { return needle_.empty() ? kept_.npos : kept_.find(needle_, from); }

  // How many bytes at the end may begin a match.
  size_t started_match(std::string_view text) const {
    if (needle_.empty()) return 0;
    for (size_t size = std::min(text.size(), needle_.size() - 1); size > 0; --size) {
      if (text.ends_with(std::string_view(needle_).substr(0, size))) return size;
    }
    return 0;
  }

  std::string needle_, content_, kept_;
};

class ReplacePattern : public WholeTokens {
 public:
  ReplacePattern(FindMatches find, std::string content) : find_(std::move(find)), content_(std::move(content)) {}

  void take(std::string token, Parts& out) override {
    std::string text;
    size_t done = 0;
    const auto found = find_(token, [&](size_t begin, size_t end) {
      text.append(token, done, begin - done) += content_;
      done = end;
    });
    if (found) token = text.append(token, done, std::string::npos);  // a token too hard to match stays as it is
    out.push_back({std::move(token), true});
  }

 private:
  FindMatches find_;
  std::string content_;
};

// Takes up to `start` and `stop` times one character from the ends of each token.
class Strip : public DecodeStep {
 public:
  Strip(char32_t content, int64_t start, int64_t stop)
      : content_(content), start_(start), stop_(stop), at_start_(start) {}

  void push(TokenPart part, Parts& out) override {
    std::string text;
    for (size_t offset = 0; offset < part.text.size();) {
      const char32_t c = next_code_point(part.text, offset);
      if (c == content_ && at_start_ > 0) {
        --at_start_;
      } else if (c == content_ && held_ < stop_) {
        ++held_;
      } else if (c == content_) {
        append_utf8(text, c);
      } else {
        release(text);
        append_utf8(text, c);
        at_start_ = 0;
      }
    }
    if (part.ends_token) {
      held_ = 0;
      at_start_ = start_;
    }
    out.push_back({std::move(text), part.ends_token});
  }

 private:
  void release(std::string& text) {
    for (; held_ > 0; --held_) append_utf8(text, content_);
  }

  char32_t content_;
  int64_t start_, stop_;
  int64_t at_start_;  // how many may still go at the start of this token
  int64_t held_ = 0;  // how many are held back, at most stop_
};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

class WordPiece : public WholeTokens {
 public:
  WordPiece(std::string prefix, bool cleanup) : prefix_(std::move(prefix)), cleanup_(cleanup) {}

  void take(std::string token, Parts& out) override {
    if (!is_first()) {
      if (token.starts_with(prefix_))
        token.erase(0, prefix_.size());
      else
        token.insert(0, " ");
    }
    if (cleanup_) {
      constexpr std::string_view tidied[][2] = {{" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
                                                {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
                                                {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
      for (const auto& [from, to] : tidied) replace_all(token, from, to);
    }
    out.push_back({std::move(token), true});
  }

 private:
  std::string prefix_;
  bool cleanup_;
};

class Metaspace : public WholeTokens {
 public:
  Metaspace(std::string replacement, bool prepended) : replacement_(std::move(replacement)), prepended_(prepended) {}

  void take(std::string token, Parts& out) override {
    replace_all(token, replacement_, is_first() && prepended_ ? "" : " ");
    out.push_back({std::move(token), true});
  }

 private:
  std::string replacement_;
  bool prepended_;
};

class JoinWithSpaces : public WholeTokens {
 public:
  void take(std::string token, Parts& out) override { out.push_back({is_first() ? token : " " + token, true}); }
};

template <class Step, class... Arguments>
Decoder one_step(Arguments... arguments) {
  Decoder decoder;
  decoder.steps.emplace_back([=] { return std::make_unique<Step>(arguments...); });
  return decoder;
}

Result<Decoder> make_byte_level(const Field&) {
  Decoder decoder = one_step<ByteLevel>();
  decoder.byte_level = true;
  return decoder;
}

Result<Decoder> make_byte_fallback(const Field&) {
  Decoder decoder = one_step<ByteFallback>();
  decoder.byte_fallback = true;
  return decoder;
}

Result<Decoder> make_fuse(const Field&) { return one_step<Fuse>(); }

Result<Decoder> make_sequence(const Field& field) {
  constexpr size_t max_steps = 64;  // real files have four
  constexpr int max_growth = 4096;
  HEED_ASSIGN(const auto elements, field.list("decoders"));
  Decoder all;
  for (const Field& element : elements) {
    HEED_ASSIGN(Decoder decoder, read_decoder(element));
    for (auto& step : decoder.steps) all.steps.push_back(std::move(step));
    all.growth *= decoder.growth;
    all.byte_level |= decoder.byte_level;
    all.byte_fallback |= decoder.byte_fallback;
    if (all.steps.size() > max_steps) return field.wrong("has more than " + std::to_string(max_steps) + " steps");
    if (all.growth > max_growth)
      return field.wrong("makes texts more than " + std::to_string(max_growth) + " times longer");
  }
  return all;
}

Result<Decoder> make_replace(const Field& field) {
  HEED_ASSIGN(const std::string content, field.string("content"));
  HEED_ASSIGN(const Field pattern, field.at("pattern"));
  if (pattern.has("String") || pattern.is_string()) {
    HEED_ASSIGN(const std::string needle, pattern.is_string() ? pattern.as_string() : pattern.string("String"));
    Decoder decoder = one_step<ReplaceString>(needle, content);
    decoder.growth =
        std::max(1.0, static_cast<double>(content.size()) / static_cast<double>(std::max<size_t>(1, needle.size())));
    return decoder;
  }
  HEED_ASSIGN(const FindMatches find, read_pattern(field));
  Decoder decoder = one_step<ReplacePattern>(find, content);
  decoder.growth = std::max(1.0, static_cast<double>(content.size()));
  return decoder;
}

Result<Decoder> make_strip(const Field& field) {
  HEED_ASSIGN(const Field content, field.at("content"));
  HEED_ASSIGN(const char32_t character, content.as_character());
  HEED_ASSIGN(const int64_t start, field.integer_or("start", 0));
  HEED_ASSIGN(const int64_t stop, field.integer_or("stop", 0));
  if (start < 0 || stop < 0) return field.wrong("strips a negative number of characters");
  return one_step<Strip>(character, start, stop);
}

Result<Decoder> make_wordpiece(const Field& field) {
  HEED_ASSIGN(const std::string prefix, field.string_or("prefix", "##"));
  HEED_ASSIGN(const bool cleanup, field.boolean_or("cleanup", true));
  return one_step<WordPiece>(prefix, cleanup);
}

Result<Decoder> make_metaspace(const Field& field) {
  std::string replacement = "\xE2\x96\x81";
  if (field.has("replacement")) {
    HEED_ASSIGN(const Field member, field.at("replacement"));
    HEED_TRY(member.as_character());
    HEED_ASSIGN(replacement, member.as_string());
  }
  HEED_ASSIGN(const bool add_prefix_space, field.boolean_or("add_prefix_space", true));
  HEED_ASSIGN(const std::string scheme, field.string_or("prepend_scheme", add_prefix_space ? "always" : "never"));
  return one_step<Metaspace>(replacement, scheme != "never");
}

constexpr Component<Decoder> decoders[] = {
    {"ByteFallback", make_byte_fallback},
    {"ByteLevel", make_byte_level},
    {"Fuse", make_fuse},
    {"Metaspace", make_metaspace},
    {"Replace", make_replace},
    {"Sequence", make_sequence},
    {"Strip", make_strip},
    {"WordPiece", make_wordpiece},
};

}  // namespace

Result<Decoder> read_decoder(const Field& field) {
  if (field.value().is_null()) return one_step<JoinWithSpaces>();
  return make_component<Decoder>(field, "decoder", decoders);
}

Decoder wordpiece_decoder() { return one_step<WordPiece>(std::string("##"), true); }

Decoding::Decoding(const Decoder& decoder) {
  for (const auto& make : decoder.steps) steps_.push_back(make());
}

std::string Decoding::push(std::string_view token) {
  Parts parts;
  parts.push_back({std::string(token), true});
  for (const auto& step : steps_) {
    Parts next;
    for (TokenPart& part : parts) step->push(std::move(part), next);
    parts = std::move(next);
  }
  std::string text;
  for (const TokenPart& part : parts) text += part.text;
  return text;
}

std::string Decoding::finish() {
  Parts parts;
  for (const auto& step : steps_) {
    Parts next;
    for (TokenPart& part : parts) step->push(std::move(part), next);
    step->finish(next);
    parts = std::move(next);
  }
  std::string text;
  for (const TokenPart& part : parts) text += part.text;
  return text;
}

}  // namespace heed::text
