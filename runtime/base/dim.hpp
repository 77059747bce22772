// The owner of symbolic sizes: symbols, interned expressions, and how they become numbers.
// The arithmetic itself is on heed::Dim (include/heed/dim.hpp).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "heed/dim.hpp"
#include "heed/result.hpp"

namespace heed {

// For containers keyed by Dim.
struct DimHash {
  size_t operator()(Dim dim) const {
    return (static_cast<uint64_t>(dim.c_dim().number) * 0x9E3779B97F4A7C15u) ^ (dim.c_dim().expression >> 4);
  }
};

// A size that is known when inputs are bound, or during a run.
struct DimSymbol {
  std::string name;
  uint32_t index = 0;  // in its pool, and in the symbol values of evaluate and DimProgram::run
  int64_t lower = 0, upper = INT64_MAX;
};

// Owns the symbols and expressions of one graph, and lives as long as it. Not thread-safe. Never combine Dims of two
// pools: carry them over with substitute.
class DimPool {
 public:
  DimPool();
  ~DimPool();
  DimPool(const DimPool&) = delete;
  DimPool& operator=(const DimPool&) = delete;

  // The symbol of this name; bounds count when it is new (lower <= upper).
  Dim symbol(std::string_view name, int64_t lower = 0, int64_t upper = INT64_MAX);
  // A symbol that is equal to no other: named `hint`, or hint_2, hint_3... where that is taken.
  Dim fresh_symbol(std::string_view hint, int64_t lower = 0, int64_t upper = INT64_MAX);

  uint32_t symbol_count() const;
  const DimSymbol& symbol_info(uint32_t index) const;
  // The Dim that is this symbol alone.
  Dim symbol_dim(uint32_t index);
  // Null where there is no symbol of this name.
  const DimSymbol* find_symbol(std::string_view name) const;

  struct Store;
  Store& store() { return *store_; }

 private:
  std::unique_ptr<Store> store_;
};

// The symbol that a Dim is, where it is one and nothing else.
const DimSymbol* as_symbol(Dim dim);

// Indices of the symbols that occur in it, ascending.
std::vector<uint32_t> symbols_of(Dim dim);

// Reads what to_string writes, and the dialects met in models: + - * // ** floor(a/b) ceil(a/b) trunc(a/b) mod(a, b)
// min max broadcast select less equal, Max Min Mod. A text that is no such expression is a symbol of that name
// ("batch-size", "unk__12", "sequence length"); a minus needs spaces around it. Fails on an empty text, and on an
// expression that is unknown (overflow, division by zero).
Result<Dim> parse_dim(DimPool& pool, std::string_view text);

// What a model's dim_param stands for: parse_dim's answer where that depends on a symbol, else a symbol of that name
// ("-1" and "0" are names there). An empty text is a fresh symbol.
Dim dim_of_param(DimPool& pool, std::string_view text);

// The number that a Dim stands for, given the values of its pool's symbols by index. Fails with shape_mismatch on a
// broadcast that does not fit, with invalid_argument on overflow, division by zero or a missing value, and names the
// expression and the values of its symbols.
Result<int64_t> evaluate(Dim dim, std::span<const int64_t> symbol_values);

// The same Dim with symbol i replaced by by_symbol[i], in the pool of the replacements. Every symbol that occurs
// needs one, or the result is unknown.
Dim substitute(Dim dim, std::span<const Dim> by_symbol);

struct SolvedSymbol {
  uint32_t symbol = 0;
  int64_t value = 0;
};

// Which value of the one symbol that is not known yet makes `dim` equal to `value`: for `seq`, `past + 1`, `2*n`, and
// `past + seq` where past is known. Null where dim is not linear in exactly one unknown symbol, or the answer is no
// integer. Bounds are the caller's to check.
std::optional<SolvedSymbol> solve_for_symbol(Dim dim, int64_t value,
                                             std::span<const std::optional<int64_t>> known = {});

// Many Dims of one pool turned into numbers at once: flat code, each shared part computed once, nothing allocated in
// run. The pool must outlive it. run is re-entrant.
class DimProgram {
 public:
  // The slot that will hold this Dim's number; equal Dims share one. `dim` is not unknown.
  uint32_t add(Dim dim);

  // How many slots run fills: those of add, and those of intermediate results.
  uint32_t slot_count() const { return slots_used_; }

  // Computes all that was added. slots has at least slot_count elements. Errors as those of evaluate; a branch of a
  // select that is not taken cannot fail.
  Result<void> run(std::span<const int64_t> symbol_values, std::span<int64_t> slots) const;

  // Indices of the symbols whose values run reads, ascending.
  const std::vector<uint32_t>& required_symbols() const { return required_symbols_; }

 private:
  struct Instruction {
    uint8_t operation;
    uint32_t destination, a, b;
    int64_t immediate;
  };
  uint32_t compile(Dim dim);
  uint32_t compile_monomial(const void* monomial);
  uint32_t compile_atom(const void* atom);
  uint32_t emit(uint8_t operation, uint32_t a, uint32_t b, int64_t immediate = 0);
  Result<void> run_each(std::span<const int64_t> symbol_values, std::span<int64_t> slots) const;

  std::vector<Instruction> code_;
  std::unordered_map<Dim, uint32_t, DimHash> slot_of_dim_;
  std::unordered_map<const void*, uint32_t> slot_of_part_;
  std::vector<std::pair<Dim, uint32_t>> added_;
  std::vector<bool> slot_was_added_;
  std::vector<uint32_t> required_symbols_;
  uint32_t slots_used_ = 0;
};

}  // namespace heed
