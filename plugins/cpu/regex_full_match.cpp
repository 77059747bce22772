// RegexFullMatch: by RE2, whose time grows with the text alone.
#include <re2/re2.h>

#include "heed/plugin.hpp"

namespace heed::cpu {
namespace {

Result<void> run(Running& run) {
  const auto x = run.input(0);
  const auto pattern = run.text("pattern");
  RE2::Options options;
  options.set_log_errors(false);
  const RE2 expression(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!expression.ok())
    return Error{Code::invalid_model, "attribute 'pattern' is '" + std::string(pattern) + "': " + expression.error()};
  HEED_ASSIGN(const auto y, run.allocate(0, x.dims()));
  for (int64_t i = 0; i < x.count(); ++i) {
    const auto text = from_c(x.data<heed_text>()[i]);
    y.data<uint8_t>()[i] = RE2::FullMatch(re2::StringPiece(text.data(), text.size()), expression);
  }
  return {};
}

}  // namespace

extern const CpuKernel regex_full_match{.op_type = "RegexFullMatch", .run = run};

}  // namespace heed::cpu
