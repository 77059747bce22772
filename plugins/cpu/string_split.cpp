// StringSplit: each text cut at its delimiters, or at white space where there is none.
#include "heed/plugin.hpp"

namespace heed::cpu {
namespace {

constexpr std::string_view white_space = " \t\n\r\v\f";

// At most `most` cuts; what is left is the last piece.
std::vector<std::string_view> split(std::string_view text, std::string_view delimiter, int64_t most) {
  std::vector<std::string_view> pieces;
  if (!delimiter.empty()) {
    for (int64_t cut = 0; cut < most; ++cut) {
      const size_t at = text.find(delimiter);
      if (at == text.npos) break;
      pieces.push_back(text.substr(0, at));
      text.remove_prefix(at + delimiter.size());
    }
    pieces.push_back(text);
    return pieces;
  }
  for (int64_t cut = 0;; ++cut) {
    const size_t begin = text.find_first_not_of(white_space);
    if (begin == text.npos) return pieces;
    text.remove_prefix(begin);
    const size_t end = cut < most ? text.find_first_of(white_space) : text.npos;
    // White space behind the last piece belongs to none.
    pieces.push_back(end == text.npos ? text.substr(0, text.find_last_not_of(white_space) + 1) : text.substr(0, end));
    if (end == text.npos) return pieces;
    text.remove_prefix(end);
  }
}

Result<void> run(Running& run) {
  const auto x = run.input(0);
  const auto delimiter = run.text("delimiter");
  const int64_t most = run.integer("maxsplit", std::numeric_limits<int64_t>::max());
  std::vector<std::vector<std::string_view>> pieces;
  size_t longest = 0;
  for (const heed_text text : x.as<heed_text>()) {
    pieces.push_back(split(from_c(text), delimiter, most));
    longest = std::max(longest, pieces.back().size());
  }
  std::vector<int64_t> dims(x.dims().begin(), x.dims().end());
  HEED_ASSIGN(const auto counts, run.allocate(1, dims));
  dims.push_back(static_cast<int64_t>(longest));
  HEED_ASSIGN(const auto y, run.allocate(0, dims));
  for (size_t i = 0; i < pieces.size(); ++i) {
    counts.data<int64_t>()[i] = static_cast<int64_t>(pieces[i].size());
    for (size_t k = 0; k < longest; ++k)
      y.data<heed_text>()[i * longest + k] =
          run.store_text(0, k < pieces[i].size() ? pieces[i][k] : std::string_view());
  }
  return {};
}

}  // namespace

extern const CpuKernel string_split{.op_type = "StringSplit", .run = run};

}  // namespace heed::cpu
