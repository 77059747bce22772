// Recordings: order, barriers, parameters, several at once, failures halfway.
#include <bit>
#include <thread>

#include "gpu.hpp"
#include "vulkan/pipeline.hpp"

namespace heed::vulkan {
namespace {

// y = factor * x + addend, one element per invocation: as a fused chain is written at run time.
constexpr std::string_view affine_glsl = R"(#version 450
layout(local_size_x = 64) in;
layout(constant_id = 3) const float factor = 1.0;
layout(set = 0, binding = 0, std430) readonly buffer X { float x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Y { float y[]; };
layout(set = 0, binding = 2, std430) readonly buffer Parameters { uint count; float addend; };
void main() {
  uint i = gl_GlobalInvocationID.x;
  if (i < count) y[i] = factor * x[i] + addend;
}
)";

struct AffineParameters {
  uint32_t count;
  float addend;
};

std::shared_ptr<const Pipeline> affine(const std::shared_ptr<Device>& device, float factor) {
  const heed_constant constants[] = {{3, std::bit_cast<uint32_t>(factor)}};
  return must(Pipeline::create(device, {{}, affine_glsl}, constants, 2));
}

void add_affine(Recording& recording, const std::shared_ptr<const Pipeline>& pipeline, BufferRange from, BufferRange to,
                float addend) {
  const auto count = static_cast<uint32_t>(to.size_bytes / sizeof(float));
  const AffineParameters parameters{count, addend};
  const BoundRange bindings[] = {{from, true, false}, {to, false, true}};
  const uint32_t workgroups[3] = {(count + 63) / 64, 1, 1};
  must(recording.dispatch(pipeline, bindings, std::as_bytes(std::span(&parameters, 1)), workgroups));
}

}  // namespace

TEST_CASE("a chain of dispatches runs in order, with a barrier where one reads what another wrote") {
  HEED_NEED_GPU(gpu);
  const auto twice = affine(gpu.device, 2);
  const auto x = gpu.buffer(std::vector<float>(1000, 1));
  const auto a = gpu.room(4000), b = gpu.room(4000), c = gpu.room(4000);
  add_affine(*gpu.recording, twice, whole(x), whole(a), 1);  // 3
  add_affine(*gpu.recording, twice, whole(x), whole(b), 2);  // 4, beside a
  must(gpu.recording->submit());
  CHECK(gpu.recording->barrier_count() == 0);
  add_affine(*gpu.recording, twice, whole(x), whole(b), 2);
  add_affine(*gpu.recording, twice, whole(x), whole(a), 1);
  add_affine(*gpu.recording, twice, whole(a), whole(c), 0);  // 6, read after write
  add_affine(*gpu.recording, twice, whole(b), whole(a), 0);  // 8, write after read
  CHECK(gpu.values<float>(c) == std::vector<float>(1000, 6));
  CHECK(gpu.recording->barrier_count() == 2);
  CHECK(gpu.values<float>(a) == std::vector<float>(1000, 8));
  CHECK(gpu.recording->dispatch_count() == 6);
}

TEST_CASE("a chain longer than the pools, in place, over several submissions") {
  HEED_NEED_GPU(gpu);
  const auto once = affine(gpu.device, 1);
  const auto x = gpu.buffer(std::vector<float>(65, 0));
  for (int i = 0; i < 700; ++i) {
    add_affine(*gpu.recording, once, whole(x), whole(x), 1);
    if (i % 150 == 149) must(gpu.recording->submit());
  }
  CHECK(gpu.values<float>(x) == std::vector<float>(65, 700));
  CHECK(gpu.recording->submission_count() == 5);
}

TEST_CASE("what differs in parameters and uploads alone is not recorded again") {
  HEED_NEED_GPU(gpu);
  const auto twice = affine(gpu.device, 2);
  const auto x = gpu.room(400), y = gpu.room(400), z = gpu.room(400);
  const auto run = [&](float value, float addend, const std::shared_ptr<Buffer>& to) {
    std::vector<float> out(100);
    must(gpu.recording->write(whole(x), bytes_in(std::vector<float>(100, value))));
    add_affine(*gpu.recording, twice, whole(x), whole(to), addend);
    must(gpu.recording->read(whole(to), std::as_writable_bytes(std::span(out))));
    must(gpu.recording->wait());
    return out == std::vector<float>(100, 2 * value + addend);
  };
  CHECK(run(1, 5, y));
  const uint64_t recorded = gpu.recording->recorded_count();
  for (int i = 0; i < 20; ++i) CHECK(run(static_cast<float>(i), static_cast<float>(3 * i), y));
  CHECK(gpu.recording->recorded_count() == recorded);
  CHECK(run(1, 1, z));  // another buffer
  CHECK(gpu.recording->recorded_count() == recorded + 1);
  CHECK(run(2, 2, y));  // the first is still there
  CHECK(gpu.recording->recorded_count() == recorded + 1);
  must(gpu.recording->forget());
  CHECK(run(3, 3, y));
  CHECK(gpu.recording->recorded_count() == recorded + 2);
  for (int i = 0; i < 40; ++i) CHECK(run(1, 1, gpu.room(400)));  // more lists than are kept
}

TEST_CASE("work that takes long is submitted in parts; what the device was seen to do in time is not") {
  HEED_NEED_GPU(shared);
  const Option options[] = {{"vulkan.max_workgroups_z", "60000"}, {"vulkan.cache", "off"}};  // nobody else's
  Gpu gpu(must(Device::open(std::to_string(shared.device->info().index), options)));
  const auto once = affine(gpu.device, 1);
  const auto x = gpu.buffer(std::vector<float>(100, 0));
  const auto run = [&](double work) {
    const uint64_t before = gpu.recording->submission_count();
    for (int i = 0; i < 10; ++i) {
      add_affine(*gpu.recording, once, whole(x), whole(x), 1);
      must(gpu.recording->add_work(work));
    }
    must(gpu.recording->wait());
    return gpu.recording->submission_count() - before;
  };
  CHECK(run(1) == 1);
  CHECK(run(1e15) == 10);
  CHECK(run(1e11) == 1);
  CHECK(gpu.values<float>(x) == std::vector<float>(100, 30));
}

TEST_CASE("ranges of one buffer are tensors of their own; a fill before shows what nobody wrote") {
  HEED_NEED_GPU(gpu);
  const auto plus = affine(gpu.device, 1);
  const auto arena = gpu.room(1024);
  must(gpu.recording->fill(whole(arena), 0x7FC00000));
  must(gpu.recording->write({arena.get(), 0, 12}, bytes_in(std::vector<float>{1, 2, 3})));
  add_affine(*gpu.recording, plus, {arena.get(), 0, 12}, {arena.get(), 512, 12}, 10);
  const auto out = gpu.values<float>(arena);
  CHECK(out[128] == 11);
  CHECK(out[130] == 13);
  CHECK(std::isnan(out[131]));
  CHECK(std::isnan(out[3]));
}

TEST_CASE("a buffer that its owner lets go lives until its commands have been executed") {
  HEED_NEED_GPU(gpu);
  const auto plus = affine(gpu.device, 1);
  auto value = gpu.buffer(std::vector<float>(300, 0));
  for (int i = 0; i < 20; ++i) {
    auto next = gpu.room(1200);
    add_affine(*gpu.recording, plus, whole(value), whole(next), 1);
    value = std::move(next);
  }
  CHECK(gpu.values<float>(value) == std::vector<float>(300, 20));
}

TEST_CASE("what was recorded before a failure is dropped by discard") {
  HEED_NEED_GPU(gpu);
  const auto plus = affine(gpu.device, 1);
  const auto x = gpu.buffer(std::vector<float>(10, 5));
  float wrong = -1;
  add_affine(*gpu.recording, plus, whole(x), whole(x), 100);
  must(gpu.recording->read({x.get(), 0, 4}, std::as_writable_bytes(std::span(&wrong, 1))));
  const BoundRange misaligned[] = {{{x.get(), 4, 4}, true, false}, {whole(x), false, true}};
  const uint32_t one[3] = {1, 1, 1};
  const auto refused = gpu.recording->dispatch(plus, misaligned, {}, one);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("multiple of 256") != std::string::npos);
  gpu.recording->discard();
  CHECK(gpu.values<float>(x) == std::vector<float>(10, 5));
  CHECK(wrong == -1);
  add_affine(*gpu.recording, plus, whole(x), whole(x), 1);
  CHECK(gpu.values<float>(x) == std::vector<float>(10, 6));
}

TEST_CASE("dispatches that the device cannot take are refused; none has no effect") {
  HEED_NEED_GPU(gpu);
  const auto plus = affine(gpu.device, 1);
  const auto x = gpu.room(256);
  const BoundRange both[] = {{whole(x), true, false}, {whole(x), false, true}};
  const auto groups = [&](uint32_t a, uint32_t b, uint32_t c) {
    const uint32_t workgroups[3] = {a, b, c};
    return gpu.recording->dispatch(plus, both, {}, workgroups);
  };
  if (gpu.device->capability("max_workgroups_y") < UINT32_MAX) CHECK_FALSE(groups(1, UINT32_MAX, 1));
  CHECK(groups(0, 1, 1));
  CHECK(gpu.recording->dispatch_count() == 0);
  const uint32_t one[3] = {1, 1, 1};
  CHECK_FALSE(gpu.recording->dispatch(plus, {both, 1}, {}, one));
  must(gpu.recording->wait());
  CHECK(gpu.recording->submission_count() == 0);
}

TEST_CASE("a binding larger than the device takes is refused, whether a tensor or the parameters, and nothing runs") {
  HEED_NEED_GPU(shared);
  const Option options[] = {{"vulkan.max_binding_bytes", "1024"}, {"vulkan.cache", "off"}};
  Gpu gpu(must(Device::open(std::to_string(shared.device->info().index), options)));
  const auto plus = affine(gpu.device, 1);
  const auto x = gpu.buffer(std::vector<float>(300, 5));
  const BufferRange most{x.get(), 0, 1024};
  add_affine(*gpu.recording, plus, most, most, 1);

  const uint32_t one[3] = {1, 1, 1};
  const auto refused = [&](BufferRange from, size_t parameter_bytes) {
    const BoundRange bindings[] = {{from, true, false}, {most, false, true}};
    const auto done = gpu.recording->dispatch(plus, bindings, std::vector<std::byte>(parameter_bytes), one);
    REQUIRE_FALSE(done);
    CHECK(done.error().code == Code::unsupported);
    CHECK(done.error().message.find("1028 bytes") != std::string::npos);
    CHECK(done.error().message.find("at most 1024 (max_binding_bytes)") != std::string::npos);
  };
  refused({x.get(), 0, 1028}, 8);
  refused(most, 1028);
  CHECK(gpu.recording->dispatch_count() == 1);
  CHECK(gpu.values<float>(x)[255] == 6);
}

TEST_CASE("an empty tensor is bound to spare bytes") {
  HEED_NEED_GPU(gpu);
  const auto plus = affine(gpu.device, 1);
  const AffineParameters parameters{0, 1};
  const BoundRange bindings[] = {{{}, true, false}, {{}, false, true}};
  const uint32_t one[3] = {1, 1, 1};
  must(gpu.recording->dispatch(plus, bindings, std::as_bytes(std::span(&parameters, 1)), one));
  must(gpu.recording->wait());
}

TEST_CASE("threads record on one device at once") {
  HEED_NEED_GPU(gpu);
  const auto plus = affine(gpu.device, 1);
  const auto shared = gpu.buffer(std::vector<float>(100, 1));
  std::vector<std::vector<float>> results(3);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < results.size(); ++t)
    threads.emplace_back([&, t] {
      auto recording = Recording::create(gpu.device);
      auto mine = Buffer::create(gpu.device, 400);
      if (!recording || !mine) return;
      for (int i = 0; i < 10; ++i) {
        const AffineParameters parameters{100, static_cast<float>(t)};
        const BoundRange bindings[] = {{whole(shared), true, false}, {whole(*mine), false, true}};
        const uint32_t workgroups[3] = {2, 1, 1};
        if (!(*recording)->dispatch(plus, bindings, std::as_bytes(std::span(&parameters, 1)), workgroups)) return;
        std::vector<float> out(100);
        if (!(*recording)->read(whole(*mine), std::as_writable_bytes(std::span(out))) || !(*recording)->wait()) return;
        results[t] = out;
      }
    });
  for (auto& thread : threads) thread.join();
  for (size_t t = 0; t < results.size(); ++t) CHECK(results[t] == std::vector<float>(100, 1 + static_cast<float>(t)));
}

TEST_CASE("pipelines: equal ones are shared, other constants make another, errors show the compiler's words") {
  HEED_NEED_GPU(gpu);
  const auto two = affine(gpu.device, 2);
  CHECK(affine(gpu.device, 2) == two);
  CHECK(affine(gpu.device, 3) != two);

  const auto wrong = Pipeline::create(gpu.device, {{}, "#version 450\nvoid main() { nonsense = 1; }\n"}, {}, 1);
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().code == Code::unsupported);
  CHECK(wrong.error().message.find("0:2") != std::string::npos);
  CHECK(wrong.error().message.find("nonsense") != std::string::npos);
  CHECK_FALSE(Pipeline::create(gpu.device, {{}, ""}, {}, 1));
  const uint32_t foreign[] = {1, 2, 3, 4, 5, 6};
  CHECK_FALSE(Pipeline::create(gpu.device, {foreign, {}}, {}, 1));
  const auto many = Pipeline::create(gpu.device, {{}, affine_glsl}, {}, UINT32_MAX - 1);
  REQUIRE_FALSE(many);
  CHECK(many.error().code == Code::unsupported);
}

TEST_CASE("marks tell when the commands before them were executed, in order, for each run anew") {
  HEED_NEED_GPU(gpu);
  if (gpu.device->capability("timestamp_bits") == 0) return;
  const auto from = must(Buffer::create(gpu.device, 1 << 20)), to = must(Buffer::create(gpu.device, 1 << 20));
  for (uint64_t run = 0; run < 3; ++run) {
    const auto now_ns = [] { return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1); };
    const int64_t begin_ns = now_ns();
    must(gpu.recording->fill(whole(from), 7));
    CHECK(must(gpu.recording->mark(10 * run)));
    must(gpu.recording->copy(whole(from), whole(to)));
    CHECK(must(gpu.recording->mark(10 * run + 1)));
    must(gpu.recording->wait());
    const auto marks = gpu.recording->take_marks();
    REQUIRE(marks.size() == 2);
    CHECK((marks[0].tag == 10 * run && marks[1].tag == 10 * run + 1));
    CHECK(marks[0].begin_ns <= marks[0].end_ns);
    CHECK(marks[0].end_ns == marks[1].begin_ns);
    CHECK(marks[1].begin_ns < marks[1].end_ns);
    CHECK(marks[1].end_ns - marks[0].begin_ns <= now_ns() - begin_ns);
    must(gpu.recording->wait());
    CHECK(gpu.recording->take_marks().empty());
  }
  CHECK(gpu.recording->recorded_count() == 1);
}

}  // namespace heed::vulkan
