// ReverseSequence: copies each element of each sequence to its place.
#include "move.hpp"

namespace heed::cpu {
namespace {

Result<void> run(Running& run) {
  const auto x = run.input(0), lengths = run.input(1);
  if (x.rank() < 2) return check_rank(run, 0, 2);
  HEED_ASSIGN(const auto y, output_like(run));
  const auto time_axis = static_cast<int32_t>(run.integer("time_axis"));
  const int64_t times = x.dim(time_axis), batches = x.dim(1 - time_axis);
  if (lengths.count() != batches)
    return Error{Code::shape_mismatch, "sequence_lens has " + std::to_string(lengths.count()) +
                                           " elements, the batch " + std::to_string(batches)};
  for (int64_t batch = 0; batch < batches; ++batch)
    if (const int64_t length = lengths.data<int64_t>()[batch]; length < 0 || length > times)
      return Error{Code::invalid_argument, "element " + std::to_string(batch) + " of sequence_lens is " +
                                               std::to_string(length) + ", the time axis has " + std::to_string(times)};
  if (is_packed(x.element()))
    return Error{Code::unsupported, "ReverseSequence of " + std::string(name_of(x.element()))};
  if (x.count() == 0) return {};
  const size_t bytes = bytes_of_elements(x.element(), x.count(2, x.rank()));
  const auto* from = x.data<const std::byte>();
  auto* to = y.data<std::byte>();
  run.parallel_for(
      times * batches, std::max<int64_t>(1, 65536 / static_cast<int64_t>(bytes + 1)), [&](int64_t begin, int64_t end) {
        for (int64_t at = begin; at < end; ++at) {
          const int64_t first = at / x.dim(1), second = at % x.dim(1);
          const int64_t time = time_axis == 0 ? first : second;
          const int64_t length = lengths.data<int64_t>()[time_axis == 0 ? second : first];
          const int64_t moved = time < length ? length - 1 - 2 * time : 0;
          const int64_t source = at + moved * (time_axis == 0 ? x.dim(1) : 1);
          std::memcpy(to + static_cast<size_t>(at) * bytes, from + static_cast<size_t>(source) * bytes, bytes);
        }
      });
  own_texts(run, 0, y);
  return {};
}

}  // namespace

extern const CpuKernel reverse_sequence{.op_type = "ReverseSequence", .run = run};

}  // namespace heed::cpu
