// How several tensors are walked together: a dense output and inputs that broadcast to it, row by row.
#pragma once

#include <array>
#include <functional>

#include "convert.hpp"
#include "heed/plugin.hpp"

namespace heed::cpu {

using Strides = std::vector<int64_t>;

// Row-major strides.
Strides dense_strides(std::span<const int64_t> dims);

// Whether a tensor lies so: constants that a kernel prepares may be looks at others.
bool is_dense(const TensorView& tensor);

// The strides, one per axis of `dims`, with which a tensor is read where it broadcasts to them: 0 along repeated axes.
// `trailing` axes of dims lie behind the tensor's last one (ONNX before opset 7).
Strides broadcast_strides(const TensorView& tensor, std::span<const int64_t> dims, int64_t trailing = 0);

// Output 0 of an element-wise kernel: where it lies if its shape is known, else room for the shape to which all inputs
// broadcast (inputs whose rank only the run tells). Fails where they do not broadcast.
Result<TensorView> broadcast_output(const Running& run);

// An output in the shape of an input, likewise.
Result<TensorView> output_like(const Running& run, int32_t input = 0, int32_t output = 0);

// Fails where a tensor does not broadcast to dims, one way.
Result<void> check_broadcasts_to(const TensorView& tensor, std::span<const int64_t> dims);

// Fails where an input has another rank; for kernels whose inputs may have a rank that inference did not see.
Result<void> check_rank(const Running& run, int32_t input, int32_t rank);

// Calls body(first, firsts, steps, n) for pieces of rows that together cover dims, on all threads: n elements of the
// output from element `first` on, and for each input its first element and the step between elements.
using WalkBody = std::function<void(int64_t first, const int64_t* firsts, const int64_t* steps, int64_t n)>;
void walk(const Running& run, std::span<const int64_t> dims, std::span<const Strides> inputs, const WalkBody& body);

// out[i] = f(in[0][i * steps[0]], in[1][i * steps[1]], ...)
template <class In, class Out>
using Block = void (*)(const In* const* in, const int64_t* steps, Out* out, int64_t n);

// Applies a block to a whole output, converting where the elements are of other types than In and Out. The output may
// lie where an input of its own shape lies.
template <class In, class Out, size_t count>
void apply(const Running& run, const TensorView& out, const std::array<TensorView, count>& in,
           const std::array<Strides, count>& strides, Block<In, Out> block) {
  constexpr int64_t piece = 512;
  walk(run, out.dims(), strides, [&](int64_t first, const int64_t* firsts, const int64_t* steps, int64_t n) {
    In buffers[count][piece];
    Out buffer[piece];
    const bool out_is_direct = out.element() == data_type_of<Out>();
    bool all_direct = out_is_direct;
    for (size_t k = 0; k < count; ++k) all_direct = all_direct && in[k].element() == data_type_of<In>();
    for (int64_t done = 0; done < n;) {
      const int64_t now = all_direct ? n : std::min(piece, n - done);
      const In* sources[count];
      int64_t source_steps[count];
      for (size_t k = 0; k < count; ++k) {
        const int64_t begin = firsts[k] + done * steps[k];
        source_steps[k] = steps[k];
        if (in[k].element() == data_type_of<In>()) {
          sources[k] = in[k].template data<In>() + begin;
          continue;
        }
        read_elements(in[k].element(), in[k].c.data, begin, steps[k], steps[k] == 0 ? 1 : now, buffers[k]);
        sources[k] = buffers[k];
        if (steps[k] != 0) source_steps[k] = 1;
      }
      if (out_is_direct) {
        block(sources, source_steps, out.template data<Out>() + first + done, now);
      } else {
        block(sources, source_steps, buffer, now);
        if constexpr (!std::is_same_v<Out, uint8_t>)
          write_elements(out.element(), buffer, now, out.c.data, first + done);
      }
      done += now;
    }
  });
}

// The loops of a function of one or two numbers, for the steps that matter.
template <class Function, class In, class Out>
void unary_block(const In* const* in, const int64_t* steps, Out* out, int64_t n) {
  const In* a = in[0];
  if (steps[0] == 1)
    for (int64_t i = 0; i < n; ++i) out[i] = Function()(a[i]);
  else
    for (int64_t i = 0, x = 0; i < n; ++i, x += steps[0]) out[i] = Function()(a[x]);
}

template <class Function, class In, class Out>
void binary_block(const In* const* in, const int64_t* steps, Out* out, int64_t n) {
  const In *a = in[0], *b = in[1];
  if (steps[0] == 1 && steps[1] == 1) {
    for (int64_t i = 0; i < n; ++i) out[i] = Function()(a[i], b[i]);
  } else if (steps[0] == 1 && steps[1] == 0) {
    const In y = *b;
    for (int64_t i = 0; i < n; ++i) out[i] = Function()(a[i], y);
  } else if (steps[0] == 0 && steps[1] == 1) {
    const In x = *a;
    for (int64_t i = 0; i < n; ++i) out[i] = Function()(x, b[i]);
  } else {
    for (int64_t i = 0, x = 0, y = 0; i < n; ++i, x += steps[0], y += steps[1]) out[i] = Function()(a[x], b[y]);
  }
}

// A number as a tensor that broadcasts to everything. It lies where the number lies.
template <class T>
TensorView scalar_view(const T& number) {
  return {{const_cast<T*>(&number), nullptr, nullptr, 0, 0, static_cast<int32_t>(data_type_of<T>())}};
}

// For the plan functions of element-wise kernels: all inputs may come strided, and the output may lie where the first
// input of its own shape and type lies.
Result<void> plan_elementwise(Planning& node);

}  // namespace heed::cpu
