// Unique: sorts the slices, then groups equal neighbours. NaNs are equal, and come last.
#include <numeric>

#include "convert.hpp"
#include "pick.hpp"

namespace heed::cpu {
namespace {

template <class T>
bool less(const T& a, const T& b) {
  if constexpr (std::is_floating_point_v<T>) return a < b || (b != b && a == a);
  return a < b;
}

// Slice i of `item_count` along an axis is elements (outer, i, inner); as keys they lie one after the other.
template <class T, class Read>
std::vector<T> keys_of(int64_t outer_count, int64_t item_count, int64_t inner_count, Read read) {
  std::vector<T> keys;
  keys.reserve(static_cast<size_t>(outer_count * item_count * inner_count));
  for (int64_t item = 0; item < item_count; ++item)
    for (int64_t outer = 0; outer < outer_count; ++outer)
      for (int64_t inner = 0; inner < inner_count; ++inner)
        keys.push_back(read((outer * item_count + item) * inner_count + inner));
  return keys;
}

struct Groups {
  std::vector<int64_t> first, counts;  // of each group: its first item, and how many
  std::vector<int64_t> group_of;       // each item
};

template <class T>
Groups group(const std::vector<T>& keys, int64_t item_count, bool sorted) {
  const int64_t length = item_count == 0 ? 0 : static_cast<int64_t>(keys.size()) / item_count;
  const auto stands_before = [&](int64_t a, int64_t b) {
    const auto x = keys.begin() + a * length, y = keys.begin() + b * length;
    return std::lexicographical_compare(x, x + length, y, y + length, less<T>);
  };
  std::vector<int64_t> order(static_cast<size_t>(item_count));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), stands_before);

  Groups groups{.first = {}, .counts = {}, .group_of = std::vector<int64_t>(order.size())};
  for (size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || stands_before(order[i - 1], order[i])) {
      groups.first.push_back(order[i]);
      groups.counts.push_back(0);
    }
    ++groups.counts.back();
    groups.group_of[static_cast<size_t>(order[i])] = static_cast<int64_t>(groups.first.size()) - 1;
  }
  if (sorted) return groups;

  std::vector<int64_t> by_first(groups.first.size()), place(groups.first.size());
  std::iota(by_first.begin(), by_first.end(), 0);
  const auto at = [](const std::vector<int64_t>& list, int64_t i) { return list[static_cast<size_t>(i)]; };
  std::sort(by_first.begin(), by_first.end(),
            [&](int64_t a, int64_t b) { return at(groups.first, a) < at(groups.first, b); });
  Groups result{.first = {}, .counts = {}, .group_of = {}};
  for (const auto old : by_first) {
    place[static_cast<size_t>(old)] = static_cast<int64_t>(result.first.size());
    result.first.push_back(at(groups.first, old));
    result.counts.push_back(at(groups.counts, old));
  }
  for (const auto old : groups.group_of) result.group_of.push_back(at(place, old));
  return result;
}

Result<void> run(Running& run) {
  TensorView x = run.input(0);
  if (is_complex(x.element())) return Error{Code::unsupported, "complex numbers have no order"};
  const int64_t count = x.count();
  int32_t axis = 0;
  if (run.has_attribute("axis")) {
    HEED_ASSIGN(axis, run.axis("axis", x.rank()));
  } else {
    x.c.dims = &count;
    x.c.rank = 1;
  }
  const int64_t outer_count = x.count(0, axis), item_count = x.dim(axis), inner_count = x.count(axis + 1, x.rank());
  if (count == 0 && item_count > 0) {  // all are equal, and perhaps more than there is memory to compare
    HEED_TRY(pick_along(run, x, axis, {0}));
    for (int32_t output = 1; output <= 3; ++output) {
      if (!run.has_output(output)) continue;
      const int64_t length = output == 2 ? item_count : 1;
      HEED_ASSIGN(const auto out, run.allocate(output, {&length, 1}));
      std::fill_n(out.data<int64_t>(), length, output == 3 ? item_count : 0);
    }
    return {};
  }
  const bool sorted = run.integer("sorted", 1) != 0;
  Groups groups;
  if (x.element() == DataType::string) {
    const auto read = [&](int64_t i) { return from_c(x.data<const heed_text>()[i]); };
    groups = group(keys_of<std::string_view>(outer_count, item_count, inner_count, read), item_count, sorted);
  } else {
    dispatch(x.element(), [&]<class T>(T) {
      RowReader<T> reader(x);
      const T* values = reader.row(0, count);
      const auto read = [&](int64_t i) { return values[i]; };
      groups = group(keys_of<T>(outer_count, item_count, inner_count, read), item_count, sorted);
    });
  }

  HEED_TRY(pick_along(run, x, axis, groups.first));
  const std::vector<int64_t>* lists[] = {&groups.first, &groups.group_of, &groups.counts};
  for (int32_t output = 1; output <= 3; ++output) {
    if (!run.has_output(output)) continue;
    const auto& list = *lists[output - 1];
    const auto length = static_cast<int64_t>(list.size());
    HEED_ASSIGN(const auto out, run.allocate(output, {&length, 1}));
    std::copy(list.begin(), list.end(), out.data<int64_t>());
  }
  return {};
}

}  // namespace

extern const CpuKernel unique{.op_type = "Unique", .run = run};

}  // namespace heed::cpu
