// Whether a kernel may use an instruction set: what the machine has and what the option "cpu.isa" allows.
#include <algorithm>

#include "isa.hpp"

namespace heed::cpu {
namespace {

// "scalar, avx2 or avx512" of those for which `belongs`.
std::string list_of(std::string_view last_word, bool (*belongs)(Isa)) {
  std::vector<std::string_view> names;
  for (const Isa isa : every_isa)
    if (belongs(isa)) names.push_back(name_of(isa));
  std::string list;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) list += i + 1 < names.size() ? ", " : " " + std::string(last_word) + " ";
    list += names[i];
  }
  return list;
}

}  // namespace

Result<void> require_isa(const Planning& node, Isa isa) {
  heed_text option{};
  if (host->prepare_option(node.c(), to_c("cpu.isa"), &option)) {
    const auto* chosen =
        std::find_if(std::begin(every_isa), std::end(every_isa), [&](Isa named) { return from_c(option) == name_of(named); });
    if (chosen == std::end(every_isa))
      return Error{Code::invalid_argument, "option cpu.isa is '" + std::string(from_c(option)) + "'; expected " +
                                               list_of("or", [](Isa) { return true; })};
    if (!machine_has(*chosen))
      return Error{Code::invalid_argument, "option cpu.isa is " + std::string(name_of(*chosen)) +
                                               ", which this machine lacks; it has " + list_of("and", machine_has)};
    if (*chosen < isa) return decline("option cpu.isa is " + std::string(name_of(*chosen)));
  }
  if (!machine_has(isa)) return decline("this machine has no " + std::string(name_of(isa)));
  return {};
}

}  // namespace heed::cpu
