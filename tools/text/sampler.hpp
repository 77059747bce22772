// Sampler: from logits to the next token.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "heed/result.hpp"

namespace heed::text {

// PCG-XSH-RR with 64 bits of state (O'Neill 2014): the same numbers on every machine.
class Pcg32 {
 public:
  explicit Pcg32(uint64_t seed, uint64_t sequence = 54);
  uint32_t next();
  double next_unit();  // [0, 1), 53 random bits

 private:
  uint64_t state_, increment_;
};

struct SamplerOptions {
  double temperature = 0;  // 0: always the largest logit
  int64_t top_k = 0;       // only the k largest; 0: all
  double top_p = 1;        // only the fewest whose probabilities, temperature applied, reach p
  double min_p = 0;        // only those at least p times as likely as the likeliest, temperature applied
  // Divides the logits above 0 of tokens that a text has already, and multiplies those below (Keskar et al. 2019, CTRL,
  // as Hugging Face's transformers do it); 1: not at all.
  double repetition_penalty = 1;
  uint64_t seed = 0;

  // Whether the largest logit is all that counts.
  bool is_greedy() const { return temperature == 0 && repetition_penalty == 1; }
};

// Chooses by repetition penalty, temperature, top-k, top-p, then min-p, in double precision without libm: the same logits, options and number
// of earlier choices give the same token on every machine. For one thread.
class Sampler {
 public:
  // Errors: a temperature or top_k below 0, a top_p outside (0, 1], a min_p outside [0, 1], a repetition_penalty that is
  // not above 0.
  static Result<Sampler> create(const SamplerOptions& options);

  // logits: [vocab] f32; -inf excludes a token. Of equal logits the lowest id comes first. text: the ids so far, prompt
  // included; those that are none of the vocabulary are passed over.
  // Errors: no logits, NaN or +inf among them, all -inf.
  Result<int64_t> choose(std::span<const float> logits, std::span<const int64_t> text = {});

 private:
  explicit Sampler(const SamplerOptions& options);
  std::span<const float> penalise(std::span<const float> logits, std::span<const int64_t> text);

  SamplerOptions options_;
  Pcg32 random_;
  std::vector<float> penalised_;  // scratch
  std::vector<int32_t> ids_;      // scratch
  std::vector<double> weights_;   // scratch, beside ids_
};

}  // namespace heed::text
