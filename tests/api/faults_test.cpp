// Every allocation, file operation and thread start of load, run and unload, failing in turn, through heed.h: each time
// an error, or a right result without what failed; nothing left behind, and session and model usable afterwards. A
// program of its own: it stands between the library and the C library.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "models.hpp"
#include "rows.hpp"

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void __libc_free(void*);
}

namespace heed::test {
namespace {

// What may fail, by group.
enum class Group { memory, file, thread };

struct Faults {
  std::atomic<bool> is_armed{false};
  Group group = Group::memory;
  std::atomic<int64_t> calls{0};
  int64_t fail_at = -1;  // which call of the group
  bool stays = false;    // and all after it
  std::atomic<bool> has_failed{false};
  std::atomic<int64_t> blocks{0};  // of memory, made and not freed

  bool fails(Group which) {
    if (!is_armed.load(std::memory_order_relaxed) || which != group) return false;
    const int64_t call = calls.fetch_add(1);
    const bool here = fail_at >= 0 && (call == fail_at || (stays && call > fail_at));
    if (here) has_failed = true;
    return here;
  }
};
Faults faults;

void* counted(void* memory) {
  if (memory) faults.blocks.fetch_add(1, std::memory_order_relaxed);
  return memory;
}

template <class Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace
}  // namespace heed::test

using heed::test::counted;
using heed::test::faults;
using heed::test::Group;
using heed::test::real;

extern "C" {
void* malloc(size_t size) {
  if (faults.fails(Group::memory)) return errno = ENOMEM, nullptr;
  return counted(__libc_malloc(size));
}
void* calloc(size_t count, size_t size) {
  if (faults.fails(Group::memory)) return errno = ENOMEM, nullptr;
  return counted(__libc_calloc(count, size));
}
void* realloc(void* before, size_t size) {
  if (faults.fails(Group::memory)) return errno = ENOMEM, nullptr;
  void* memory = __libc_realloc(before, size);
  return before ? memory : counted(memory);
}
void* aligned_alloc(size_t alignment, size_t size) {
  if (faults.fails(Group::memory)) return errno = ENOMEM, nullptr;
  return counted(__libc_memalign(alignment, size));
}
void* memalign(size_t alignment, size_t size) { return aligned_alloc(alignment, size); }
int posix_memalign(void** memory, size_t alignment, size_t size) {
  *memory = aligned_alloc(alignment, size);
  return *memory ? 0 : ENOMEM;
}
void free(void* memory) {
  if (memory) faults.blocks.fetch_sub(1, std::memory_order_relaxed);
  __libc_free(memory);
}

// The body of a function of the C library: it fails with this answer and errno, or does what it does.
#define FAILING(group, answer, code, function, arguments)                      \
  if (faults.fails(group)) return errno = code, answer;                        \
  static const auto function##_of_libc = real<decltype(&function)>(#function); \
  return function##_of_libc arguments
int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = va_arg(more, mode_t);
  va_end(more);
  FAILING(Group::file, -1, EMFILE, open, (path, flags, mode));
}
int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = va_arg(more, mode_t);
  va_end(more);
  FAILING(Group::file, -1, EMFILE, open64, (path, flags, mode));
}
ssize_t read(int file, void* target, size_t size) {
  FAILING(Group::file, -1, EIO, read, (file, target, size));
}
ssize_t pread(int file, void* target, size_t size, off_t at) {
  FAILING(Group::file, -1, EIO, pread, (file, target, size, at));
}
int fstat(int file, struct stat* status) {
  FAILING(Group::file, -1, EIO, fstat, (file, status));
}
void* mmap(void* wish, size_t size, int protection, int flags, int file, off_t at) {
  FAILING(Group::file, MAP_FAILED, ENODEV, mmap, (wish, size, protection, flags, file, at));
}
int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*function)(void*), void* argument) {
  FAILING(Group::thread, EAGAIN, EAGAIN, pthread_create, (thread, attributes, function, argument));
}
}

namespace heed::test {
namespace {

// From a file to a result and away again; a failure of each call is met by the same call once more.
struct Scenario {
  std::string path;
  bool reads_files = false;
  int failures = 0;

  // What is told of a failure: a code that fits and a text.
  void met(heed_status status) {
    ++failures;
    const bool was_armed = faults.is_armed.exchange(false);
    INFO("call " << faults.fail_at << " failed");
    CHECK(status >= HEED_ERROR_INVALID_ARGUMENT);
    CHECK(status <= HEED_ERROR_CANCELLED);
    CHECK(*heed_error_message() != '\0');
    faults.is_armed = was_armed && !faults.has_failed;
  }

  template <class Function>
  void insist(Function&& function) {
    for (int attempt = 0; attempt < 2; ++attempt) {
      const heed_status status = function();
      if (status == HEED_SUCCESS) return;
      met(status);
    }
    INFO(heed_error_message());
    FAIL("it still fails when nothing else does");
  }

  void run() {
    heed_model_options options{};
    options.struct_size = sizeof(options);
    options.device = "cpu";
    options.thread_count = 3;
    options.read_files = reads_files;
    heed_runtime* runtime = nullptr;
    heed_model* model = nullptr;
    heed_session* session = nullptr;
    const int64_t dims[] = {2, 3};
    float a[] = {1, -2, 3, 4, 5, -60}, b[] = {1, 1, 1};
    const heed_array a_array{a, sizeof a, dims, 2, HEED_F32}, b_array{b, sizeof b, dims + 1, 1, HEED_F32};
    heed_array y{};
    insist([&] { return heed_runtime_create(&runtime); });
    insist([&] { return heed_model_load(runtime, path.c_str(), &options, &model); });
    insist([&] { return heed_session_create(model, nullptr, &session); });
    insist([&] { return heed_session_bind_input(session, "a", &a_array); });
    insist([&] { return heed_session_bind_input(session, "b", &b_array); });
    insist([&] { return heed_session_run(session); });
    insist([&] { return heed_session_output(session, "y", &y); });
    const bool is_right =
        y.size_bytes == 24 && static_cast<const float*>(y.data)[0] == 9 && static_cast<const float*>(y.data)[5] == 0;
    heed_session_free(session);
    heed_model_free(model);
    heed_runtime_free(runtime);
    faults.is_armed = false;
    CHECK(is_right);
  }
};

// y = Relu(a + 2 b + 3 + 3): a Loop, a product, and what is folded.
std::string faulty_model() {
  std::string zeros;
  for (int i = 0; i < 64 * 3; ++i) zeros += i ? ", 0.015625" : "0.015625";
  const std::string body = "attribute { name: 'body' type: GRAPH g { name: 'b' " +
                           node_text("Identity", {"go"}, {"go_on"}) + node_text("Add", {"v", "b"}, {"w"}) +
                           value_text("input", "i", 7, {}) + value_text("input", "go", 9, {}) +
                           value_text("input", "v", 1, {"batch", "3"}) + value_text("output", "go_on", 9, {}) +
                           value_text("output", "w", 1, {"batch", "3"}) + "} } ";
  return model_bytes(
      "initializer { name: 'ones' data_type: 1 dims: 64 dims: 3 float_data: [" + zeros + "] } " +
      "initializer { name: 'count' data_type: 7 int64_data: [2] } " +
      node_text("ReduceSum", {"ones"}, {"weights"}, "attribute { name: 'keepdims' type: INT i: 0 } ") +
      node_text("Loop", {"count", "", "a"}, {"a2"}, body) + node_text("Add", {"a2", "weights"}, {"s"}) +
      node_text("MatMul", {"s", "square"}, {"m"}) + node_text("Add", {"m", "weights"}, {"n"}) +
      node_text("Relu", {"n"}, {"y"}) +
      "initializer { name: 'square' data_type: 1 dims: 3 dims: 3 float_data: [1, 0, 0, 0, 1, 0, 0, 0, 1] } " +
      value_text("input", "a", 1, {"batch", "3"}) + value_text("input", "b", 1, {"3"}) +
      value_text("output", "y", 1, {"batch", "3"}));
}

// Every `step`th call of the group in the scenario fails.
void fail_each(Scenario scenario, Group group, bool stays, int64_t step) {
  faults.group = group;
  const auto once = [&](int64_t fail_at) {
    faults.fail_at = fail_at;
    faults.stays = stays;
    faults.calls = 0;
    faults.has_failed = false;
    scenario.failures = 0;
    faults.is_armed = true;
    scenario.run();
    faults.is_armed = false;
    heed_model_load(nullptr, "a name so long that the text of this error never lies within the string itself", nullptr,
                    nullptr);
    return faults.calls.load();
  };
  int64_t count = 0;
  for (int i = 0; i < 3; ++i) count = once(-1);  // what stays for good is made
  for (int64_t i = 0; i < count; i += step) {
    INFO("call " << i << " of " << count);
    once(i);
    // What a failure makes for good, such as the texts of a locale, it makes once.
    const int64_t blocks = faults.blocks;
    once(i);
    CHECK(faults.blocks == blocks);
    count_row(faults.blocks == blocks);
  }
}

}  // namespace

TEST_CASE("allocations, file operations and thread starts fail in turn") {
  const auto path = std::filesystem::path(HEED_BINARY_FOLDER) / ("faults_" + std::to_string(getpid()) + ".onnx");
  std::ofstream(path, std::ios::binary) << faulty_model();
  const Scenario mapped{.path = path.string()}, read{.path = path.string(), .reads_files = true};
  const bool is_full = std::getenv("HEED_TEST_FULL") != nullptr;
  fail_each(mapped, Group::file, false, 1);
  fail_each(read, Group::file, false, 1);
  fail_each(mapped, Group::thread, false, 1);
  fail_each(mapped, Group::thread, true, 1);
  fail_each(mapped, Group::memory, false, is_full ? 1 : 47);
  std::filesystem::remove(path);
}

}  // namespace heed::test
