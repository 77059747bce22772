// How much memory tensors may take.
#include "base/memory_budget.hpp"

#include <cstdlib>
#include <utility>

namespace heed {
namespace {

thread_local std::shared_ptr<MemoryBudget> budget_of_thread;

// What a tensor takes beside its elements: its value, dims, strides, and what counts its owners.
constexpr size_t tensor_overhead_bytes = 256;

}  // namespace

bool MemoryBudget::take(size_t size_bytes) {
  size_t held = held_bytes_.load(std::memory_order_relaxed);
  do {
    if (size_bytes > limit_bytes_ || held > limit_bytes_ - size_bytes) return false;
  } while (!held_bytes_.compare_exchange_weak(held, held + size_bytes, std::memory_order_relaxed));
  return true;
}

MemoryBudget::Scope::Scope(std::shared_ptr<MemoryBudget> budget)
    : before_(std::exchange(budget_of_thread, std::move(budget))) {}

MemoryBudget::Scope::~Scope() { budget_of_thread = std::move(before_); }

std::shared_ptr<void> allocate_counted(size_t size_bytes, void* (*allocate)(size_t size_bytes)) {
  const std::shared_ptr<MemoryBudget> budget = budget_of_thread;
  const size_t counted_bytes = size_bytes + tensor_overhead_bytes;
  if (budget && !budget->take(counted_bytes)) return nullptr;
  void* memory = allocate(size_bytes);
  if (!memory) {
    if (budget) budget->give_back(counted_bytes);
    return nullptr;
  }
  if (!budget) return {memory, std::free};
  return {memory, [budget, counted_bytes](void* held) {
            std::free(held);
            budget->give_back(counted_bytes);
          }};
}

std::string memory_limit_note() {
  if (!budget_of_thread) return {};
  return " within the limit of " + std::to_string(budget_of_thread->limit_bytes()) + " bytes";
}

}  // namespace heed
