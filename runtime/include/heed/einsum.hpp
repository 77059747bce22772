// The equation of Einsum, read: for its contract, what rewrites it, and its kernels.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "heed/result.hpp"

namespace heed {

// A label for each axis: letters, then the axes of the ellipsis, which end together in all terms.
struct EinsumEquation {
  std::vector<std::vector<int32_t>> inputs;
  std::vector<int32_t> output;
  int32_t label_count = 0;
};

namespace detail {

constexpr int32_t ellipsis_label = 52;  // of its first axis

// The labels of a term of `rank` axes, of which the ellipsis takes what letters leave; -1: as many as `ellipsis_rank`.
inline Result<std::vector<int32_t>> einsum_labels(std::string_view term, int32_t rank, int32_t ellipsis_rank) {
  const auto fail = [&](const std::string& what) {
    return Error{Code::invalid_model, "term '" + std::string(term) + "' of the equation " + what};
  };
  std::vector<int32_t> labels;
  size_t ellipsis = term.npos;
  for (size_t i = 0; i < term.size(); ++i) {
    const char c = term[i];
    if (c >= 'A' && c <= 'Z') {
      labels.push_back(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      labels.push_back(c - 'a' + 26);
    } else if (term.substr(i, 3) == "..." && ellipsis == term.npos) {
      ellipsis = labels.size();
      i += 2;
    } else {
      return fail(std::string("has '") + c + "' where a letter or one '...' is expected");
    }
  }
  const auto letters = static_cast<int32_t>(labels.size());
  const bool fits = rank < 0 || (ellipsis == term.npos ? letters == rank : letters <= rank);
  if (!fits) return fail("has " + std::to_string(letters) + " letters; its input has rank " + std::to_string(rank));
  if (ellipsis == term.npos) return labels;
  const int32_t own = rank < 0 ? ellipsis_rank : rank - letters;
  for (int32_t axis = 0; axis < own; ++axis)
    labels.insert(labels.begin() + static_cast<int32_t>(ellipsis) + axis, ellipsis_label + ellipsis_rank - own + axis);
  return labels;
}

}  // namespace detail

// "ij,jk->ik" for inputs of these ranks. Without "->" the output has the ellipsis, then the letters that stand once, in
// order. Fails with invalid_model.
inline Result<EinsumEquation> parse_einsum(std::string_view equation, const std::vector<int32_t>& ranks) {
  std::string text(equation);
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  const size_t arrow = text.find("->");
  std::vector<std::string> terms(1);
  for (const char c : text.substr(0, arrow)) {
    if (c == ',')
      terms.emplace_back();
    else
      terms.back().push_back(c);
  }
  if (terms.size() != ranks.size())
    return Error{Code::invalid_model, "the equation '" + text + "' has " + std::to_string(terms.size()) +
                                          " terms for " + std::to_string(ranks.size()) + " inputs"};
  int32_t ellipsis_rank = 0;
  for (size_t k = 0; k < terms.size(); ++k)
    if (terms[k].find("...") != std::string::npos)
      ellipsis_rank = std::max(ellipsis_rank, ranks[k] - static_cast<int32_t>(terms[k].size()) + 3);
  EinsumEquation read;
  read.label_count = detail::ellipsis_label + ellipsis_rank;
  std::vector<int32_t> uses(static_cast<size_t>(read.label_count), 0);
  for (size_t k = 0; k < terms.size(); ++k) {
    HEED_ASSIGN(auto labels, detail::einsum_labels(terms[k], ranks[k], ellipsis_rank));
    for (const int32_t label : labels) ++uses[static_cast<size_t>(label)];
    read.inputs.push_back(std::move(labels));
  }
  if (arrow == std::string::npos) {
    for (int32_t axis = 0; axis < ellipsis_rank; ++axis) read.output.push_back(detail::ellipsis_label + axis);
    for (int32_t letter = 0; letter < detail::ellipsis_label; ++letter)
      if (uses[static_cast<size_t>(letter)] == 1) read.output.push_back(letter);
    return read;
  }
  HEED_ASSIGN(read.output, detail::einsum_labels(std::string_view(text).substr(arrow + 2), -1, ellipsis_rank));
  for (const int32_t label : read.output)
    if ((label < detail::ellipsis_label && uses[static_cast<size_t>(label)] == 0) ||
        std::count(read.output.begin(), read.output.end(), label) > 1)
      return Error{Code::invalid_model,
                   "the output of the equation '" + text + "' has a letter twice, or one that no input has"};
  return read;
}

}  // namespace heed
