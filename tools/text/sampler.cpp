// Choosing the next token. The build contracts no multiply and add, so that every machine rounds alike.
#include "text/sampler.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

namespace heed::text {
namespace {

// e^x for x <= 0, to about 1 ulp: 2^k e^r with |r| <= ln 2 / 2 and the Taylor series of e^r to r^13.
double exp_not_positive(double x) {
  if (x < -700) return 0;
  constexpr double log2_e = 1.4426950408889634, ln2_high = 6.93147180369123816490e-01,
                   ln2_low = 1.90821492927058770002e-10;
  const double k = std::floor(x * log2_e + 0.5);
  const double r = (x - k * ln2_high) - k * ln2_low;
  double sum = 1;
  for (int n = 13; n > 0; --n) sum = 1 + sum * r / n;
  return std::ldexp(sum, static_cast<int>(k));
}

}  // namespace

Pcg32::Pcg32(uint64_t seed, uint64_t sequence) : state_(0), increment_(sequence << 1 | 1) {
  next();
  state_ += seed;
  next();
}

uint32_t Pcg32::next() {
  const uint64_t old = state_;
  state_ = old * 6364136223846793005u + increment_;
  const auto shifted = static_cast<uint32_t>((old >> 18 ^ old) >> 27);
  const auto turn = static_cast<uint32_t>(old >> 59);
  return shifted >> turn | shifted << (-turn & 31);
}

double Pcg32::next_unit() {
  const uint64_t high = next(), low = next();
  return static_cast<double>((high << 32 | low) >> 11) * 0x1p-53;
}

Sampler::Sampler(const SamplerOptions& options) : options_(options), random_(options.seed) {}

Result<Sampler> Sampler::create(const SamplerOptions& options) {
  const auto wrong = [](const std::string& what) { return Error{Code::invalid_argument, what}; };
  if (!(options.temperature >= 0) || std::isinf(options.temperature)) {
    return wrong("the temperature is " + std::to_string(options.temperature) + "; expected 0 (greedy) or more");
  }
  if (options.top_k < 0) return wrong("top_k is " + std::to_string(options.top_k) + "; expected 0 (all) or more");
  if (!(options.top_p > 0 && options.top_p <= 1)) {
    return wrong("top_p is " + std::to_string(options.top_p) + "; expected more than 0, at most 1");
  }
  if (!(options.min_p >= 0 && options.min_p <= 1)) {
    return wrong("min_p is " + std::to_string(options.min_p) + "; expected 0 (all) to 1");
  }
  if (!(options.repetition_penalty > 0) || std::isinf(options.repetition_penalty)) {
    return wrong("the repetition penalty is " + std::to_string(options.repetition_penalty) +
                 "; expected more than 0, and 1 for none");
  }
  return Sampler(options);
}

// The logits with those of the text's tokens made less likely, each once.
std::span<const float> Sampler::penalise(std::span<const float> logits, std::span<const int64_t> text) {
  if (options_.repetition_penalty == 1) return logits;
  penalised_.assign(logits.begin(), logits.end());
  for (const int64_t id : text) {
    if (id < 0 || static_cast<size_t>(id) >= logits.size()) continue;
    const double logit = logits[static_cast<size_t>(id)], penalty = options_.repetition_penalty;
    penalised_[static_cast<size_t>(id)] = static_cast<float>(logit > 0 ? logit / penalty : logit * penalty);
  }
  return penalised_;
}

Result<int64_t> Sampler::choose(std::span<const float> given, std::span<const int64_t> text) {
  const auto logits = penalise(given, text);
  const auto wrong = [](const std::string& what) { return Error{Code::invalid_argument, what}; };
  if (logits.empty()) return wrong("there are no logits to choose from");
  if (logits.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) return wrong("more than 2^31 logits");
  size_t best = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(logits[i]) || (std::isinf(logits[i]) && logits[i] > 0)) {
      return wrong("the logit of token " + std::to_string(i) + " is " + (std::isnan(logits[i]) ? "NaN" : "+inf") +
                   ": the model's numbers went out of range");
    }
    if (logits[i] > logits[best]) best = i;
  }
  if (std::isinf(logits[best])) return wrong("all logits are -inf: no token may be chosen");
  if (options_.temperature == 0 || options_.top_k == 1) return static_cast<int64_t>(best);

  ids_.resize(logits.size());
  std::iota(ids_.begin(), ids_.end(), 0);
  const auto before = [&](int32_t a, int32_t b) {
    const float left = logits[static_cast<size_t>(a)], right = logits[static_cast<size_t>(b)];
    return left != right ? left > right : a < b;
  };
  if (options_.top_k > 0 && static_cast<uint64_t>(options_.top_k) < ids_.size()) {
    std::nth_element(ids_.begin(), ids_.begin() + options_.top_k, ids_.end(), before);
    ids_.resize(static_cast<size_t>(options_.top_k));
    std::sort(ids_.begin(), ids_.end(), before);
  }
  const auto weight = [&](int32_t id) {
    return exp_not_positive((double{logits[static_cast<size_t>(id)]} - double{logits[best]}) / options_.temperature);
  };
  weights_.clear();
  double sum = 0;
  for (const int32_t id : ids_) sum += weights_.emplace_back(weight(id));

  if (options_.top_p < 1) {
    // Only as many are ordered as are kept.
    const auto behind = [&](int32_t a, int32_t b) { return before(b, a); };
    std::make_heap(ids_.begin(), ids_.end(), behind);
    const double enough = options_.top_p * sum;
    std::vector<int32_t> kept;
    weights_.clear();
    sum = 0;
    while (!ids_.empty() && sum < enough) {
      std::pop_heap(ids_.begin(), ids_.end(), behind);
      kept.push_back(ids_.back());
      ids_.pop_back();
      sum += weights_.emplace_back(weight(kept.back()));
    }
    ids_ = std::move(kept);
  }
  if (options_.min_p > 0) {  // the likeliest weighs 1
    sum = 0;
    for (double& w : weights_) sum += w = w < options_.min_p ? 0 : w;
  }
  double left = random_.next_unit() * sum;
  size_t chosen = 0;
  for (size_t i = 0; i < ids_.size(); ++i) {
    if (weights_[i] == 0) continue;
    chosen = i;
    left -= weights_[i];
    if (left < 0) break;
  }
  return static_cast<int64_t>(ids_[chosen]);
}

}  // namespace heed::text
