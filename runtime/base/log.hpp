// Where the library says what is worth knowing but is no error: to one sink that the program installs. It never prints.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace heed {

enum class Level : int32_t { debug = 0, info = 1, warning = 2, error = 3 };

constexpr std::string_view name_of(Level level) {
  constexpr std::string_view names[] = {"debug", "info", "warning", "error"};
  return names[static_cast<int32_t>(level)];
}

// Called from any thread, by several at once, and not to be kept waiting; `text` is one message without a line end,
// borrowed for the call.
using LogSink = void (*)(void* context, Level level, std::string_view text);

// From now on messages of `least` and above go to `sink`, which must stay callable until the process ends; null: none
// are delivered, as at the start. From any thread.
void set_log_sink(LogSink sink, void* context, Level least = Level::warning);

// Whether a message of this level would be delivered: ask before building a costly text.
bool log_enabled(Level level);

void log(Level level, std::string_view text);

}  // namespace heed
