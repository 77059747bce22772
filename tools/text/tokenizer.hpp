// Tokenizer: text to token ids and back, as a model folder's tokenizer.json or vocab.txt says.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "heed/result.hpp"

namespace heed::text {

struct Decoder;

// Immutable; any thread may call it.
class Tokenizer {
 public:
  // Opens tokenizer.json (Hugging Face's format: BPE and WordPiece), or else vocab.txt (BERT's WordPiece) of a model
  // folder. Errors: neither is there, a file is broken, or it asks for something unsupported, which is named.
  static Result<std::unique_ptr<Tokenizer>> open(const std::filesystem::path& model_folder);
  ~Tokenizer();

  // The ids of a text, with the special tokens around it (such as BOS) that its post-processor adds unless told not to.
  // Text that is not UTF-8 is an error that says where. The truncation and padding that a file may ask for are the
  // caller's to do.
  Result<std::vector<int64_t>> encode(std::string_view text, bool add_special = true) const;

  // The text of ids, UTF-8; what is no character becomes U+FFFD, and ids without a token give nothing.
  std::string decode(std::span<const int64_t> ids, bool skip_special = true) const;

  // The bytes that one token stands for by itself, which may be a part of a character; the marks of words (a leading
  // U+2581 or ##) stay. Empty for an id without a token.
  std::string token_bytes(int64_t id) const;

  // The largest id + 1, added tokens included.
  int64_t vocab_size() const;

  // The token that begins and the one that ends a text, from generation_config.json, tokenizer_config.json, the
  // post-processor's template, or the usual names, in this order.
  std::optional<int64_t> bos() const;
  std::optional<int64_t> eos() const;
  // Whether generation stops at this token: some models have several that end a text.
  bool ends_text(int64_t id) const;
  bool is_special(int64_t id) const;
  std::optional<int64_t> find(std::string_view token) const;

 private:
  friend class TextStream;
  struct Parts;
  explicit Tokenizer(std::unique_ptr<const Parts> parts);
  static Result<std::unique_ptr<Parts>> read_tokenizer_json(const std::filesystem::path& path);
  static Result<std::unique_ptr<Parts>> read_vocab_txt(const std::filesystem::path& path, bool lower_case);

  const Decoder& decoder() const;
  // The text that an id puts into a decoding; null where it leaves no trace.
  const std::string* token_to_decode(int64_t id, bool skip_special) const;

  std::unique_ptr<const Parts> parts_;
};

}  // namespace heed::text
