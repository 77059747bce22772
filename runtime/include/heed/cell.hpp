// The cells of recurrent layers: which functions they apply, as the text of an attribute says them.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "heed/result.hpp"

namespace heed {

// In the order of shaders/recurrence.comp.
enum class Activation : uint32_t {
  relu,
  tanh,
  sigmoid,
  affine,            // alpha x + beta
  leaky_relu,        // x < 0 ? alpha x : x
  thresholded_relu,  // x > alpha ? x : 0
  scaled_tanh,       // alpha tanh(beta x)
  hard_sigmoid,      // min(max(alpha x + beta, 0), 1)
  elu,               // x < 0 ? alpha (e^x - 1) : x
  softsign,          // x / (1 + |x|)
  softplus           // log(1 + e^x)
};

struct ActivationRule {
  std::string_view name;  // ONNX's, in small letters
  int32_t parameters;     // alpha, or alpha and beta
  float alpha, beta;      // where a model says nothing
};
inline constexpr ActivationRule activation_rules[] = {{"relu", 0, 0, 0},          {"tanh", 0, 0, 0},
                                                      {"sigmoid", 0, 0, 0},       {"affine", 2, 1, 0},
                                                      {"leakyrelu", 1, 0.01f, 0}, {"thresholdedrelu", 1, 1, 0},
                                                      {"scaledtanh", 2, 1, 1},    {"hardsigmoid", 2, 0.2f, 0.5f},
                                                      {"elu", 1, 1, 0},           {"softsign", 0, 0, 0},
                                                      {"softplus", 0, 0, 0}};

struct CellFunction {
  Activation activation = Activation::tanh;
  float alpha = 0, beta = 0;
};

// "sigmoid; tanh; hardsigmoid 0.2 0.5": one after the other, those of the first direction first.
inline std::string to_text(const std::vector<CellFunction>& functions) {
  std::string text;
  for (const auto& function : functions) {
    const auto& rule = activation_rules[static_cast<size_t>(function.activation)];
    text += (text.empty() ? "" : "; ") + std::string(rule.name);
    for (int32_t k = 0; k < rule.parameters; ++k) {
      char digits[32];
      const float parameter = k == 0 ? function.alpha : function.beta;
      text += ' ' + std::string(digits, std::to_chars(digits, digits + sizeof digits, parameter).ptr);
    }
  }
  return text;
}

inline Result<std::vector<CellFunction>> parse_cell_functions(std::string_view text) {
  const auto next = [](std::string_view& rest, char separator) {
    while (rest.starts_with(' ')) rest.remove_prefix(1);
    const auto word = rest.substr(0, rest.find(separator));
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    return word;
  };
  std::vector<CellFunction> functions;
  while (!text.empty()) {
    std::string_view function = next(text, ';');
    const auto name = next(function, ' ');
    const auto rule = std::find_if(std::begin(activation_rules), std::end(activation_rules),
                                   [&](const ActivationRule& r) { return r.name == name; });
    if (rule == std::end(activation_rules))
      return Error{Code::invalid_model, "'" + std::string(name) + "' is no function of a cell"};
    CellFunction parsed{static_cast<Activation>(rule - activation_rules), rule->alpha, rule->beta};
    for (float* parameter : {&parsed.alpha, &parsed.beta}) {
      const auto digits = next(function, ' ');
      if (digits.empty()) break;
      if (std::from_chars(digits.data(), digits.data() + digits.size(), *parameter).ec != std::errc{})
        return Error{Code::invalid_model, "'" + std::string(digits) + "' is no parameter of " + std::string(name)};
    }
    functions.push_back(parsed);
  }
  return functions;
}

}  // namespace heed
