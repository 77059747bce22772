// LinearAttention: for each position S *= exp(decay); v = beta * (v - S^T (erase_gate * k)); S += k v^T; y = scale *
// S^T q, S [key, value] being the state of a head, in f32 (f64 of f64).
#include <cmath>

#include "ranks.hpp"
#include "walk.hpp"

namespace heed::cpu {
namespace {

enum { query_input, key_input, value_input, past_input, decay_input, beta_input, erase_input };

template <class T>
void run_head(const Running& run, int64_t batch, int64_t head) {
  const auto query = run.input(query_input), key = run.input(key_input), past = run.input(past_input),
             decay = run.input(decay_input), beta = run.input(beta_input), erase = run.input(erase_input);
  const auto y = run.output(0), present = run.output(1);
  const int64_t q_heads = run.integer("q_num_heads"), kv_heads = run.integer("kv_num_heads");
  const int64_t heads = std::max(q_heads, kv_heads);
  const int64_t key_size = query.dim(2) / q_heads, value_size = run.input(value_input).dim(2) / kv_heads;
  const int64_t k_heads = key.dim(2) / key_size, q_of_state = std::max<int64_t>(1, q_heads / kv_heads);
  const float given = run.number("scale", 0);
  const T scale = given != 0 ? static_cast<T>(given) : 1 / std::sqrt(static_cast<T>(key_size));

  std::vector<T> state(static_cast<size_t>(key_size * value_size), T{0});
  const int64_t state_first = (batch * kv_heads + head) * key_size * value_size;
  if (past.present()) read_elements(past.element(), past.c.data, state_first, 1, key_size * value_size, state.data());
  RowReader<T> q_reader(query), k_reader(key), v_reader(run.input(value_input)), decay_reader(decay),
      erase_reader(erase);
  RowWriter<T> writer(y);
  std::vector<T> erased(static_cast<size_t>(key_size)), written(static_cast<size_t>(value_size));
  for (int64_t position = 0; position < query.dim(1); ++position) {
    const int64_t at = batch * query.dim(1) + position;
    const T* k = k_reader.row((at * k_heads + head * k_heads / kv_heads) * key_size, key_size);
    const T* v = v_reader.row((at * kv_heads + head) * value_size, value_size);
    if (decay.present()) {
      const bool is_per_key = decay.dim(2) != kv_heads;
      const T* gates =
          decay_reader.row((at * kv_heads + head) * (is_per_key ? key_size : 1), is_per_key ? key_size : 1);
      for (int64_t i = 0; i < key_size; ++i) {
        const T kept = std::exp(gates[is_per_key ? i : 0]);
        for (int64_t j = 0; j < value_size; ++j) state[static_cast<size_t>(i * value_size + j)] *= kept;
      }
    }
    std::copy_n(v, value_size, written.data());
    if (beta.present()) {
      std::copy_n(k, key_size, erased.data());
      if (erase.present()) {
        const T* gate = erase_reader.row((at * kv_heads + head) * key_size, key_size);
        for (int64_t i = 0; i < key_size; ++i) erased[static_cast<size_t>(i)] *= gate[i];
      }
      for (int64_t i = 0; i < key_size; ++i)
        for (int64_t j = 0; j < value_size; ++j)
          written[static_cast<size_t>(j)] -=
              state[static_cast<size_t>(i * value_size + j)] * erased[static_cast<size_t>(i)];
      const T rate = read_element<T>(beta, beta.dim(2) == 1 ? at : at * kv_heads + head);
      for (T& value : written) value *= rate;
    }
    for (int64_t i = 0; i < key_size; ++i)
      for (int64_t j = 0; j < value_size; ++j)
        state[static_cast<size_t>(i * value_size + j)] += k[i] * written[static_cast<size_t>(j)];
    for (int64_t g = 0; g < q_of_state; ++g) {
      const int64_t y_head = head * q_of_state + g, q_head = y_head * q_heads / heads;
      const T* q = q_reader.row((at * q_heads + q_head) * key_size, key_size);
      T* row = writer.row((at * heads + y_head) * value_size, value_size);
      std::fill_n(row, value_size, T{0});
      for (int64_t i = 0; i < key_size; ++i)
        for (int64_t j = 0; j < value_size; ++j) row[j] += q[i] * state[static_cast<size_t>(i * value_size + j)];
      for (int64_t j = 0; j < value_size; ++j) row[j] *= scale;
      writer.finish();
    }
  }
  if (present.present())
    write_elements(present.element(), state.data(), key_size * value_size, present.c.data, state_first);
}

Result<void> run(Running& run) {
  const int64_t kv_heads = run.integer("kv_num_heads");
  if (run.input(key_input).dim(2) == 0 || run.input(query_input).dim(2) == 0)
    return Error{Code::shape_mismatch, "queries and keys of no elements"};
  dispatch_float(run.output(0).element(), [&]<class T>(T) {
    run.parallel_for(run.input(query_input).dim(0) * kv_heads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) run_head<T>(run, i / kv_heads, i % kv_heads);
    });
  });
  return {};
}

Result<void> plan(Planning& node) { return require_ranks(node); }

}  // namespace

extern const CpuKernel linear_attention{.op_type = "LinearAttention", .plan = plan, .run = run};
extern const CpuKernel com_microsoft_linear_attention{
    .domain = "com.microsoft", .op_type = "LinearAttention", .plan = plan, .run = run};

}  // namespace heed::cpu
