// Whole tokenizers on real vocabularies, and texts streamed token by token.
#include "text/tokenizer.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "model_folder.hpp"
#include "test_data.hpp"
#include "text/hints.hpp"
#include "text/stream.hpp"
#include "text/unicode.hpp"

namespace heed::text {
namespace {

using nlohmann::json;
using Ids = std::vector<int64_t>;

std::unique_ptr<Tokenizer> open(const std::filesystem::path& folder) {
  auto tokenizer = Tokenizer::open(folder);
  if (!tokenizer) FAIL(tokenizer.error().message);
  return std::move(tokenizer).value();
}

std::unique_ptr<Tokenizer> open(const json& tokenizer) {
  ModelFolder folder;
  return open(folder.write("tokenizer.json", tokenizer.dump()).path());
}

Ids encode(const Tokenizer& tokenizer, std::string_view text, bool add_special = true) {
  const auto ids = tokenizer.encode(text, add_special);
  if (!ids) FAIL(ids.error().message);
  return *ids;
}

// Streams the ids; every piece must be whole characters.
std::string stream(const Tokenizer& tokenizer, const Ids& ids) {
  TextStream stream(tokenizer);
  std::string text;
  for (const int64_t id : ids) {
    const std::string piece = stream.push(id);
    CHECK_FALSE(find_invalid_utf8(piece));
    text += piece;
  }
  return text + stream.finish();
}

json special(int64_t id, const char* content) {
  return {{"id", id}, {"content", content}, {"special", true}, {"normalized", false}};
}

// GPT-2's tokenizer out of the two files that OpenAI published.
std::optional<json> gpt2() {
  const auto folder = test_data("real/tokenizers/gpt2");
  if (!folder) return std::nullopt;
  json merges = json::array();
  std::istringstream lines(read_file(*folder / "vocab.bpe"));
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && !line.starts_with("#version")) merges.push_back(line);
  }
  return json{
      {"added_tokens", json::array({special(50256, "<|endoftext|>")})},
      {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
      {"decoder", {{"type", "ByteLevel"}}},
      {"model", {{"type", "BPE"}, {"vocab", json::parse(read_file(*folder / "encoder.json"))}, {"merges", merges}}}};
}

struct Expected {
  std::string text;
  Ids ids;
};

// llama.cpp's tests of a vocabulary: texts between lines, and a line of ids for each.
std::vector<Expected> llama_cpp_cases(const std::string& name) {
  const auto input = test_data("real/tokenizers/gguf-vocab/ggml-vocab-" + name + ".gguf.inp");
  if (!input) return {};
  constexpr std::string_view between = "\n__ggml_vocab_test__\n";
  std::istringstream lines(read_file(std::filesystem::path(*input).replace_extension(".out")));
  const std::string texts = read_file(*input);
  std::vector<Expected> cases;
  size_t begin = 0;
  for (std::string line; std::getline(lines, line) && begin <= texts.size();) {
    const size_t end = std::min(texts.find(between, begin), texts.size());
    std::istringstream numbers(line);
    cases.push_back({texts.substr(begin, end - begin), Ids(std::istream_iterator<int64_t>(numbers), {})});
    begin = end + between.size();
  }
  return cases;
}

// A tokenizer of Llama's kind out of llama2.c's tok512.bin: int32 longest; then (float score, int32 size, bytes) per
// token. Its merges are the ways to join two tokens to a third, the best score first.
std::optional<json> stories260k() {
  const auto path = test_data("real/stories260k/tok512.bin");
  if (!path) return std::nullopt;
  const std::string file = read_file(*path);
  json vocab;
  std::vector<std::pair<float, std::string>> tokens;
  for (size_t at = 4; at + 8 <= file.size();) {
    float score;
    int32_t size;
    std::memcpy(&score, &file[at], 4);
    std::memcpy(&size, &file[at + 4], 4);
    std::string token = file.substr(at + 8, static_cast<size_t>(size));
    at += 8 + static_cast<size_t>(size);
    if (tokens.size() == 1) token = "<s>";
    if (tokens.size() == 2) token = "</s>";
    for (size_t space = token.find(' '); space != token.npos; space = token.find(' ')) token.replace(space, 1, "▁");
    vocab[token] = tokens.size();
    tokens.emplace_back(score, token);
  }
  std::stable_sort(tokens.begin(), tokens.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  json merges = json::array();
  for (const auto& [score, token] : tokens) {
    for (size_t cut = 1; cut < token.size(); ++cut) {
      const std::string left = token.substr(0, cut), right = token.substr(cut);
      if (vocab.contains(left) && vocab.contains(right) && !token.starts_with("<")) merges.push_back({left, right});
    }
  }
  return json{{"added_tokens", {special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")}},
              {"normalizer",
               {{"type", "Sequence"},
                {"normalizers",
                 {{{"type", "Prepend"}, {"prepend", "▁"}},
                  {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}}}}}},
              {"post_processor",
               {{"type", "TemplateProcessing"},
                {"single", {{{"SpecialToken", {{"id", "<s>"}}}}, {{"Sequence", {{"id", "A"}}}}}},
                {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {1}}}}}}}},
              {"decoder",
               {{"type", "Sequence"},
                {"decoders",
                 {{{"type", "Replace"}, {"pattern", {{"String", "▁"}}}, {"content", " "}},
                  {{"type", "ByteFallback"}},
                  {{"type", "Fuse"}},
                  {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}}}}},
              {"model",
               {{"type", "BPE"},
                {"unk_token", "<unk>"},
                {"byte_fallback", true},
                {"fuse_unk", true},
                {"vocab", vocab},
                {"merges", merges}}}};
}

// A text of every kind of character, by a fixed seed.
std::string mixed_text(size_t count) {
  std::mt19937 random(3);
  const char* parts[] = {" ",  "the", " of", "\n", "é",   "你",        "🙂", "42",
                         "'s", "  ",  "\t",  "▁",  "<s>", "e\xCC\x81", "नमस्ते", "\xEF\xBF\xBD"};
  std::string text;
  for (size_t i = 0; i < count; ++i) text += parts[random() % std::size(parts)];
  return text;
}

}  // namespace

TEST_CASE("GPT-2 tokenizes as llama.cpp's tests expect") {
  const auto file = gpt2();
  if (!file) return;
  const auto tokenizer = open(*file);
  const auto cases = llama_cpp_cases("gpt-2");
  CHECK(cases.size() > 30);
  for (const auto& row : cases) {
    CAPTURE(row.text);
    CHECK(encode(*tokenizer, row.text) == row.ids);
    CHECK(tokenizer->decode(row.ids) == row.text);
    CHECK(stream(*tokenizer, row.ids) == row.text);
  }
  CHECK(tokenizer->vocab_size() == 50257);
  CHECK(tokenizer->eos() == 50256);
  CHECK_FALSE(tokenizer->bos());
  CHECK(tokenizer->token_bytes(447) == "\xE2\x80");
}

TEST_CASE("GPT-2 gives back a whole book, byte by byte") {
  const auto file = gpt2();
  const auto book = test_data("real/texts/tinyshakespeare/input.txt");
  if (!file || !book) return;
  const auto tokenizer = open(*file);
  const std::string text = read_file(*book);
  const Ids ids = encode(*tokenizer, text);
  CHECK(ids.size() == 338025);  // tiktoken's "gpt2" on the same file (nanoGPT's data/shakespeare: 301,966 + 36,059)
  CHECK(tokenizer->decode(ids) == text);
}

TEST_CASE("a word of a million bytes does not take a million squared steps") {
  const auto file = gpt2();
  if (!file) return;
  const auto tokenizer = open(*file);
  const std::string text(1000000, 'a');
  const Ids ids = encode(*tokenizer, text);
  CHECK(tokenizer->decode(ids) == text);
}

TEST_CASE("BERT tokenizes from vocab.txt as llama.cpp's tests expect") {
  const auto folder = test_data("real/tokenizers/bert-base-uncased");
  if (!folder) return;
  const auto tokenizer = open(*folder);
  for (const auto& row : llama_cpp_cases("bert-bge")) {
    CAPTURE(row.text);
    CHECK(encode(*tokenizer, row.text, false) == row.ids);
  }
  CHECK(encode(*tokenizer, "Hello, [MASK]!") == Ids{101, 7592, 1010, 103, 999, 102});
  CHECK(tokenizer->decode(Ids{101, 7592, 1010, 2088, 999, 102}) == "hello, world!");
  CHECK(tokenizer->bos() == 101);
  CHECK(tokenizer->eos() == 102);
  CHECK(tokenizer->vocab_size() == 30522);
}

TEST_CASE("BERT finds the ids of real questions again in their decoded text") {
  const auto folder = test_data("real/tokenizers/bert-base-uncased");
  if (!folder) return;
  const auto tokenizer = open(*folder);
  const auto questions = json::parse(read_file(*folder / "tokenized_questions.json")).get<std::vector<Ids>>();
  REQUIRE(questions.size() > 1000);
  for (const Ids& ids : questions) {
    const std::string text = tokenizer->decode(ids);
    if (stream(*tokenizer, ids) != text) FAIL(text);
    if (std::find(ids.begin(), ids.end(), 100) != ids.end()) continue;  // [UNK] leaves no text
    if (encode(*tokenizer, text, false) != ids) FAIL(text);
  }
}

TEST_CASE("stories260k's greedy ids give the text that numpy's give") {
  const auto file = stories260k();
  const auto expected = test_data("real/stories260k/EXPECTED.txt");
  if (!file || !expected) return;
  const auto tokenizer = open(*file);
  std::istringstream lines(read_file(*expected));
  std::string line, text;
  std::getline(lines, line);
  std::getline(lines, line);
  std::istringstream numbers(line);
  const Ids ids(std::istream_iterator<int64_t>(numbers), {});
  std::getline(lines, line);
  std::getline(lines, text, '\0');
  REQUIRE(ids.size() > 100);
  if (text.ends_with('\n')) text.pop_back();
  CHECK(tokenizer->decode(ids) == text);
  CHECK(stream(*tokenizer, ids) == text);
  CHECK(encode(*tokenizer, text) == ids);
  CHECK(tokenizer->bos() == 1);
  CHECK(tokenizer->eos() == 2);
  const std::string mixed = mixed_text(300);
  const Ids mixed_ids = encode(*tokenizer, mixed);
  CHECK(stream(*tokenizer, mixed_ids) == tokenizer->decode(mixed_ids));
}

TEST_CASE("streaming random ids gives what decoding gives") {
  const auto bytes = gpt2(), pieces = stories260k();
  const auto bert = test_data("real/tokenizers/bert-base-uncased");
  if (!bytes || !pieces || !bert) return;
  std::mt19937 random(1);
  for (const auto& tokenizer : {open(*bytes), open(*pieces), open(*bert)}) {
    for (int round = 0; round < 200; ++round) {
      Ids ids;
      for (int i = 0; i < 20; ++i)
        ids.push_back(static_cast<int64_t>(random() % static_cast<uint64_t>(tokenizer->vocab_size() + 3)) - 1);
      CHECK(stream(*tokenizer, ids) == tokenizer->decode(ids));
    }
  }
}

TEST_CASE("a stream holds back half a character, and begins anew after its end") {
  const auto file = gpt2();
  if (!file) return;
  const auto tokenizer = open(*file);
  const Ids ids = encode(*tokenizer, "é🙂");
  TextStream stream(*tokenizer);
  std::string text;
  for (const int64_t id : ids) text += stream.push(id);
  CHECK(text == "é🙂");
  CHECK(stream.finish() == "");
  for (size_t i = 0; i + 1 < ids.size(); ++i) stream.push(ids[i]);
  CHECK(stream.finish() == "\uFFFD");
  CHECK(stream.push(50256) == "");
  CHECK(stream.push(15496) == "Hello");
}

namespace {

// Letters, one merge, bytes <0x00> to <0xFF> and an unknown token.
json small_bpe() {
  json vocab = {{"<unk>", 0}, {"a", 1}, {"b", 2}, {"ab", 3}, {"▁", 4}, {"▁ab", 5}, {"abab", 6}};
  return {{"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", {"a b", "▁ ab", "ab ab"}}}}};
}

}  // namespace

TEST_CASE("BPE spells what its vocabulary lacks as its options say") {
  const struct {
    const char* what;
    json options;
    const char* text;
    Ids expected;
  } cases[] = {
      {"no unknown token: dropped", json::object(), "axb", {3}},
      {"unknown token", {{"unk_token", "<unk>"}}, "axyb", {1, 0, 0, 2}},
      {"unknown tokens fused", {{"unk_token", "<unk>"}, {"fuse_unk", true}}, "axyb", {1, 0, 2}},
      {"lowest rank first, then leftmost", json::object(), "▁abab", {5, 3}},
      {"leftmost of equal rank", json::object(), "ababab", {6, 3}},
      {"whole words first", {{"ignore_merges", true}, {"merges", json::array()}}, "abab", {6}},
      {"merges as pairs", {{"merges", json::array({json::array({"a", "b"})})}}, "abab", {3, 3}},
      {"bytes, where all are there", {{"byte_fallback", true}, {"unk_token", "<unk>"}}, "é", {0}},
  };
  for (const auto& row : cases) {
    CAPTURE(row.what);
    json file = small_bpe();
    file["model"].update(row.options);
    CHECK(encode(*open(file), row.text) == row.expected);
  }
}

TEST_CASE("added tokens are cut out as their flags say") {
  const struct {
    const char* what;
    json flags;
    const char* text;
    Ids expected;
  } cases[] = {
      {"anywhere", json::object(), "ab<t>ab", {3, 9, 3}},
      {"longest of two", {{"content", "<t><t>"}}, "<t><t>", {9}},
      {"takes space before", {{"lstrip", true}}, "ab  <t>  ab", {3, 9, 4, 4, 3}},
      {"takes space behind", {{"rstrip", true}}, "ab  <t>  ab", {3, 4, 4, 9, 3}},
      {"whole words only, by the vocabulary's id",
       {{"content", "b"}, {"single_word", true}},
       "b ab b",
       {2, 4, 3, 4, 2}},
  };
  for (const auto& row : cases) {
    CAPTURE(row.what);
    json file = small_bpe(), token = {{"id", 9}, {"content", "<t>"}, {"special", false}, {"normalized", false}};
    token.update(row.flags);
    file["added_tokens"] = json::array({token});
    file["normalizer"] = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}};
    file["model"]["merges"] = {"a b"};
    CHECK(encode(*open(file), row.text) == row.expected);
  }
}

TEST_CASE("special tokens leave no trace in text unless asked for") {
  json file = small_bpe();
  file["added_tokens"] = {special(7, "<s>"), special(8, "</s>")};
  file["decoder"] = {{"type", "Fuse"}};
  file["post_processor"] = {{"type", "RobertaProcessing"}, {"cls", {"<s>", 7}}, {"sep", {"</s>", 8}}};
  const auto tokenizer = open(file);
  CHECK(encode(*tokenizer, "ab</s>") == Ids{7, 3, 8, 8});
  CHECK(tokenizer->decode(Ids{7, 3, 8, 99, -1}) == "ab");
  CHECK(tokenizer->decode(Ids{7, 3, 8}, false) == "<s>ab</s>");
  CHECK(tokenizer->is_special(8));
  CHECK_FALSE(tokenizer->is_special(3));
  CHECK(tokenizer->find("ab") == 3);
  CHECK(tokenizer->vocab_size() == 9);
  CHECK(encode(*tokenizer, "", false).empty());
}

TEST_CASE("what begins and ends a text comes from the files beside the tokenizer first") {
  json file = small_bpe();
  file["added_tokens"] = {special(7, "<s>"), special(8, "</s>")};
  ModelFolder folder;
  folder.write("tokenizer.json", file.dump());
  CHECK(open(folder.path())->bos() == 7);
  CHECK(open(folder.path())->eos() == 8);
  folder.write("tokenizer_config.json", R"({"bos_token": {"content": "a"}, "eos_token": "b"})");
  CHECK(open(folder.path())->bos() == 1);
  CHECK(open(folder.path())->eos() == 2);
  folder.write("config.json", R"({"bos_token_id": 4, "eos_token_id": 5, "pad_token_id": null})");
  CHECK(open(folder.path())->bos() == 4);
  CHECK(open(folder.path())->eos() == 5);
  folder.write("genai_config.json", R"({"model": {"bos_token_id": 5, "eos_token_id": [6, 1]}, "search": {}})");
  CHECK(open(folder.path())->bos() == 5);
  CHECK(open(folder.path())->eos() == 6);
  CHECK(open(folder.path())->ends_text(1));
  folder.write("generation_config.json", R"({"bos_token_id": 3, "eos_token_id": [4, 5]})");
  const auto tokenizer = open(folder.path());
  CHECK(tokenizer->bos() == 3);
  CHECK(tokenizer->eos() == 4);
  CHECK(tokenizer->ends_text(5));
  CHECK_FALSE(tokenizer->ends_text(2));
}

TEST_CASE("how long a text may be comes from the files beside the tokenizer") {
  ModelFolder folder;
  const auto read = [&] {
    const auto context = read_context(folder.path());
    REQUIRE(context);
    return *context ? (*context)->source + " " + std::to_string((*context)->tokens) : "";
  };
  CHECK(read() == "");
  folder.write("config.json", R"({"text_config": {"max_position_embeddings": 7}})");
  CHECK(read() == "config.json: text_config.max_position_embeddings 7");
  folder.write("config.json", R"({"n_positions": 9})");
  CHECK(read() == "config.json: n_positions 9");
  folder.write("genai_config.json", R"({"model": {"context_length": 8}})");
  CHECK(read() == "genai_config.json: model.context_length 8");
  folder.write("genai_config.json", R"({"model": {"context_length": "8"}})");
  CHECK(read_context(folder.path()).error().message.find("genai_config.json: model.context_length") !=
        std::string::npos);
}

}  // namespace heed::text
