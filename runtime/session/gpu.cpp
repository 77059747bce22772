// Where the session meets the Vulkan backend.
#include "session/gpu.hpp"

#include <cstring>
#include <utility>

#include "vulkan/device.hpp"
#include "vulkan/gpu_kernel.hpp"
#include "vulkan/recording.hpp"

namespace heed {
namespace {

// What the storage of a value on the device is.
struct DeviceStorage {
  std::shared_ptr<vulkan::Buffer> buffer;
  vulkan::BufferRange range;
};

struct DeviceArena {
  std::shared_ptr<vulkan::Buffer> buffer;
  std::vector<SharedValue> places;  // one per lifetime
};

// Empty where the value has no memory: a constant that no kernel reads again.
vulkan::BufferRange range_of(const heed_value* value) {
  return value && value->storage ? static_cast<const DeviceStorage*>(value->storage.get())->range : vulkan::BufferRange{};
}

vulkan::BufferRange part_of(const heed_value* value, int64_t offset_elements, size_t size_bytes) {
  auto range = range_of(value);
  range.offset_bytes += static_cast<uint64_t>(offset_elements) * static_cast<uint64_t>(bits_of(value->element)) / 8;
  range.size_bytes = size_bytes;
  return range;
}

SharedValue value_at(std::shared_ptr<vulkan::Buffer> buffer, uint64_t offset_bytes, uint64_t size_bytes) {
  auto storage = std::make_shared<DeviceStorage>();
  storage->range = {buffer.get(), offset_bytes, size_bytes};
  storage->buffer = std::move(buffer);
  auto value = SharedValue::own(new heed_value);
  value->on_device = true;
  value->storage = std::move(storage);
  return value;
}

}  // namespace

Result<std::shared_ptr<vulkan::Device>> open_device(std::string_view selector, bool real_gpus_only,
                                                    std::span<const std::pair<std::string, std::string>> options) {
  if (selector.starts_with("vulkan")) selector.remove_prefix(6);
  if (selector.starts_with(":")) selector.remove_prefix(1);
  return vulkan::Device::open(real_gpus_only ? "gpu" : selector.empty() ? "auto" : selector, options);
}

std::string device_name(const vulkan::Device& device) { return device.info().name; }

uint64_t device_capability(const void* device, std::string_view name) {
  return static_cast<const vulkan::Device*>(device)->capability(name);
}

std::optional<std::string> quarantine_reason(const void* device, std::string_view domain, std::string_view op_type,
                                             std::string_view variants, std::string_view element) {
  const auto& of = *static_cast<const vulkan::Device*>(device);
  const auto* kernel = vulkan::find_quarantined(of.quarantined(), domain, op_type, variants, element);
  if (!kernel) return std::nullopt;
  return "quarantined on " + of.info().name + ", driver " + of.info().driver + ": " + kernel->reason;
}

Result<std::shared_ptr<vulkan::GpuKernel>> make_gpu_kernel(const std::shared_ptr<vulkan::Device>& device,
                                                           const Step& step) {
  std::vector<heed_variant> variants;
  for (const auto& v : step.variants)
    variants.push_back({sizeof(heed_variant),
                        {v.name.data(), v.name.size()},
                        v.spirv,
                        v.spirv_word_count,
                        {v.glsl.data(), v.glsl.size()},
                        v.bindings.data(),
                        v.bindings.size(),
                        v.constants.data(),
                        v.constants.size(),
                        {v.error.data(), v.error.size()}});
  return vulkan::GpuKernel::create(device, variants);
}

bool same_memory(const heed_value& a, const heed_value& b) {
  const auto x = range_of(&a), y = range_of(&b);
  return x.buffer && x.buffer == y.buffer && x.offset_bytes == y.offset_bytes;
}

Result<void> check_room(const vulkan::Device& device, std::string_view what, size_t size_bytes) {
  const uint64_t held_bytes = device.held_bytes(), limit_bytes = device.capability("memory_limit_bytes");
  if (held_bytes <= limit_bytes && size_bytes <= limit_bytes - held_bytes) return {};
  return Error{Code::out_of_memory, std::string(what) + " of " + std::to_string(size_bytes) + " bytes do not fit on " +
                                        device.info().name + ": " + std::to_string(held_bytes) + " bytes are taken of " +
                                        std::to_string(limit_bytes) + " (vulkan.memory_limit_bytes)"};
}

Result<double> measure_bandwidth(const std::shared_ptr<vulkan::Device>& device) {
  constexpr int64_t long_enough_ns = 4'000'000;
  constexpr uint64_t most_bytes = uint64_t{256} << 20;
  double best = 0;
  for (uint64_t size_bytes = uint64_t{4} << 20; size_bytes <= most_bytes; size_bytes *= 4) {
    HEED_ASSIGN(const auto from, vulkan::Buffer::create(device, size_bytes));
    HEED_ASSIGN(const auto to, vulkan::Buffer::create(device, size_bytes));
    HEED_ASSIGN(const auto recording, vulkan::Recording::create(device));
    HEED_TRY(recording->fill(whole(from), 0));
    int64_t fastest_ns = INT64_MAX;
    for (uint64_t round = 0; round < 4; ++round) {  // the first warms up
      HEED_TRY(recording->mark(0));
      HEED_TRY(recording->copy(whole(from), whole(to)));
      HEED_TRY(recording->mark(1));
      HEED_TRY(recording->wait());
      const auto marks = recording->take_marks();
      if (marks.empty()) return 0;
      if (round > 0) fastest_ns = std::min(fastest_ns, marks.back().end_ns - marks.back().begin_ns);
    }
    best = std::max(best, 2e9 * static_cast<double>(size_bytes) / static_cast<double>(std::max<int64_t>(fastest_ns, 1)));
    if (fastest_ns >= long_enough_ns) break;
  }
  return best;
}

struct GpuStream::Content {
  struct ErrorWord {
    std::string node, says;
  };
  std::shared_ptr<vulkan::Device> device;
  std::unique_ptr<vulkan::Recording> recording;
  std::vector<std::pair<StepTime, StepObserver>> marked;  // since the last wait
  int64_t last_mark_ns = 0;
  int64_t uploads = 0, downloads = 0;
  std::vector<ErrorWord> error_words;
  std::shared_ptr<vulkan::Buffer> error_buffer;  // a word at each multiple of binding_alignment_bytes; the host sees it

  Result<vulkan::BufferRange> range_of_error_word(uint32_t index);
  Result<void> check_error_words();
  Result<void> spoil(vulkan::BufferRange range);
};

Result<vulkan::BufferRange> GpuStream::Content::range_of_error_word(uint32_t index) {
  constexpr auto step = vulkan::binding_alignment_bytes;
  if (!error_buffer || error_buffer->size_bytes() < error_words.size() * step) {
    HEED_ASSIGN(error_buffer, vulkan::Buffer::create(device, error_words.size() * step, vulkan::MemoryUse::readback));
    std::memset(error_buffer->mapped(), 0, error_buffer->size_bytes());
  }
  return vulkan::BufferRange{error_buffer.get(), index * step, sizeof(uint32_t)};
}

Result<void> GpuStream::Content::spoil(vulkan::BufferRange range) {
  constexpr std::byte rest[3] = {std::byte{0xFF}, std::byte{0xFF}, std::byte{0xFF}};
  const uint64_t rest_bytes = range.size_bytes % 4, words_bytes = range.size_bytes - rest_bytes;
  HEED_TRY(recording->fill({range.buffer, range.offset_bytes, words_bytes}, UINT32_MAX));
  return recording->write({range.buffer, range.offset_bytes + words_bytes, rest_bytes}, {rest, rest_bytes});
}

// After the device has done all.
Result<void> GpuStream::Content::check_error_words() {
  if (!error_buffer) return {};
  for (size_t i = 0; i < error_words.size(); ++i) {
    uint32_t word = 0;
    std::memcpy(&word, error_buffer->mapped() + i * vulkan::binding_alignment_bytes, sizeof word);
    if (word == 0) continue;
    std::memset(error_buffer->mapped(), 0, error_buffer->size_bytes());
    std::string text = error_words[i].says;  // "{}" becomes the place, as shaders/error_word.glsl stores it
    if (const size_t place = text.find("{}"); place != text.npos) text.replace(place, 2, std::to_string(~word));
    return Error{Code::invalid_argument, text}.within(error_words[i].node);
  }
  return {};
}

GpuStream::GpuStream(std::unique_ptr<Content> content) : content_(std::move(content)) {}
GpuStream::~GpuStream() = default;

Result<std::unique_ptr<GpuStream>> GpuStream::create(std::shared_ptr<vulkan::Device> device, const Stop* stop) {
  auto content = std::make_unique<Content>();
  HEED_ASSIGN(content->recording, vulkan::Recording::create(device, stop));
  content->device = std::move(device);
  return std::unique_ptr<GpuStream>(new GpuStream(std::move(content)));
}

Result<void> GpuStream::place(std::shared_ptr<void>& arena, std::span<const Lifetime> lifetimes) {
  HEED_ASSIGN(const auto placement, place_tensors(lifetimes));
  auto made = std::make_shared<DeviceArena>();
  if (arena) made->buffer = static_cast<DeviceArena*>(arena.get())->buffer;
  if (placement.size_bytes && (!made->buffer || made->buffer->size_bytes() < placement.size_bytes)) {
    made->buffer.reset();
    arena.reset();
    HEED_TRY(content_->recording->forget());
    HEED_TRY(check_room(*content_->device, "the tensors of a run", placement.size_bytes));
    HEED_ASSIGN(made->buffer, vulkan::Buffer::create(content_->device, placement.size_bytes));
  }
  for (size_t i = 0; i < lifetimes.size(); ++i) {
    made->places.push_back(
        value_at(lifetimes[i].size_bytes ? made->buffer : nullptr, placement.offsets[i], lifetimes[i].size_bytes));
    made->places.back()->lent = true;
  }
  arena = std::move(made);
  return {};
}

heed_value* GpuStream::placed(const std::shared_ptr<void>& arena, size_t lifetime) const {
  return static_cast<DeviceArena*>(arena.get())->places[lifetime].get();
}

Result<SharedValue> GpuStream::new_tensor(DataType element, std::span<const int64_t> dims) {
  HEED_ASSIGN(const size_t size_bytes, dense_size_bytes(element, dims));
  std::shared_ptr<vulkan::Buffer> buffer;
  if (size_bytes) {
    HEED_ASSIGN(buffer, vulkan::Buffer::create(content_->device, size_bytes));
  }
  auto value = value_at(std::move(buffer), 0, size_bytes);
  value->element = element;
  value->dims.assign(dims.begin(), dims.end());
  value->strides = dense_strides(dims);
  return value;
}

Result<void> GpuStream::spoil(const std::shared_ptr<void>& arena) {
  const auto& buffer = static_cast<DeviceArena*>(arena.get())->buffer;
  return buffer ? content_->spoil(vulkan::whole(buffer)) : Result<void>();
}

Result<void> spoil(const heed_value& tensor, GpuStream* gpu) {
  if (tensor.on_device) return gpu->content_->spoil(range_of(&tensor));
  HEED_ASSIGN(const size_t size_bytes, dense_size_bytes(tensor.element, tensor.dims));
  if (size_bytes) std::memset(tensor.data, 0xFF, size_bytes);
  return {};
}

uint32_t GpuStream::add_error_word(std::string node, std::string says) {
  content_->error_words.push_back({std::move(node), std::move(says)});
  return static_cast<uint32_t>(content_->error_words.size() - 1);
}

Result<void> GpuStream::run(vulkan::GpuKernel& kernel, std::span<const GpuDispatch> dispatches,
                            std::span<heed_value* const> inputs, std::span<heed_value* const> outputs,
                            heed_value* scratch, heed_value* kept, uint32_t error_word, int64_t bytes,
                            int64_t operation_count) {
  constexpr double operations_per_byte = 8;  // that devices do in the time that they take to read or write one
  std::vector<vulkan::DispatchData> data;
  for (const auto& d : dispatches)
    data.push_back({d.variant, d.parameters, {d.workgroups[0], d.workgroups[1], d.workgroups[2]}, d.windows});
  std::vector<vulkan::BufferRange> in, out;
  for (const auto* value : inputs) in.push_back(range_of(value));
  for (const auto* value : outputs) out.push_back(range_of(value));
  vulkan::BufferRange word;
  if (error_word != no_id) {
    HEED_ASSIGN(word, content_->range_of_error_word(error_word));
  }
  HEED_TRY(kernel.record(*content_->recording, data, in, out, range_of(scratch), word, range_of(kept)));
  return content_->recording->add_work(static_cast<double>(operation_count) +
                                       operations_per_byte * static_cast<double>(bytes));
}

Result<void> GpuStream::upload(const void* from, heed_value* to, int64_t offset_elements, size_t size_bytes) {
  if (!size_bytes) return {};
  ++content_->uploads;
  return content_->recording->write(part_of(to, offset_elements, size_bytes),
                                    {static_cast<const std::byte*>(from), size_bytes});
}

Result<void> GpuStream::copy(const heed_value* from, int64_t from_elements, heed_value* to, int64_t to_elements,
                             size_t size_bytes) {
  if (!size_bytes) return {};
  return content_->recording->copy(part_of(from, from_elements, size_bytes), part_of(to, to_elements, size_bytes));
}

Result<void> GpuStream::read(const heed_value* from, int64_t offset_elements, void* to, size_t size_bytes) {
  if (!size_bytes) return {};
  ++content_->downloads;
  return content_->recording->read(part_of(from, offset_elements, size_bytes),
                                   {static_cast<std::byte*>(to), size_bytes});
}

Result<SharedValue> GpuStream::moved(const heed_value& value, Location to, SharedValue kept) {
  if (!is_dense(value.dims, value.strides))
    return Error{Code::unsupported, "a strided tensor cannot cross between host and device"};
  HEED_ASSIGN(const size_t size_bytes, dense_size_bytes(value.element, value.dims));
  if (to == Location::vulkan) {
    if (!kept || !kept->on_device || !may_write_again(kept, value.element, value.dims)) {
      HEED_ASSIGN(kept, new_tensor(value.element, value.dims));
    }
    if (!value.on_device) {
      HEED_TRY(upload(value.data, kept.get(), 0, size_bytes));
    } else if (size_bytes) {
      HEED_TRY(content_->recording->copy(part_of(&value, value.offset, size_bytes), range_of(kept.get())));
    }
    return kept;
  }
  HEED_ASSIGN(auto made, new_host_tensor(value.element, value.dims));
  HEED_TRY(read(&value, value.offset, made->data, size_bytes));
  return made;
}

Result<bool> GpuStream::mark(const StepTime& step, const StepObserver& observer) {
  HEED_ASSIGN(const bool has_clock, content_->recording->mark(content_->marked.size()));
  if (has_clock) content_->marked.emplace_back(step, observer);
  return has_clock;
}

Result<void> GpuStream::wait() {
  HEED_TRY(content_->recording->wait());
  const auto marked = std::exchange(content_->marked, {});
  for (const auto& mark : content_->recording->take_marks()) {
    auto [time, observer] = marked[mark.tag];
    time.begin_ns = mark.begin_ns;
    time.end_ns = content_->last_mark_ns = mark.end_ns;
    observer(time);
  }
  return content_->check_error_words();
}
void GpuStream::discard() {
  content_->recording->discard();
  content_->marked.clear();
  content_->error_buffer = nullptr;  // what is still under way may write into it
}
uint64_t GpuStream::held_with(std::span<const size_t> buffers, std::span<const size_t> parameters,
                              size_t largest_upload, size_t largest_read, bool uploads_between) const {
  const bool unified = capability("unified_memory");
  std::vector<std::pair<vulkan::MemoryUse, uint64_t>> all;
  for (const size_t size_bytes : buffers)
    if (size_bytes) all.emplace_back(vulkan::MemoryUse::device, size_bytes);
  if (largest_upload && (!unified || uploads_between))
    all.emplace_back(vulkan::MemoryUse::upload, vulkan::ring_bytes(largest_upload));
  if (largest_read && !unified) all.emplace_back(vulkan::MemoryUse::readback, vulkan::ring_bytes(largest_read));
  if (!content_->error_words.empty())
    all.emplace_back(vulkan::MemoryUse::readback, content_->error_words.size() * vulkan::binding_alignment_bytes);
  all.emplace_back(vulkan::MemoryUse::parameters, vulkan::parameters_bytes(parameters));
  return content_->device->held_with(all);
}

int64_t GpuStream::last_mark_ns() const { return content_->last_mark_ns; }
uint64_t GpuStream::capability(std::string_view name) const { return content_->device->capability(name); }
int64_t GpuStream::recorded_count() const { return static_cast<int64_t>(content_->recording->recorded_count()); }
int64_t GpuStream::submission_count() const { return static_cast<int64_t>(content_->recording->submission_count()); }
int64_t GpuStream::dispatch_count() const { return static_cast<int64_t>(content_->recording->dispatch_count()); }
int64_t GpuStream::barrier_count() const { return static_cast<int64_t>(content_->recording->barrier_count()); }
int64_t GpuStream::upload_count() const { return content_->uploads; }
int64_t GpuStream::download_count() const { return content_->downloads; }

}  // namespace heed
