// Choosing tokens: which, how often, and the same everywhere.
#include "text/sampler.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <map>

#include "text/stream.hpp"

namespace heed::text {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

std::map<int64_t, int> count_choices(const SamplerOptions& options, std::vector<float> logits, int count) {
  auto sampler = Sampler::create(options);
  REQUIRE(sampler);
  std::map<int64_t, int> counts;
  for (int i = 0; i < count; ++i) {
    const auto chosen = sampler->choose(logits);
    REQUIRE(chosen);
    ++counts[*chosen];
  }
  return counts;
}

}  // namespace

TEST_CASE("the generator gives the numbers of PCG's own demonstration") {
  Pcg32 random(42, 54);  // pcg32-demo, round 1
  for (const uint32_t expected : {0xa15c02b7u, 0x7b47f409u, 0xba1d3330u, 0x83d2f293u, 0xbfa4784bu, 0xcbed606eu}) {
    CHECK(random.next() == expected);
  }
}

TEST_CASE("greedy takes the largest logit, and of equal ones the lowest id") {
  const struct {
    std::vector<float> logits;
    int64_t expected;
  } cases[] = {{{1, 3, 2}, 1}, {{0, 7, 7, 7}, 1}, {{-infinity, -5, -infinity}, 1}, {{-0.0f, 0.0f}, 0}, {{4}, 0}};
  for (const auto& row : cases) {
    for (const SamplerOptions& options : {SamplerOptions{}, SamplerOptions{.temperature = 2, .top_k = 1},
                                          SamplerOptions{.temperature = 1, .top_p = 1e-9}}) {
      auto sampler = Sampler::create(options);
      REQUIRE(sampler);
      const auto chosen = sampler->choose(row.logits);
      REQUIRE(chosen);
      CHECK(*chosen == row.expected);
    }
  }
}

TEST_CASE("choices come as often as softmax says") {
  const std::vector<float> logits = {0.5f, -1, 2, 0, -infinity};
  constexpr int count = 40000;
  for (const double temperature : {0.5, 1.0, 3.0}) {
    const auto counts = count_choices({.temperature = temperature, .seed = 7}, logits, count);
    double sum = 0;
    for (const float logit : logits) sum += std::exp(logit / temperature);
    for (size_t i = 0; i < logits.size(); ++i) {
      const double p = std::exp(logits[i] / temperature) / sum;
      const auto met = counts.find(static_cast<int64_t>(i));
      const double share = met == counts.end() ? 0 : static_cast<double>(met->second) / count;
      CAPTURE(temperature, i);
      CHECK(std::abs(share - p) <= 5 * std::sqrt(p * (1 - p) / count));  // five standard deviations
    }
  }
}

TEST_CASE("top-k and top-p keep the largest only") {
  const std::vector<float> logits = {std::log(0.1f), std::log(0.4f), std::log(0.2f), std::log(0.3f)};
  const auto kept = [&](const SamplerOptions& options) {
    std::vector<int64_t> ids;
    for (const auto& [id, count] : count_choices(options, logits, 2000)) ids.push_back(id);
    return ids;
  };
  CHECK(kept({.temperature = 1, .top_k = 2}) == std::vector<int64_t>{1, 3});
  CHECK(kept({.temperature = 1, .top_k = 99}) == std::vector<int64_t>{0, 1, 2, 3});
  CHECK(kept({.temperature = 1, .top_p = 0.39}) == std::vector<int64_t>{1});
  CHECK(kept({.temperature = 1, .top_p = 0.5}) == std::vector<int64_t>{1, 3});
  CHECK(kept({.temperature = 1, .top_p = 0.95}) == std::vector<int64_t>{0, 1, 2, 3});
  CHECK(kept({.temperature = 1, .top_k = 3, .top_p = 0.75}) == std::vector<int64_t>{1, 3});
  CHECK(kept({.temperature = 0.1, .top_p = 0.9}) == std::vector<int64_t>{1});
}

TEST_CASE("min-p keeps what is likely enough beside the likeliest") {
  const std::vector<float> logits = {std::log(0.1f), std::log(0.4f), std::log(0.2f), std::log(0.3f)};
  const auto kept = [&](const SamplerOptions& options) {
    std::vector<int64_t> ids;
    for (const auto& [id, count] : count_choices(options, logits, 2000)) ids.push_back(id);
    return ids;
  };
  CHECK(kept({.temperature = 1, .min_p = 0.2}) == std::vector<int64_t>{0, 1, 2, 3});
  CHECK(kept({.temperature = 1, .min_p = 0.3}) == std::vector<int64_t>{1, 2, 3});
  CHECK(kept({.temperature = 1, .min_p = 0.6}) == std::vector<int64_t>{1, 3});
  CHECK(kept({.temperature = 1, .min_p = 1}) == std::vector<int64_t>{1});
  CHECK(kept({.temperature = 2, .min_p = 0.6}) == std::vector<int64_t>{1, 2, 3});  // sqrt(0.2 / 0.4) = 0.71
  CHECK(kept({.temperature = 1, .top_k = 2, .min_p = 0.1}) == std::vector<int64_t>{1, 3});
  CHECK(kept({.temperature = 1, .top_p = 0.5, .min_p = 0.1}) == std::vector<int64_t>{1, 3});
}

// By hand, after transformers' RepetitionPenaltyLogitsProcessor.
TEST_CASE("what a text has already becomes less likely, once however often it is there") {
  const struct {
    double penalty;
    std::vector<float> logits;
    std::vector<int64_t> text;
    int64_t expected;
  } cases[] = {
      {2, {1, 3, 2}, {}, 1},           {2, {1, 3, 2}, {1}, 2},      {2, {1, 3, 2}, {1, 2, 1}, 1},
      {1.2, {1, 3, 2}, {1}, 1},        {1.2, {1, 3, 2}, {1, 1}, 1}, {2, {-1, -3, -1.5f}, {0}, 2},
      {0.5, {1, 3, 2}, {2}, 2},        {0.5, {-3, -2}, {0}, 0},     {2, {1, 3, 2}, {-1, 3, 1 << 30}, 1},
      {2, {-infinity, -1}, {0, 1}, 1}, {2, {0, -1}, {0}, 0},
  };
  for (const auto& row : cases) {
    auto sampler = Sampler::create({.repetition_penalty = row.penalty});
    REQUIRE(sampler);
    const auto chosen = sampler->choose(row.logits, row.text);
    REQUIRE(chosen);
    CAPTURE(row.penalty, row.logits, row.text);
    CHECK(*chosen == row.expected);
  }
}

TEST_CASE("a text is let through up to a stop, whatever the pieces") {
  const struct {
    std::vector<std::string> stops;
    std::string text, shown;
    bool met;
  } cases[] = {
      {{}, "abc", "abc", false},           {{""}, "abc", "abc", false},
      {{"c"}, "abcd", "ab", true},         {{"bc"}, "abcd", "a", true},
      {{"aab"}, "aaab!", "a", true},       {{"aab"}, "aaaa", "aaaa", false},
      {{"xyz"}, "xyxyxyz", "xyxy", true},  {{"\n\n"}, "one\ntwo\n\nthree", "one\ntwo", true},
      {{"abcd", "c"}, "abcd", "ab", true}, {{"bcd", "abc"}, "abcd", "", true},
      {{"cd", "bcd"}, "abcd", "a", true},  {{"stop"}, "the st", "the st", false},
  };
  for (const auto& row : cases)
    for (size_t piece = 1; piece <= row.text.size(); ++piece) {
      StopAt stop(row.stops);
      std::string shown;
      for (size_t at = 0; at < row.text.size(); at += piece) {
        shown += stop.push(std::string_view(row.text).substr(at, piece));
        CHECK(row.shown.starts_with(shown));
      }
      shown += stop.finish();
      CAPTURE(row.stops, row.text, piece);
      CHECK(shown == row.shown);
      CHECK(stop.met() == row.met);
    }
}

// The numbers come from the same recipe in Python, with its math.exp.
TEST_CASE("the same seed gives the same choices, on every machine these") {
  std::vector<float> logits(1000);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>((i * 7919) % 1000) / 125.0f;
  const auto choices = [&](uint64_t seed) {
    auto sampler = Sampler::create({.temperature = 0.8, .top_k = 200, .top_p = 0.9, .seed = seed});
    REQUIRE(sampler);
    std::vector<int64_t> ids;
    for (int i = 0; i < 8; ++i) {
      const auto chosen = sampler->choose(logits);
      REQUIRE(chosen);
      ids.push_back(*chosen);
    }
    return ids;
  };
  CHECK(choices(1) == choices(1));
  CHECK(choices(1) != choices(2));
  CHECK(choices(1) == std::vector<int64_t>{865, 100, 260, 717, 852, 593, 692, 853});
}

TEST_CASE("logits and options out of range are errors") {
  auto sampler = Sampler::create({.temperature = 1});
  REQUIRE(sampler);
  const std::vector<float> bad[] = {{}, {1, std::nanf("")}, {infinity, 0}, {-infinity, -infinity}};
  for (const auto& logits : bad) CHECK_FALSE(sampler->choose(logits));
  CHECK(sampler->choose(std::vector<float>{0, std::nanf(""), 1}).error().message ==
        "the logit of token 1 is NaN: the model's numbers went out of range");
  const SamplerOptions wrong[] = {{.temperature = -1},
                                  {.temperature = NAN},
                                  {.temperature = INFINITY},
                                  {.top_k = -1},
                                  {.top_p = 0},
                                  {.top_p = 1.5},
                                  {.top_p = NAN},
                                  {.min_p = -0.1},
                                  {.min_p = 1.1},
                                  {.min_p = NAN},
                                  {.repetition_penalty = 0},
                                  {.repetition_penalty = -1},
                                  {.repetition_penalty = NAN},
                                  {.repetition_penalty = INFINITY}};
  for (const auto& options : wrong) CHECK_FALSE(Sampler::create(options));
}

TEST_CASE("temperatures near nothing stay greedy, and huge ones even") {
  CHECK(count_choices({.temperature = 1e-300}, {1, 2, 3}, 100) == std::map<int64_t, int>{{2, 100}});
  CHECK(count_choices({.temperature = 1e300}, {1, 2, 3}, 3000).size() == 3);
}

}  // namespace heed::text
