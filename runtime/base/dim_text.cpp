// Dims as people read and write them: "past + seq", "2*n", "ceil(n/2)", "max(a, b)".
#include <algorithm>
#include <charconv>
#include <optional>
#include <tuple>
#include <utility>

#include "base/dim.hpp"
#include "base/dim_expression.hpp"

namespace heed {
namespace {

// --- Writing ---

bool starts_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool continues_name(char c) { return starts_name(c) || is_digit(c) || c == '.'; }

bool is_plain_name(std::string_view name) {
  return !name.empty() && starts_name(name.front()) && std::all_of(name.begin(), name.end(), continues_name);
}

std::string quoted(std::string_view name) {
  std::string text = "'";
  for (const char c : name) {
    text += c;
    if (c == '\'') text += c;
  }
  return text + "'";
}

// A coefficient and what it multiplies.
struct Part {
  int64_t coefficient;
  std::string text;  // empty for the constant
  uint32_t degree;
  bool is_plain;  // symbols alone
};

std::string write(const DimTerms& terms, const DimPool::Store& store);

std::string write(Dim dim) {
  return dim.is_expression() ? write(expression_of(dim).terms, *expression_of(dim).store) : to_string(dim);
}

// In parentheses where an operator beside it would take it apart.
std::string write_operand(std::string text, std::string_view separators) {
  int depth = 0;
  bool in_quotes = false;
  for (const char c : text) {
    if (c == '\'') in_quotes = !in_quotes;
    if (in_quotes) continue;
    depth += (c == '(') - (c == ')');
    if (depth == 0 && separators.find(c) != std::string_view::npos) return "(" + text + ")";
  }
  return text;
}

std::string write_quotient(std::string_view function, std::string numerator, std::string divisor) {
  return std::string(function) + "(" + write_operand(std::move(numerator), "+- ") + "/" +
         write_operand(std::move(divisor), "+-*/ ") + ")";
}

DimTerms negated(DimTerms terms) {
  for (DimTerm& term : terms) term.coefficient = static_cast<int64_t>(0 - static_cast<uint64_t>(term.coefficient));
  return terms;
}

bool all_negative(const DimTerms& terms) {
  return std::all_of(terms.begin(), terms.end(), [](const DimTerm& term) { return term.coefficient < 0; });
}

std::string write_list(std::string_view function, const std::vector<std::string>& operands) {
  std::string text(function);
  for (size_t i = 0; i < operands.size(); ++i) text += (i == 0 ? "(" : ", ") + operands[i];
  return text + ")";
}

// less(a, b) for b - a > 0: what is subtracted goes to the left.
std::string write_comparison(std::string_view function, const DimTerms& difference, const DimPool::Store& store) {
  DimTerms left, right;
  for (const DimTerm& term : difference) (term.coefficient < 0 ? left : right).push_back(term);
  return write_list(function, {write(negated(left), store), write(right, store)});
}

// The sign is changed where the text states the opposite: -floor(-a/b) is ceil(a/b).
std::string write_atom(const DimAtom& atom, const DimPool::Store& store, bool& is_negated) {
  is_negated = false;
  const auto& operands = atom.operands;
  switch (atom.kind) {
    case DimAtomKind::symbol: {
      const std::string& name = store.symbols[atom.symbol].name;
      return is_plain_name(name) ? name : quoted(name);
    }
    case DimAtomKind::floor_divide: {
      const Dim divisor = operands[1];
      if (operands[0].is_expression()) {
        DimTerms numerator = expression_of(operands[0]).terms;
        if (all_negative(numerator)) {
          is_negated = true;
          return write_quotient("ceil", write(negated(numerator), store), write(divisor));
        }
        // floor((n + c - 1)/c) = ceil(n/c).
        const DimTerm last = numerator.back();
        if (divisor.is_number() && last.monomial->degree == 0 && last.coefficient == divisor.number() - 1) {
          numerator.pop_back();
          return write_quotient("ceil", write(numerator, store), write(divisor));
        }
      }
      return write_quotient("floor", write(operands[0]), write(divisor));
    }
    case DimAtomKind::truncate_divide:
      return write_quotient("trunc", write(operands[0]), write(operands[1]));
    case DimAtomKind::min:
    case DimAtomKind::max:
    case DimAtomKind::broadcast: {
      std::vector<std::string> texts;
      for (const Dim operand : operands) texts.push_back(write(operand));
      std::sort(texts.begin(), texts.end());
      return write_list(atom.kind == DimAtomKind::min   ? "min"
                        : atom.kind == DimAtomKind::max ? "max"
                                                        : "broadcast",
                        texts);
    }
    case DimAtomKind::positive:
      return write_comparison("less", expression_of(operands[0]).terms, store);
    case DimAtomKind::zero:
      return write_comparison("equal", expression_of(operands[0]).terms, store);
    case DimAtomKind::select:
      return write_list("select", {write(operands[0]), write(operands[1]), write(operands[2])});
  }
  return "?";
}

// Takes k*x - k*d*floor(x/d) out of the terms for a positive k, and writes it as k*mod(x, d).
std::optional<Part> take_modulo(DimTerms& terms) {
  for (size_t i = 0; i < terms.size(); ++i) {
    const DimTerm term = terms[i];
    for (const DimFactor& factor : term.monomial->factors) {
      if (factor.atom->kind != DimAtomKind::floor_divide || factor.power != 1) continue;
      const Dim numerator = factor.atom->operands[0], divisor = factor.atom->operands[1];
      if (!numerator.is_expression()) continue;
      // The other factors must be those of the divisor.
      std::vector<DimFactor> others;
      for (const DimFactor& other : term.monomial->factors) {
        if (other.atom != factor.atom) others.push_back(other);
      }
      int64_t divisor_coefficient = 0;
      if (divisor.is_number()) {
        if (!others.empty()) continue;
        divisor_coefficient = divisor.number();
      } else {
        const DimTerms& divisor_terms = expression_of(divisor).terms;
        if (divisor_terms.size() != 1 || divisor_terms[0].monomial->factors != others) continue;
        divisor_coefficient = divisor_terms[0].coefficient;
      }
      if (term.coefficient == INT64_MIN || term.coefficient % divisor_coefficient != 0) continue;
      const int64_t scale = -(term.coefficient / divisor_coefficient);
      if (scale <= 0) continue;
      DimTerms rest = terms;
      rest.erase(rest.begin() + static_cast<ptrdiff_t>(i));
      bool fits = true;
      for (const DimTerm& wanted : expression_of(numerator).terms) {
        int64_t coefficient = 0;
        fits = fits && !__builtin_mul_overflow(wanted.coefficient, scale, &coefficient);
        const auto found = std::find(rest.begin(), rest.end(), DimTerm{coefficient, wanted.monomial});
        fits = fits && found != rest.end();
        if (!fits) break;
        rest.erase(found);
      }
      if (!fits) continue;
      terms = std::move(rest);
      return Part{scale, write_list("mod", {write(numerator), write(divisor)}), 1, false};
    }
  }
  return {};
}

std::string write(const DimTerms& all_terms, const DimPool::Store& store) {
  DimTerms terms = all_terms;
  std::vector<Part> parts;
  while (auto part = take_modulo(terms)) parts.push_back(std::move(*part));
  for (const DimTerm& term : terms) {
    Part part{term.coefficient, "", term.monomial->degree, true};
    std::vector<std::string> factors;
    for (const DimFactor& factor : term.monomial->factors) {
      bool is_negated = false;
      std::string text = write_atom(*factor.atom, store, is_negated);
      if (is_negated && factor.power % 2 == 1) {
        part.coefficient = static_cast<int64_t>(0 - static_cast<uint64_t>(part.coefficient));
      }
      if (factor.power == 2) text += "*" + text;
      if (factor.power > 2) text += "**" + std::to_string(factor.power);
      if (factor.atom->kind != DimAtomKind::symbol) part.is_plain = false;
      factors.push_back(std::move(text));
    }
    std::sort(factors.begin(), factors.end());
    for (const std::string& factor : factors) part.text += (part.text.empty() ? "" : "*") + factor;
    parts.push_back(std::move(part));
  }
  if (parts.empty()) return "0";
  // The constant last; what is subtracted after what is added; symbols before functions; products before sums.
  std::stable_sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
    const auto key = [](const Part& part) {
      return std::tuple(part.coefficient < 0, part.text.empty(), !part.is_plain, ~part.degree,
                        std::string_view(part.text));
    };
    return key(a) < key(b);
  });
  std::string text;
  for (const Part& part : parts) {
    const bool is_negative = part.coefficient < 0;
    std::string number = std::to_string(part.coefficient);
    if (is_negative) number.erase(0, 1);
    if (!text.empty()) {
      text += is_negative ? " - " : " + ";
    } else if (is_negative) {
      text += "-";
    }
    if (part.text.empty()) {
      text += number;
    } else {
      text += (number == "1" ? "" : number + "*") + part.text;
    }
  }
  return text;
}

// --- Reading ---

constexpr size_t max_text_size = 4096;
constexpr int max_nesting = 64;

// Reads sums of products of fractions, as symbolic algebra systems write them too: floor(n/2 - 1/2).
class Reader {
 public:
  Reader(DimPool& pool, std::string_view text) : pool_(pool), text_(text) {}

  // Null where the text is no expression. The Dim may be unknown.
  std::optional<Dim> read() {
    if (text_.size() > max_text_size) return {};
    const auto value = read_sum(0);
    skip_spaces();
    if (!value || position_ != text_.size()) return {};
    return whole(*value);
  }

 private:
  struct Fraction {
    Dim numerator, divisor = 1;
  };
  using Value = std::optional<Fraction>;

  static std::optional<Dim> whole(const Fraction& value) {
    if (value.divisor == Dim(1) || value.numerator.is_unknown()) return value.numerator;
    const Dim quotient = floor_divide(value.numerator, value.divisor);
    if (quotient * value.divisor == value.numerator) return quotient;
    return {};
  }

  Value read_sum(int depth) {
    Value sum = read_product(depth);
    while (sum) {
      skip_spaces();
      const bool space_before = position_ > 0 && text_[position_ - 1] == ' ';
      const bool is_minus = !at_end() && text_[position_] == '-';
      if (!is_minus && (at_end() || text_[position_] != '+')) return sum;
      ++position_;
      // "batch-size" is a name.
      if (is_minus && !(space_before && !at_end() && text_[position_] == ' ')) return {};
      const Value next = read_product(depth);
      if (!next) return {};
      const Dim left = sum->numerator * next->divisor, right = next->numerator * sum->divisor;
      sum = Fraction{is_minus ? left - right : left + right, sum->divisor * next->divisor};
    }
    return sum;
  }

  Value read_product(int depth) {
    Value product = read_power(depth);
    while (product) {
      skip_spaces();
      const bool is_floor = take("//");
      const bool is_division = is_floor || take("/");
      const bool is_modulo = !is_division && take("%");
      if (!is_division && !is_modulo && !take("*")) return product;
      const Value next = read_power(depth);
      if (!next) return {};
      if (is_modulo) {
        const auto a = whole(*product), b = whole(*next);
        if (!a || !b) return {};
        product = Fraction{modulo(*a, *b)};
      } else if (is_division) {
        product = Fraction{product->numerator * next->divisor, product->divisor * next->numerator};
        if (is_floor) product = Fraction{floor_divide(product->numerator, product->divisor)};
      } else {
        product = Fraction{product->numerator * next->numerator, product->divisor * next->divisor};
      }
    }
    return product;
  }

  Value read_power(int depth) {
    Value base = read_atom(depth);
    if (!base || !take("**")) return base;
    const Value exponent = read_atom(depth);
    if (!exponent || !(exponent->divisor == Dim(1)) || !exponent->numerator.is_number()) return {};
    const int64_t power = exponent->numerator.number();
    if (power < 0 || power > 64) return {};
    Fraction result{1};
    for (int64_t i = 0; i < power; ++i) {
      result = {result.numerator * base->numerator, result.divisor * base->divisor};
    }
    return result;
  }

  Value read_atom(int depth) {
    if (depth > max_nesting) return {};
    skip_spaces();
    if (at_end()) return {};
    const char c = text_[position_];
    if (c == '-') {
      ++position_;
      if (!at_end() && is_digit(text_[position_])) return read_number(true);
      const Value value = read_power(depth + 1);
      if (!value) return {};
      return Fraction{-value->numerator, value->divisor};
    }
    if (is_digit(c)) return read_number(false);
    if (take("(")) {
      const Value value = read_sum(depth + 1);
      skip_spaces();
      return take(")") ? value : Value{};
    }
    if (c == '\'') return read_quoted();
    if (!starts_name(c)) return {};
    const size_t begin = position_;
    while (!at_end() && continues_name(text_[position_])) ++position_;
    const std::string_view name = text_.substr(begin, position_ - begin);
    if (take("(")) return read_function(name, depth);
    return Fraction{pool_.symbol(name)};
  }

  Value read_number(bool is_negative) {
    const size_t begin = position_ - is_negative;
    while (!at_end() && is_digit(text_[position_])) ++position_;
    int64_t number = 0;
    const char* end = text_.data() + position_;
    const auto [stop, error] = std::from_chars(text_.data() + begin, end, number);
    if (error != std::errc() || stop != end) return {};
    return Fraction{number};
  }

  Value read_quoted() {
    std::string name;
    for (++position_; !at_end(); ++position_) {
      if (text_[position_] == '\'') {
        ++position_;
        if (at_end() || text_[position_] != '\'') return Fraction{pool_.symbol(name)};
      }
      name += text_[position_];
    }
    return {};
  }

  Value read_function(std::string_view name, int depth) {
    std::vector<Fraction> fractions;
    do {
      const Value value = read_sum(depth + 1);
      if (!value) return {};
      fractions.push_back(*value);
      skip_spaces();
    } while (take(","));
    if (!take(")")) return {};

    if (fractions.size() == 1) {
      const auto& [numerator, divisor] = fractions[0];
      if (name == "floor") return Fraction{floor_divide(numerator, divisor)};
      if (name == "ceil" || name == "ceiling") return Fraction{ceil_divide(numerator, divisor)};
      if (name == "trunc") return Fraction{truncate_divide(numerator, divisor)};
    }
    std::vector<Dim> operands;
    for (const Fraction& fraction : fractions) {
      const auto operand = whole(fraction);
      if (!operand) return {};
      operands.push_back(*operand);
    }
    const size_t count = operands.size();
    const auto reduce = [&](auto combine) {
      Dim result = operands[0];
      for (size_t i = 1; i < count; ++i) result = combine(result, operands[i]);
      return Fraction{result};
    };
    if (name == "max" || name == "Max") return reduce([](Dim a, Dim b) { return max(a, b); });
    if (name == "min" || name == "Min") return reduce([](Dim a, Dim b) { return min(a, b); });
    if (name == "broadcast") return reduce([](Dim a, Dim b) { return broadcast(a, b); });
    if (count == 2) {
      if (name == "mod" || name == "Mod" || name == "PythonMod") return Fraction{modulo(operands[0], operands[1])};
      if (name == "FloorDiv") return Fraction{floor_divide(operands[0], operands[1])};
      if (name == "CeilDiv") return Fraction{ceil_divide(operands[0], operands[1])};
      if (name == "less") return Fraction{less(operands[0], operands[1])};
      if (name == "equal") return Fraction{equal(operands[0], operands[1])};
    }
    if (count == 3 && name == "select") return Fraction{select(operands[0], operands[1], operands[2])};
    return {};
  }

  bool at_end() const { return position_ >= text_.size(); }

  void skip_spaces() {
    while (!at_end() && text_[position_] == ' ') ++position_;
  }

  // "*" is not the start of "**".
  bool take(std::string_view wanted) {
    if (!text_.substr(position_).starts_with(wanted)) return false;
    if (wanted == "*" && text_.substr(position_).starts_with("**")) return false;
    position_ += wanted.size();
    return true;
  }

  DimPool& pool_;
  std::string_view text_;
  size_t position_ = 0;
};

// Whether the text is an expression, tried where the symbols it names leave no trace.
bool is_expression(std::string_view text) {
  if (is_plain_name(text)) return true;
  DimPool scratch;
  return Reader(scratch, text).read().has_value();
}

}  // namespace

// A symbol alone is written as it is named, so that a shape shows what its model's author wrote.
std::string text_of(Dim dim) {
  if (const DimSymbol* symbol = as_symbol(dim)) {
    return symbol->name.empty() || (!is_plain_name(symbol->name) && is_expression(symbol->name)) ? quoted(symbol->name)
                                                                                                 : symbol->name;
  }
  return write(dim);
}

Result<Dim> parse_dim(DimPool& pool, std::string_view text) {
  if (text.empty()) return Error{Code::invalid_argument, "an empty text is no size"};
  if (!is_expression(text)) return pool.symbol(text);
  const Dim dim = *Reader(pool, text).read();
  if (dim.is_unknown()) {
    return Error{Code::invalid_argument, "the size '" + std::string(text.substr(0, 256)) +
                                             "' cannot be worked out: " + to_string(dim).substr(1)};
  }
  return dim;
}

Dim dim_of_param(DimPool& pool, std::string_view text) {
  if (text.empty()) return pool.fresh_symbol("unnamed");
  if (!is_expression(text)) return pool.symbol(text);
  const Dim dim = *Reader(pool, text).read();
  return dim.is_expression() ? dim : pool.symbol(text);
}

}  // namespace heed
