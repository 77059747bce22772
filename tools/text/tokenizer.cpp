// The way of a text through a tokenizer: added tokens, normalizer, words, model, special tokens.
#include "text/tokenizer.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "text/added_tokens.hpp"
#include "text/decode.hpp"
#include "text/field.hpp"
#include "text/hints.hpp"
#include "text/model.hpp"
#include "text/normalize.hpp"
#include "text/post_process.hpp"
#include "text/split_words.hpp"
#include "text/unicode.hpp"

namespace heed::text {

struct Tokenizer::Parts {
  std::unique_ptr<Model> model;
  Normalizer normalizer;
  SplitWords split_words;
  AddedTokens added;
  Decoder decoder;
  Surround surround;
  std::optional<int64_t> bos;
  std::vector<int64_t> eos;
};

namespace {

constexpr size_t max_file_bytes = size_t{256} << 20;  // the largest real tokenizer.json files hold about 35 MB

constexpr std::string_view bos_names[] = {"<s>", "<bos>", "<|begin_of_text|>", "<|startoftext|>", "[BOS]"};
constexpr std::string_view eos_names[] = {"</s>", "<eos>", "<|end_of_text|>", "<|endoftext|>", "[EOS]", "<|im_end|>"};

// Appends the ids of words; a word met before is copied.
Result<void> tokenize_words(const Model& model, const Words& words, std::vector<int64_t>& ids) {
  constexpr size_t longest_remembered_bytes = 64;
  struct Range {
    size_t begin, end;  // in ids
  };
  std::unordered_map<std::string_view, Range> seen;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (word.size() > longest_remembered_bytes) {
      HEED_TRY(model.tokenize(word, ids));
      continue;
    }
    const auto [known, is_new] = seen.try_emplace(word, Range{ids.size(), 0});
    if (is_new) {
      HEED_TRY(model.tokenize(word, ids));
      known->second.end = ids.size();
    } else {
      for (size_t at = known->second.begin; at < known->second.end; ++at) ids.push_back(int64_t{ids[at]});
    }
  }
  return {};
}

}  // namespace

Tokenizer::Tokenizer(std::unique_ptr<const Parts> parts) : parts_(std::move(parts)) {}
Tokenizer::~Tokenizer() = default;

Result<std::unique_ptr<Tokenizer>> Tokenizer::open(const std::filesystem::path& model_folder) {
  std::error_code failure;
  const auto json_path = model_folder / "tokenizer.json", vocab_path = model_folder / "vocab.txt";
  const bool has_json = std::filesystem::exists(json_path, failure);
  if (!has_json && !std::filesystem::exists(vocab_path, failure)) {
    return Error{Code::io,
                 model_folder.string() +
                     ": no tokenizer here: looked for tokenizer.json (Hugging Face's format) and vocab.txt (BERT's)"};
  }
  HEED_ASSIGN(const Hints hints, read_hints(model_folder));
  HEED_ASSIGN(std::unique_ptr<Parts> parts,
              has_json ? read_tokenizer_json(json_path) : read_vocab_txt(vocab_path, hints.lower_case.value_or(true)));

  const auto id_of = [&](std::string_view token) -> std::optional<int64_t> {
    if (const AddedToken* added = parts->added.find(token)) return added->id;
    return token.empty() ? std::nullopt : parts->model->vocabulary().find(token);
  };
  const auto special_named = [&](std::span<const std::string_view> names) -> std::optional<int64_t> {
    for (const auto name : names) {
      const AddedToken* added = parts->added.find(name);
      if (added && added->special) return added->id;
    }
    return std::nullopt;
  };
  parts->bos = hints.bos;
  if (!parts->bos) parts->bos = id_of(hints.bos_token);
  if (!parts->bos && !parts->surround.before.empty()) parts->bos = parts->surround.before.front();
  if (!parts->bos) parts->bos = special_named(bos_names);
  parts->eos = hints.eos;
  const auto add_eos = [&](std::optional<int64_t> id) {
    if (parts->eos.empty() && id) parts->eos.push_back(*id);
  };
  add_eos(id_of(hints.eos_token));
  if (!parts->surround.behind.empty()) add_eos(parts->surround.behind.back());
  add_eos(special_named(eos_names));
  return std::unique_ptr<Tokenizer>(new Tokenizer(std::move(parts)));
}

Result<std::unique_ptr<Tokenizer::Parts>> Tokenizer::read_tokenizer_json(const std::filesystem::path& path) {
  HEED_ASSIGN(const std::string text, read_text_file(path, max_file_bytes));
  HEED_ASSIGN(const nlohmann::json json, parse_json(text, path.string()));
  const Field root(json, path.string() + ":");
  if (!root.is_object()) return root.wrong("the file is not a JSON object");
  const nlohmann::json null;
  const auto part = [&](const char* key) {
    return Field(root.has(key) ? json[key] : null, path.string() + ": " + key);
  };
  auto parts = std::make_unique<Parts>();
  if (!root.has("model")) return root.wrong("has no 'model': not a tokenizer of Hugging Face's format");
  HEED_ASSIGN(parts->model, read_model(part("model")));
  HEED_ASSIGN(parts->normalizer, read_normalizer(part("normalizer")));
  HEED_ASSIGN(parts->split_words, read_pre_tokenizer(part("pre_tokenizer")));
  HEED_ASSIGN(parts->decoder, read_decoder(part("decoder")));
  HEED_ASSIGN(parts->surround, read_post_processor(part("post_processor")));
  if (root.has("added_tokens")) {
    HEED_ASSIGN(const auto fields, part("added_tokens").elements());
    auto added = AddedTokens::read(fields, parts->model->vocabulary(), parts->normalizer);
    if (!added) return std::move(added).error();
    parts->added = std::move(added).value();
  }
  return parts;
}

Result<std::unique_ptr<Tokenizer::Parts>> Tokenizer::read_vocab_txt(const std::filesystem::path& path,
                                                                    bool lower_case) {
  HEED_ASSIGN(const std::string text, read_text_file(path, max_file_bytes));
  Vocabulary vocabulary;
  int64_t id = 0;
  for (size_t begin = 0; begin < text.size(); ++id) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view token = std::string_view(text).substr(begin, end - begin);
    if (token.ends_with('\r')) token.remove_suffix(1);
    const auto place = [&] { return path.string() + ": line " + std::to_string(id + 1); };
    if (find_invalid_utf8(token)) return Error{Code::invalid_model, place() + " is not UTF-8"};
    if (auto added = vocabulary.add(std::string(token), id); !added) return std::move(added).error().within(place());
    begin = end + 1;
  }
  auto parts = std::make_unique<Parts>();
  std::vector<AddedToken> added;
  for (const char* name : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
    if (const auto known = vocabulary.find(name)) added.push_back({*known, name, true, false, false, false, false});
  }
  const auto cls = vocabulary.find("[CLS]"), sep = vocabulary.find("[SEP]");
  if (cls && sep) parts->surround = {{*cls}, {*sep}};
  auto model = bert_wordpiece(std::move(vocabulary));
  if (!model) return std::move(model).error().within(path.string());
  parts->model = std::move(model).value();
  parts->normalizer = bert_normalizer({.strip_accents = lower_case, .lowercase = lower_case});
  parts->split_words = bert_words();
  parts->decoder = wordpiece_decoder();
  HEED_ASSIGN(parts->added, AddedTokens::from(std::move(added), parts->normalizer));
  return parts;
}

Result<std::vector<int64_t>> Tokenizer::encode(std::string_view text, bool add_special) const {
  if (text.size() > max_text_bytes) {
    return Error{Code::invalid_argument, "a text of " + std::to_string(text.size()) + " bytes; at most " +
                                             std::to_string(max_text_bytes) + " are tokenized at once"};
  }
  if (const auto invalid = find_invalid_utf8(text)) {
    constexpr char digits[] = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(text[*invalid]);
    return Error{Code::invalid_argument, std::string("the text is not UTF-8: byte 0x") + digits[byte >> 4] +
                                             digits[byte & 15] + " at offset " + std::to_string(*invalid) +
                                             "; convert it (iconv -t UTF-8) first"};
  }
  std::vector<int64_t> ids;
  if (add_special) ids = parts_->surround.before;
  for (const Segment& raw : parts_->added.cut_raw(text)) {
    if (raw.token) {
      ids.push_back(raw.token->id);
      continue;
    }
    HEED_ASSIGN(const std::string normalized, parts_->normalizer(std::string(raw.text)));
    for (const Segment& segment : parts_->added.cut_normalized(normalized)) {
      if (segment.token) {
        ids.push_back(segment.token->id);
        continue;
      }
      Words whole;
      whole.starts_text = raw.text.data() == text.data() && segment.text.data() == normalized.data();
      whole.add(segment.text);
      HEED_ASSIGN(const Words words, parts_->split_words(std::move(whole)));
      HEED_TRY(tokenize_words(*parts_->model, words, ids));
    }
  }
  if (add_special) ids.insert(ids.end(), parts_->surround.behind.begin(), parts_->surround.behind.end());
  return ids;
}

std::string Tokenizer::decode(std::span<const int64_t> ids, bool skip_special) const {
  Decoding decoding(parts_->decoder);
  std::string text;
  for (const int64_t id : ids) {
    if (const std::string* token = token_to_decode(id, skip_special)) text += decoding.push(*token);
  }
  return text += decoding.finish();
}

std::string Tokenizer::token_bytes(int64_t id) const {
  if (const AddedToken* added = parts_->added.find(id)) return added->content;
  const std::string* token = parts_->model->vocabulary().token(id);
  if (!token) return {};
  if (parts_->decoder.byte_level) return from_byte_level(*token);
  const auto byte = parts_->decoder.byte_fallback ? byte_of_token(*token) : std::nullopt;
  return byte ? std::string(1, static_cast<char>(*byte)) : *token;
}

int64_t Tokenizer::vocab_size() const {
  int64_t size = parts_->model->vocabulary().size();
  for (const AddedToken& token : parts_->added.all()) size = std::max(size, token.id + 1);
  return size;
}

std::optional<int64_t> Tokenizer::bos() const { return parts_->bos; }
std::optional<int64_t> Tokenizer::eos() const {
  return parts_->eos.empty() ? std::nullopt : std::optional(parts_->eos.front());
}
bool Tokenizer::ends_text(int64_t id) const {
  return std::find(parts_->eos.begin(), parts_->eos.end(), id) != parts_->eos.end();
}
bool Tokenizer::is_special(int64_t id) const {
  const AddedToken* added = parts_->added.find(id);
  return added && added->special;
}
std::optional<int64_t> Tokenizer::find(std::string_view token) const {
  if (const AddedToken* added = parts_->added.find(token)) return added->id;
  return parts_->model->vocabulary().find(token);
}

const Decoder& Tokenizer::decoder() const { return parts_->decoder; }

const std::string* Tokenizer::token_to_decode(int64_t id, bool skip_special) const {
  if (const AddedToken* added = parts_->added.find(id))
    return added->special && skip_special ? nullptr : &added->decoded;
  return parts_->model->vocabulary().token(id);
}

}  // namespace heed::text
