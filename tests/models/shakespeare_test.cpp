// The shipped GPT: its loss on text it never saw, as PyTorch computed it; and all of it on the GPU.
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "session/load.hpp"
#include "test_data.hpp"
#include "text/tokenizer.hpp"

namespace heed::test {
namespace {

const std::vector<std::pair<std::string, std::string>> filled = {{"session.fill", "nan"}};

// The sum of -ln p of tokens[first ..] of a window, given all before each.
double loss_of(std::span<const float> logits, std::span<const int64_t> tokens, size_t first) {
  const size_t vocab = logits.size() / tokens.size();
  double sum = 0;
  for (size_t i = std::max<size_t>(first, 1); i < tokens.size(); ++i) {
    const auto row = logits.subspan((i - 1) * vocab, vocab);
    double largest = row[0], total = 0;
    for (const float logit : row) largest = std::max<double>(largest, logit);
    for (const float logit : row) total += std::exp(logit - largest);
    sum += largest + std::log(total) - row[static_cast<size_t>(tokens[i])];
  }
  return sum;
}

}  // namespace

TEST_CASE("shakespeare's loss per character on the last tenth of the text is PyTorch's") {
  const auto text_file = test_data("real/texts/tinyshakespeare/input.txt");
  if (!text_file) return;
  const std::filesystem::path folder = std::filesystem::path(HEED_SOURCE_FOLDER) / "models" / "shakespeare";
  const auto expected = nlohmann::json::parse(std::ifstream(folder / "validation.json"));
  std::stringstream whole;
  whole << std::ifstream(*text_file).rdbuf();
  const std::string text = whole.str().substr(expected["text_begin_byte"].get<size_t>());
  const auto tokenizer = take(text::Tokenizer::open(folder));
  const auto tokens = take(tokenizer->encode(text));
  REQUIRE(tokens.size() == expected["tokens"].get<size_t>());
  REQUIRE(text.size() == expected["characters"].get<size_t>());

  const auto model = take(Model::load(folder / "model.onnx", registry(), {.device = "cpu", .kernel_options = filled}));
  const auto session = take(Session::create(model));
  const size_t window = expected["window"], stride = expected["stride"];
  double sum = 0;
  for (size_t begin = 0; begin == 0 || begin + (window - stride) < tokens.size(); begin += stride) {
    const auto part = std::span(tokens).subspan(begin, std::min(window, tokens.size() - begin));
    session->reset_states();
    const auto outputs =
        take(session->run({{"input_ids", i64({1, static_cast<int64_t>(part.size())}, {part.begin(), part.end()})}}));
    sum += loss_of(outputs[0].second.tensor.as<float>(), part, begin == 0 ? 0 : window - stride);
  }
  const double nats = sum / static_cast<double>(text.size());
  CHECK(nats == Approx(expected["nats_per_character"].get<double>()).margin(1e-4));
  CHECK(nats <= 1.65);
}

TEST_CASE("shakespeare runs wholly on Vulkan: one submission a token, recorded once, and the CPU's text") {
  if (devices().size() < 2) return;
  const std::filesystem::path file = std::filesystem::path(HEED_SOURCE_FOLDER) / "models" / "shakespeare" / "model.onnx";
  constexpr int token_count = 12;
  const auto write = [&](Session& session) {
    std::vector<int64_t> ids{1, 2, 3};
    for (int i = 0; i < token_count; ++i) {
      const auto count = i == 0 ? ids.size() : 1;
      const std::vector<int64_t> fresh(ids.end() - static_cast<std::ptrdiff_t>(count), ids.end());
      const auto logits = take(session.run({{"input_ids", i64({1, static_cast<int64_t>(count)}, fresh)}}))[0].second;
      const auto last = logits.tensor.as<float>().last(static_cast<size_t>(logits.tensor.dims[2]));
      ids.push_back(std::max_element(last.begin(), last.end()) - last.begin());
    }
    return ids;
  };
  const auto on_cpu = take(Session::create(take(Model::load(file, registry(), {.device = "cpu", .kernel_options = filled}))));
  const auto on_gpu = take(Session::create(take(Model::load(file, registry(), {.device = "vulkan", .require_gpu = true, .kernel_options = filled}))));
  CHECK(write(*on_gpu) == write(*on_cpu));
  CHECK(on_gpu->submission_count() == token_count);
  CHECK(on_gpu->recorded_count() <= 3);  // the prompt, and the tokens behind it as places of the arena settle
}

}  // namespace heed::test
