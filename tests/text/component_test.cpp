// The parts of tokenizer.json one by one. Unless a row says otherwise, what is expected is what Hugging Face's
// tokenizers 0.23.3 gives.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "text/decode.hpp"
#include "text/field.hpp"
#include "text/normalize.hpp"
#include "text/split_words.hpp"

namespace heed::text {
namespace {

struct NormalizerCase {
  const char* json;
  std::string_view text, expected;
};

struct SplitCase {
  const char* json;
  std::string_view text;
  std::vector<std::string> expected;
};

struct DecodeCase {
  const char* json;
  std::vector<std::string> tokens;
  std::string expected;
};

const NormalizerCase normalizer_cases[] = {
    {R"({"type": "NFC"})", "e\314\201 Å", "é Å"},
    {R"({"type": "NFD"})", "é Å", "e\314\201 A\314\212"},
    {R"({"type": "NFKC"})", "ﬁ ① Å", "fi 1 Å"},
    {R"({"type": "NFKD"})", "ﬁ é ²", "fi e\314\201 2"},
    {R"({"type": "Lowercase"})", "ÀİΣ ΑΣ ß", "ài\314\207σ ασ ß"},
    {R"({"type": "StripAccents"})", "e\314\201a नमस्ते", "ea नमसत"},
    {R"({"type": "Strip", "strip_left": true, "strip_right": false})", " \343\200\200x \n", "x \n"},
    {R"({"type": "Strip", "strip_left": false, "strip_right": true})", " x\342\200\211 ", " x"},
    {R"({"type": "Strip", "strip_left": true, "strip_right": true})", " \t ", ""},
    {R"({"type": "Prepend", "prepend": "▁"})", "abc", "▁abc"},
    {R"({"type": "Prepend", "prepend": "▁"})", "", ""},
    {R"({"type": "Replace", "pattern": {"String": " "}, "content": "▁"})", " a  b", "▁a▁▁b"},
    {R"({"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "})", "a \n\343\200\200b  ", "a b "},
    {R"({"type": "Replace", "pattern": {"String": "aa"}, "content": "a"})", "aaaaa", "aaa"},
    {R"({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true})",
     std::string_view("Hé\342\200\213\000�llo\t你好\302\255 X\302\240Y", 27), "hello  你  好  x y"},
    {R"({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": false, "strip_accents": null, "lowercase": false})",
     "Hé\r\n你", "Hé  你"},
    {R"({"type": "BertNormalizer", "clean_text": false, "handle_chinese_chars": false, "strip_accents": true, "lowercase": false})",
     "Hé\t你", "He\t你"},
    {R"({"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}, {"type": "Lowercase"}]})",
     "ÉÀ Ç", "ea c"},
};

const SplitCase split_cases[] = {
    {R"({"type": "Whitespace"})",
     "Héllo, wörld!  it's  42² ½ नमस्ते\t你好\n",
     {"Héllo", ",", "wörld", "!", "it", "'", "s", "42", "²", "½", "नमस्ते", "你好"}},
    {R"({"type": "WhitespaceSplit"})",
     "Héllo, wörld!  it's  42² ½ नमस्ते\t你好\n",
     {"Héllo,", "wörld!", "it's", "42²", "½", "नमस्ते", "你好"}},
    {R"({"type": "BertPreTokenizer"})",
     "Héllo, wörld!  it's  42² ½ नमस्ते\t你好\n",
     {"Héllo", ",", "wörld", "!", "it", "'", "s", "42²", "½", "नमस्ते", "你好"}},
    {R"({"type": "Punctuation", "behavior": "Isolated"})", "a,,b!", {"a", ",", ",", "b", "!"}},
    {R"({"type": "Punctuation", "behavior": "Contiguous"})", "a,,b!$", {"a", ",,", "b", "!$"}},
    {R"({"type": "Digits", "individual_digits": true})", "a12½ⅫB", {"a", "1", "2", "½", "Ⅻ", "B"}},
    {R"({"type": "Digits", "individual_digits": false})", "a12½ⅫB", {"a", "12½Ⅻ", "B"}},
    {R"({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true})",
     "Héllo, wörld!  it's  42² ½ नमस्ते\t你好\n",
     {"HÃ©llo", ",", "ĠwÃ¶rld", "!", "Ġ", "Ġit", "'s", "Ġ", "Ġ42Â²", "ĠÂ½", "Ġà¤¨à¤®à¤¸", "à¥į", "à¤¤", "à¥ĩ", "ĉ",
      "ä½łå¥½", "Ċ"}},
    {R"({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true})",
     "we'll  go   ",
     {"Ġwe", "'ll", "Ġ", "Ġgo", "ĠĠĠ"}},
    {R"({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": false})",
     "é\n b",
     {"ĠÃ©ĊĠb"}},
    {R"({"type": "Split", "pattern": {"Regex": "\\s"}, "behavior": "Removed", "invert": false})",
     "a b  c ",
     {"a", "b", "c"}},
    {R"({"type": "Split", "pattern": {"Regex": "\\s"}, "behavior": "Isolated", "invert": false})",
     "a b  c ",
     {"a", " ", "b", " ", " ", "c", " "}},
    {R"({"type": "Split", "pattern": {"Regex": "\\s"}, "behavior": "MergedWithPrevious", "invert": false})",
     "a b  c ",
     {"a ", "b ", " ", "c "}},
    {R"({"type": "Split", "pattern": {"Regex": "\\s"}, "behavior": "MergedWithNext", "invert": false})",
     "a b  c ",
     {"a", " b", " ", " c", " "}},
    {R"({"type": "Split", "pattern": {"Regex": "\\s"}, "behavior": "Contiguous", "invert": false})",
     "a b  c ",
     {"a", " ", "b", "  ", "c", " "}},
    {R"({"type": "Split", "pattern": {"Regex": "[a-z]+"}, "behavior": "Removed", "invert": true})",
     "a1bc 2",
     {"a", "bc"}},
    {R"({"type": "Split", "pattern": {"Regex": "[a-z]"}, "behavior": "MergedWithPrevious", "invert": true})",
     "a1bc 2",
     {"a1", "b", "c 2"}},
    {R"({"type": "Split", "pattern": {"String": "."}, "behavior": "MergedWithNext", "invert": false})",
     "a.b..c",
     {"a", ".b", ".", ".c"}},
    {R"({"type": "Split", "pattern": {"Regex": "\\w+"}, "behavior": "Isolated", "invert": false})",
     "नमस्ते ½x-\341\240\216",
     {"नमस्ते", " ", "½x", "-\341\240\216"}},
    {R"({"type": "Split", "pattern": {"Regex": " ?[^(\\s|[.,!?…])]+"}, "behavior": "Isolated", "invert": false})",
     "a (b) c, d…",
     {"a", " (", "b", ")", " c", ",", " d", "…"}},
    {R"({"type": "Split", "pattern": {"Regex": "\\h+"}, "behavior": "Isolated", "invert": false})",
     "xyz1fG",
     {"xyz", "1f", "G"}},
    {R"({"type": "Split", "pattern": {"Regex": "^b$"}, "behavior": "Isolated", "invert": false})",
     "a\nb\nc",
     {"a\n", "b", "\nc"}},
    {R"({"type": "Split", "pattern": {"Regex": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}, "behavior": "Isolated", "invert": false})",
     "I'LL pay 12345 €!\n\n  ok",
     {"I", "'LL", " pay", " ", "123", "45", " €!\n\n", " ", " ok"}},
    {R"({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true})",
     "a  b c",
     {"▁a", "▁", "▁b", "▁c"}},
    {R"({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": false})", " a b", {"▁a▁b"}},
    {R"({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": true})",
     "a b ",
     {"a", "▁b", "▁"}},
    {R"({"type": "Metaspace", "replacement": "_", "prepend_scheme": "first", "split": true})", "a b", {"_a", "_b"}},
    {R"({"type": "Sequence", "pretokenizers": [{"type": "Whitespace"}, {"type": "Metaspace", "replacement": "_", "prepend_scheme": "first", "split": true}]})",
     "a b",
     {"_a", "b"}},
    {R"({"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "_", "prepend_scheme": "first", "split": true}]})",
     " a b",
     {"a", "b"}},
    {R"({"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true}, {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}]})",
     "in 2024 é",
     {"in", "Ġ", "2", "0", "2", "4", "ĠÃ©"}},
};

const DecodeCase decode_cases[] = {
    {R"(null)", {"a", "b"}, "a b"},
    {R"({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true})",
     {"Ġh", "Ã", "©", "Ċ"},
     " hé\n"},
    {R"({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true})",
     {"ð", "Ł", "x"},
     "�x"},
    {R"({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true})",
     {"a", "你好 b", "ł"},
     "a你好 b�"},
    {R"({"type": "WordPiece", "prefix": "##", "cleanup": true})",
     {"hel", "##lo", "!", "do", "n't", "##x"},
     "hello! don'tx"},
    {R"({"type": "WordPiece", "prefix": "##", "cleanup": false})", {"##a", "b", ".", "##c"}, "##a b .c"},
    {R"({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true})",
     {"▁a▁", "▁b", "c▁d"},
     "a bc d"},
    {R"({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": true})", {"▁a", "▁b"}, " a b"},
    {R"({"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})",
     {"▁▁Hi", "<0xE4>", "<0xBD>", "<0xA0>", "▁x"},
     " Hi你 x"},
    {R"({"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})",
     {"a", "<0xE5>", "<0xA5>", "b"},
     "a��b"},
    {R"({"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})",
     {"<0xFF>", "<0xFE>"},
     "��"},
    {R"({"type": "ByteFallback"})", {"<0x41>", "<0x4>", "<0xZZ>", "x"}, "A<0x4><0xZZ>x"},
    {R"({"type": "Strip", "content": "a", "start": 1, "stop": 2})", {"abcaaa", "xa", "baab"}, "bcaxbaab"},
    {R"({"type": "Replace", "pattern": {"Regex": "[0-9]+"}, "content": "#"})", {"a12", "3", "b"}, "a##b"},
    {R"({"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "Replace", "pattern": {"String": "abc"}, "content": "-"}]})",
     {"xa", "b", "cab", "dab", "c", "ab"},
     "x-abd-ab"},
    {R"({"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "Strip", "content": "_", "start": 1, "stop": 2}]})",
     {"__", "a_", "_", "b", "_", "__"},
     "_a__b_"},
};

}  // namespace

TEST_CASE("normalizers change texts as Hugging Face's do") {
  for (const auto& row : normalizer_cases) {
    CAPTURE(row.json, row.text);
    const auto json = nlohmann::json::parse(row.json);
    const auto normalizer = read_normalizer(Field(json, "normalizer"));
    REQUIRE(normalizer);
    const auto text = (*normalizer)(std::string(row.text));
    REQUIRE(text);
    CHECK(*text == row.expected);
  }
}

TEST_CASE("pre-tokenizers cut texts as Hugging Face's do") {
  for (const auto& row : split_cases) {
    CAPTURE(row.json, row.text);
    const auto json = nlohmann::json::parse(row.json);
    const auto split = read_pre_tokenizer(Field(json, "pre_tokenizer"));
    REQUIRE(split);
    Words whole;
    whole.starts_text = true;
    whole.add(row.text);
    const auto words = (*split)(whole);
    REQUIRE(words);
    std::vector<std::string> met;
    for (size_t i = 0; i < words->size(); ++i) met.emplace_back((*words)[i]);
    CHECK(met == row.expected);
  }
}

TEST_CASE("decoders join tokens as Hugging Face's do") {
  for (const auto& row : decode_cases) {
    CAPTURE(row.json, row.tokens);
    const auto json = nlohmann::json::parse(row.json);
    const auto decoder = read_decoder(Field(json, "decoder"));
    REQUIRE(decoder);
    Decoding decoding(*decoder);
    std::string text;
    for (const auto& token : row.tokens) text += decoding.push(token);
    text += decoding.finish();
    CHECK(text == row.expected);
  }
}

TEST_CASE("a run of byte tokens keeps its good characters, as SentencePiece's does") {
  const auto json = nlohmann::json::parse(R"({"type": "ByteFallback"})");
  const auto decoder = read_decoder(Field(json, "decoder"));
  REQUIRE(decoder);
  Decoding decoding(*decoder);
  std::string text;
  for (const char* token : {"<0xE4>", "<0xBD>", "<0xA0>", "<0xE5>", "<0x41>", "<0xF0>", "<0x9F>"})
    text += decoding.push(token);
  CHECK(text == "你\uFFFDA");
  CHECK(decoding.finish() == "\uFFFD\uFFFD");
}

TEST_CASE("a decoding gives text as soon as no later token can change it") {
  const auto json = nlohmann::json::parse(R"({"type": "Sequence", "decoders": [{"type": "Fuse"},
      {"type": "Replace", "pattern": {"String": "ab"}, "content": "-"},
      {"type": "Strip", "content": "_", "start": 0, "stop": 1}]})");
  const auto decoder = read_decoder(Field(json, "decoder"));
  REQUIRE(decoder);
  Decoding decoding(*decoder);
  CHECK(decoding.push("xa") == "x");
  CHECK(decoding.push("c_") == "ac");
  CHECK(decoding.push("_a") == "_");
  CHECK(decoding.push("b_") == "_-");
  CHECK(decoding.finish() == "");
}

TEST_CASE("an unknown part is an error that names it and lists what there is") {
  const auto json = nlohmann::json::parse(R"({"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Nmt"}]})");
  const auto normalizer = read_normalizer(Field(json, "normalizer"));
  REQUIRE_FALSE(normalizer);
  CHECK(normalizer.error().code == Code::unsupported);
  CHECK(normalizer.error().message ==
        "normalizer (Sequence).normalizers[1] is a normalizer of type 'Nmt'; supported: BertNormalizer, Lowercase, "
        "NFC, NFD, "
        "NFKC, NFKD, Prepend, Replace, Sequence, Strip, StripAccents");
}

}  // namespace heed::text
