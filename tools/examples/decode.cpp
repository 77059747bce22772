// decode MODEL COUNT TOKEN...: a decoder such as models/shakespeare goes on with these token ids, COUNT of them, each
// time the likeliest. The prompt is one run of its own; from then on the next token and its logits lie in two buffers
// that are bound once, and keys and values stay in the session as its states.
#include <algorithm>
#include <cstdlib>
#include <heed/heed.hpp>
#include <iostream>

namespace {

using heed::ArrayView;
using heed::Result;

int64_t likeliest(std::span<const float> logits) {
  return std::max_element(logits.begin(), logits.end()) - logits.begin();
}

Result<void> decode(const std::string& path, int64_t count, std::vector<int64_t> prompt) {
  HEED_ASSIGN(const heed::Model model, heed::Model::load(path));
  HEED_ASSIGN(heed::Session session, heed::Session::create(model));

  const std::vector<int64_t> prompt_dims{1, static_cast<int64_t>(prompt.size())};
  HEED_TRY(session.bind_input("input_ids", ArrayView(std::span(prompt), prompt_dims)));
  HEED_TRY(session.run());
  HEED_ASSIGN(const ArrayView logits, session.output("logits"));
  HEED_ASSIGN(const auto all, logits.as<float>());
  const size_t vocab = static_cast<size_t>(logits.dims[2]);

  std::vector<float> next_logits(all.end() - static_cast<ptrdiff_t>(vocab), all.end());
  std::vector<int64_t> token{0};
  const std::vector<int64_t> token_dims{1, 1}, logits_dims{1, 1, logits.dims[2]};
  HEED_TRY(session.bind_input("input_ids", ArrayView(std::span(token), token_dims)));
  HEED_TRY(session.bind_output("logits", ArrayView(std::span(next_logits), logits_dims)));
  for (int64_t i = 0; i < count; ++i) {
    token[0] = likeliest(next_logits);
    std::cout << token[0] << (i + 1 < count ? " " : "\n") << std::flush;
    if (i + 1 < count) HEED_TRY(session.run());
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: decode MODEL COUNT TOKEN...\n";
    return 2;
  }
  std::vector<int64_t> prompt;
  for (int i = 3; i < argc; ++i) prompt.push_back(std::atoll(argv[i]));
  const auto done = decode(argv[1], std::atoll(argv[2]), std::move(prompt));
  if (!done) std::cerr << "decode: " << done.error().message << "\n";
  return done ? 0 : 1;
}
