// Files and texts that are wrong: each an error that a person can act on.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "model_folder.hpp"
#include "text/tokenizer.hpp"

namespace heed::text {
namespace {

std::string message(const std::string& tokenizer_json) {
  ModelFolder folder;
  const auto tokenizer = Tokenizer::open(folder.write("tokenizer.json", tokenizer_json).path());
  if (tokenizer) return "opened";
  const std::string& text = tokenizer.error().message;
  const size_t name = text.find("tokenizer.json");
  return name == text.npos ? "no file named: " + text : text.substr(name);
}

std::string with(const std::string& member) {
  return R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}, )" + member + "}";
}

}  // namespace

TEST_CASE("a broken tokenizer.json is told by the place that is wrong") {
  const struct {
    std::string json, expected;  // the start of the message
  } cases[] = {
      {"", "tokenizer.json: the file is empty"},
      {"hello", "tokenizer.json: not JSON: "},
      {"{\"model\": {", "tokenizer.json: not JSON: "},
      {"[1]", "tokenizer.json: the file is not a JSON object"},
      {"{}", "tokenizer.json: has no 'model'"},
      {"\"\xFF\"", "tokenizer.json: not JSON: "},
      {std::string(100000, '['), "tokenizer.json: nested deeper than 64 levels"},
      {R"({"model": 3})", "tokenizer.json: model is number; expected an object with 'type'"},
      {R"({"model": {"type": 3}})", "tokenizer.json: model.type is number; expected a string"},
      {R"({"model": {"type": "Unigram"}})",
       "tokenizer.json: model is a model of type 'Unigram'; supported: BPE, WordPiece"},
      {R"({"model": {"type": "BPE"}})", "tokenizer.json: model (BPE) has no 'vocab'"},
      {R"({"model": {"type": "BPE", "vocab": [], "merges": []}})",
       "tokenizer.json: model (BPE).vocab is not an object"},
      {R"({"model": {"type": "BPE", "vocab": {}, "merges": []}})", "tokenizer.json: model (BPE).vocab is empty"},
      {R"({"model": {"type": "BPE", "vocab": {"a": "x"}, "merges": []}})",
       "tokenizer.json: model (BPE).vocab['a'] is \"x\"; expected a"},
      {R"({"model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}})",
       "tokenizer.json: model (BPE).vocab: the token 'a' has the id -1"},
      {R"({"model": {"type": "BPE", "vocab": {"a": 4000000000}, "merges": []}})",
       "tokenizer.json: model (BPE).vocab: the token 'a' has the id 4000000000"},
      {R"({"model": {"type": "BPE", "vocab": {"a": 18446744073709551615}, "merges": []}})",
       "tokenizer.json: model (BPE).vocab['a'] is 18446744073709551615"},
      {R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}})",
       "tokenizer.json: model (BPE).merges[0] joins 'a' and 'b', but the vocabulary has no 'b'"},
      {R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a a"]}})",
       "tokenizer.json: model (BPE).merges[0] joins 'a' and 'a', but the vocabulary has no 'aa'"},
      {R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["aa"]}})",
       "tokenizer.json: model (BPE).merges[0]: the merge is 'aa'; expected two tokens"},
      {R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a"]]}})",
       "tokenizer.json: model (BPE).merges[0]: the merge has 1 parts"},
      {R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": {}}})",
       "tokenizer.json: model (BPE).merges is not an array"},
      {R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [], "dropout": 0.1}})",
       "tokenizer.json: model (BPE) has a dropout"},
      {R"({"model": {"type": "WordPiece", "vocab": {"a": 0}}})",
       "tokenizer.json: model (WordPiece) has the unk_token '[UNK]', which is not"},
      {with(R"("normalizer": {"type": "Precompiled"})"),
       "tokenizer.json: normalizer is a normalizer of type 'Precompiled'; supported: "},
      {with(R"("normalizer": [])"), "tokenizer.json: normalizer is array; expected an object with 'type'"},
      {with(R"("pre_tokenizer": {"type": "Split", "pattern": {"Regex": "("}})"),
       "tokenizer.json: pre_tokenizer (Split).pattern: the regular expression '(' cannot be compiled"},
      {with(R"("pre_tokenizer": {"type": "Split", "pattern": {}})"),
       "tokenizer.json: pre_tokenizer (Split).pattern has neither"},
      {with(R"("pre_tokenizer": {"type": "Split", "pattern": {"String": "a"}, "behavior": "Gone"})"),
       "tokenizer.json: pre_tokenizer (Split) has the behavior 'Gone'; expected Removed"},
      {with(R"("pre_tokenizer": {"type": "Metaspace", "replacement": ""})"),
       "tokenizer.json: pre_tokenizer (Metaspace).replacement is empty"},
      {with(R"("pre_tokenizer": {"type": "Metaspace", "prepend_scheme": "last"})"),
       "tokenizer.json: pre_tokenizer (Metaspace) has the prepend_scheme 'last'"},
      {with(R"("pre_tokenizer": {"type": "Digits", "individual_digits": 1})"),
       "tokenizer.json: pre_tokenizer (Digits).individual_digits is number; expected true or false"},
      {with(R"("decoder": {"type": "CTC"})"), "tokenizer.json: decoder is a decoder of type 'CTC'; supported: "},
      {with(R"("decoder": {"type": "Strip", "content": "ab", "start": 1, "stop": 0})"),
       "tokenizer.json: decoder (Strip).content is 'ab'; expected one character"},
      {with(R"("decoder": {"type": "Strip", "content": "a", "start": -1, "stop": 0})"),
       "tokenizer.json: decoder (Strip) strips a negative"},
      {with(R"("post_processor": {"type": "TemplateProcessing", "single": []})"),
       "tokenizer.json: post_processor (TemplateProcessing) has a 'single' template without"},
      {with(
           R"("post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}}], "special_tokens": {}})"),
       "tokenizer.json: post_processor (TemplateProcessing).special_tokens has no 'x'"},
      {with(R"("post_processor": {"type": "BertProcessing", "cls": ["x"], "sep": ["y", 1]})"),
       "tokenizer.json: post_processor (BertProcessing) has a 'cls' that is not"},
      {with(R"("added_tokens": {})"), "tokenizer.json: added_tokens is object; expected an array"},
      {with(R"("added_tokens": [{"content": "x"}])"), "tokenizer.json: added_tokens[0] has no 'id'"},
      {with(R"("added_tokens": [{"content": "x", "id": 99999999999}])"),
       "tokenizer.json: added_tokens[0].id is 99999999999; expected 0 to"},
      {with(R"("added_tokens": [{"id": 1, "content": ")" + std::string(5000, 'x') + "\"}]"),
       "tokenizer.json: added_tokens[0] has a content of 5000 bytes"},
  };
  for (const auto& row : cases) {
    CAPTURE(row.json.substr(0, 200));
    CHECK(message(row.json).substr(0, row.expected.size()) == row.expected);
  }
}

TEST_CASE("a folder without a tokenizer says what was looked for") {
  ModelFolder folder;
  const auto tokenizer = Tokenizer::open(folder.path());
  REQUIRE_FALSE(tokenizer);
  CHECK(tokenizer.error().code == Code::io);
  CHECK(tokenizer.error().message ==
        folder.path().string() +
            ": no tokenizer here: looked for tokenizer.json (Hugging Face's format) and vocab.txt (BERT's)");
}

TEST_CASE("what is no regular file is not read") {
  ModelFolder folder;
  std::filesystem::create_directory(folder.path() / "tokenizer.json");
  const auto tokenizer = Tokenizer::open(folder.path());
  REQUIRE_FALSE(tokenizer);
  CHECK(tokenizer.error().message.ends_with("tokenizer.json: not a regular file"));
}

TEST_CASE("a vocab.txt that is none of BERT's is refused") {
  const std::pair<const char*, const char*> cases[] = {{"a\nb\n", "vocab.txt: no line is '[UNK]'"},
                                                       {"", "vocab.txt: no line is '[UNK]'"},
                                                       {"[UNK]\n\xFF\n", "vocab.txt: line 2 is not UTF-8"}};
  for (const auto& [content, expected] : cases) {
    ModelFolder folder;
    const auto tokenizer = Tokenizer::open(folder.write("vocab.txt", content).path());
    REQUIRE_FALSE(tokenizer);
    CHECK(tokenizer.error().message.find(expected) != std::string::npos);
  }
}

TEST_CASE("broken files beside a tokenizer are errors too") {
  ModelFolder folder;
  folder.write("tokenizer.json", with(R"("decoder": null)"))
      .write("generation_config.json", R"({"eos_token_id": "x"})");
  const auto tokenizer = Tokenizer::open(folder.path());
  REQUIRE_FALSE(tokenizer);
  CHECK(tokenizer.error().message.find("generation_config.json: eos_token_id is \"x\"") != std::string::npos);
}

TEST_CASE("text that is not UTF-8 is an error that says where") {
  ModelFolder folder;
  const auto tokenizer = Tokenizer::open(folder.write("tokenizer.json", with(R"("decoder": null)")).path());
  REQUIRE(tokenizer);
  const auto ids = (*tokenizer)->encode("caf\xE9!");
  REQUIRE_FALSE(ids);
  CHECK(ids.error().message == "the text is not UTF-8: byte 0xE9 at offset 3; convert it (iconv -t UTF-8) first");
}

TEST_CASE("parts that let a text grow without end are stopped") {
  std::string steps;
  for (int i = 0; i < 60; ++i) steps += R"({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"},)";
  steps.pop_back();
  ModelFolder folder;
  folder.write("tokenizer.json", with(R"("normalizer": {"type": "Sequence", "normalizers": [)" + steps + "]}"));
  const auto tokenizer = Tokenizer::open(folder.path());
  REQUIRE(tokenizer);
  const auto ids = (*tokenizer)->encode(std::string(100000, 'a'));
  REQUIRE_FALSE(ids);
  CHECK(ids.error().code == Code::out_of_memory);
}

TEST_CASE("a decoder that lets a token grow without end is refused") {
  std::string steps;
  for (int i = 0; i < 60; ++i) steps += R"({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"},)";
  steps.pop_back();
  CHECK(message(with(R"("decoder": {"type": "Sequence", "decoders": [)" + steps + "]}")) ==
        "tokenizer.json: decoder (Sequence) makes texts more than 4096 times longer");
}

}  // namespace heed::text
