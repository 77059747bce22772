// How much memory tensors may take.
#include "base/memory_budget.hpp"

#include <cstdlib>
#include <utility>

namespace heed {
namespace {

thread_local std::shared_ptr<MemoryBudget> budget_of_thread;

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
  if (budget && !budget->take(size_bytes)) return nullptr;
  void* memory = allocate(size_bytes);
  if (!memory) {
    if (budget) budget->give_back(size_bytes);
    return nullptr;
  }
  if (!budget) return {memory, std::free};
  return {memory, [budget, size_bytes](void* held) {
            std::free(held);
            budget->give_back(size_bytes);
          }};
}

std::string memory_limit_note() {
  if (!budget_of_thread) return {};
  return " within the limit of " + std::to_string(budget_of_thread->limit_bytes()) + " bytes";
}

}  // namespace heed
