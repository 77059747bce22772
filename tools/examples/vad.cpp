// vad MODEL [FILE.wav|-] [--probabilities]: where somebody speaks, by silero-vad v5 (snakers4/silero-vad), printed as
// it is heard. Reads a WAV file or standard input of 8000 or 16000 samples a second, one channel, 16-bit integers or
// 32-bit floats. With --probabilities it prints that of each chunk instead.
#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <heed/heed.hpp>
#include <iostream>

namespace {

using heed::ArrayView;
using heed::Code;
using heed::Error;
using heed::Result;
static_assert(std::endian::native == std::endian::little, "a WAV file's numbers are read as they lie");

// ---- a WAV file, read as it comes (Multimedia Programming Interface and Data Specifications 1.0, IBM and Microsoft,
// 1991)

class WavReader {
 public:
  static Result<WavReader> open(std::istream& stream) {
    WavReader reader(stream);
    char riff[12];
    if (!reader.read(riff, sizeof riff) || std::memcmp(riff, "RIFF", 4) || std::memcmp(riff + 8, "WAVE", 4))
      return Error{Code::invalid_argument, "this is no WAV file: expected RIFF and WAVE at its beginning"};
    bool has_format = false;
    for (;;) {
      struct {
        char name[4];
        uint32_t size_bytes;
      } chunk;
      if (!reader.read(&chunk, sizeof chunk))
        return Error{Code::invalid_argument, "the WAV file ends before its samples (no chunk 'data')"};
      if (!std::memcmp(chunk.name, "data", 4)) {
        if (!has_format) return Error{Code::invalid_argument, "the WAV file has no chunk 'fmt ' before its samples"};
        // Who writes to a pipe cannot know how much will come.
        reader.left_bytes_ = chunk.size_bytes && chunk.size_bytes != 0xFFFFFFFF ? chunk.size_bytes : UINT64_MAX;
        return reader;
      }
      std::vector<char> content(std::min<uint32_t>(chunk.size_bytes, 64));
      if (!reader.read(content.data(), content.size()) ||
          !reader.skip(chunk.size_bytes - content.size() + chunk.size_bytes % 2))
        return Error{Code::invalid_argument, "the WAV file ends in the middle of a chunk"};
      if (std::memcmp(chunk.name, "fmt ", 4)) continue;
      if (content.size() < 16)
        return Error{Code::invalid_argument, "the WAV file's chunk 'fmt ' is shorter than 16 bytes"};
      HEED_TRY(reader.read_format(content));
      has_format = true;
    }
  }

  int64_t rate() const { return rate_; }
  // Fills `samples` with numbers in [-1, 1]; false at the end, what is missing being silence.
  bool next(std::span<float> samples, bool& is_partial) {
    const size_t sample_bytes = is_float_ ? 4 : 2;
    bytes_.resize(static_cast<size_t>(std::min<uint64_t>(samples.size() * sample_bytes, left_bytes_)));
    stream_->read(bytes_.data(), static_cast<std::streamsize>(bytes_.size()));
    const size_t count = static_cast<size_t>(stream_->gcount()) / sample_bytes;
    if (left_bytes_ != UINT64_MAX) left_bytes_ -= bytes_.size();
    for (size_t i = 0; i < count; ++i) {
      if (is_float_) {
        std::memcpy(&samples[i], bytes_.data() + i * 4, 4);
      } else {
        int16_t sample;
        std::memcpy(&sample, bytes_.data() + i * 2, 2);
        samples[i] = static_cast<float>(sample) / 32768.0f;
      }
    }
    std::fill(samples.begin() + static_cast<ptrdiff_t>(count), samples.end(), 0.0f);
    is_partial = count < samples.size();
    return count > 0;
  }

 private:
  explicit WavReader(std::istream& stream) : stream_(&stream) {}

  bool read(void* target, size_t size_bytes) {
    return bool(stream_->read(static_cast<char*>(target), static_cast<std::streamsize>(size_bytes)));
  }
  bool skip(uint64_t size_bytes) {
    char waste[256];
    for (; size_bytes > 0; size_bytes -= std::min<uint64_t>(size_bytes, sizeof waste))
      if (!read(waste, static_cast<size_t>(std::min<uint64_t>(size_bytes, sizeof waste)))) return false;
    return true;
  }
  Result<void> read_format(const std::vector<char>& content) {
    uint16_t tag, channels, bits;
    uint32_t rate;
    std::memcpy(&tag, content.data(), 2);
    std::memcpy(&channels, content.data() + 2, 2);
    std::memcpy(&rate, content.data() + 4, 4);
    std::memcpy(&bits, content.data() + 14, 2);
    constexpr uint16_t pcm = 1, ieee_float = 3, extensible = 0xFFFE;
    if (tag == extensible && content.size() >= 26) std::memcpy(&tag, content.data() + 24, 2);
    is_float_ = tag == ieee_float;
    rate_ = rate;
    const bool is_known = (tag == pcm && bits == 16) || (tag == ieee_float && bits == 32);
    if (is_known && channels == 1 && (rate == 8000 || rate == 16000)) return {};
    return Error{Code::invalid_argument,
                 "the WAV file has " + std::to_string(channels) + " channels of " + std::to_string(bits) +
                     " bits (format " + std::to_string(tag) + ") at " + std::to_string(rate) +
                     " samples a second; expected 1 channel of 16-bit integers or 32-bit floats at 8000 or 16000.\n"
                     "  ffmpeg -i FILE -ac 1 -ar 16000 -f wav - brings it there"};
  }

  std::istream* stream_;
  std::vector<char> bytes_;
  uint64_t left_bytes_ = 0;
  int64_t rate_ = 0;
  bool is_float_ = false;
};

// ---- from probabilities to segments, as silero-vad's VADIterator does it
// ---------------------------------------------

class Segments {
 public:
  explicit Segments(double rate) : rate_(rate) {}

  // A chunk ended at sample `end`.
  void hear(float probability, int64_t begin, int64_t end) {
    if (probability >= threshold) {
      silence_begin_ = -1;
      if (!is_speaking_) {
        is_speaking_ = true;
        begin_ = std::max(begin - samples_of(padding_s), last_end_);
        std::printf("%.2f s ", static_cast<double>(begin_) / rate_);
        std::fflush(stdout);
      }
    } else if (is_speaking_ && probability < threshold - hysteresis) {
      if (silence_begin_ < 0) silence_begin_ = begin;
      if (end - silence_begin_ >= samples_of(least_silence_s)) finish(silence_begin_ + samples_of(padding_s));
    }
  }
  void finish(int64_t end) {
    if (!is_speaking_) return;
    std::printf("to %.2f s\n", static_cast<double>(end) / rate_);
    std::fflush(stdout);
    is_speaking_ = false;
    silence_begin_ = -1;
    last_end_ = end;
  }

 private:
  static constexpr float threshold = 0.5f, hysteresis = 0.15f;
  static constexpr double least_silence_s = 0.1, padding_s = 0.03;
  int64_t samples_of(double seconds) const { return static_cast<int64_t>(seconds * rate_); }

  double rate_;
  bool is_speaking_ = false;
  int64_t begin_ = 0, silence_begin_ = -1, last_end_ = 0;
};

Result<void> listen(const std::string& path, std::istream& stream, bool shows_probabilities) {
  HEED_ASSIGN(WavReader wav, WavReader::open(stream));
  // The state of one chunk is that of the next.
  HEED_ASSIGN(const heed::Model model,
              heed::Model::load(path, {.device = "cpu", .thread_count = 1, .states = {{"state", "stateN"}}}));
  HEED_ASSIGN(heed::Session session, heed::Session::create(model));

  // A chunk of 32 ms behind the last samples of the one before.
  const size_t chunk = wav.rate() == 16000 ? 512 : 256, context = wav.rate() == 16000 ? 64 : 32;
  std::vector<float> heard(context + chunk), probability(1);
  std::vector<int64_t> rate{wav.rate()};
  const std::vector<int64_t> heard_dims{1, static_cast<int64_t>(heard.size())}, probability_dims{1, 1};
  HEED_TRY(session.bind_input("input", ArrayView(std::span(heard), heard_dims)));
  HEED_TRY(session.bind_input("sr", ArrayView(std::span(rate), {})));
  HEED_TRY(session.bind_output("output", ArrayView(std::span(probability), probability_dims)));

  Segments segments(static_cast<double>(wav.rate()));
  int64_t begin = 0;
  bool is_partial = false;
  for (const auto samples = std::span(heard).subspan(context); !is_partial && wav.next(samples, is_partial);) {
    if (shows_probabilities && is_partial) break;
    HEED_TRY(session.run());
    const int64_t end = begin + static_cast<int64_t>(chunk);
    if (shows_probabilities) {
      std::printf("%lld,%.6f\n", static_cast<long long>(begin) / static_cast<long long>(chunk),
                  static_cast<double>(probability[0]));
    } else {
      segments.hear(probability[0], begin, end);
    }
    begin = end;
    std::copy(heard.end() - static_cast<ptrdiff_t>(context), heard.end(), heard.begin());
  }
  segments.finish(begin);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words;
  bool shows_probabilities = false;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--probabilities") {
      shows_probabilities = true;
    } else {
      words.push_back(argv[i]);
    }
  }
  if (words.empty() || words.size() > 2) {
    std::cerr << "usage: vad MODEL [FILE.wav|-] [--probabilities]\n";
    return 2;
  }
  std::ifstream file;
  const bool reads_file = words.size() == 2 && words[1] != "-";
  if (reads_file) file.open(words[1], std::ios::binary);
  if (reads_file && !file) {
    std::cerr << "vad: " << words[1] << ": " << std::strerror(errno) << "\n";
    return 1;
  }
  const auto done = listen(words[0], reads_file ? file : std::cin, shows_probabilities);
  if (!done) std::cerr << "vad: " << (reads_file ? words[1] + ": " : "") << done.error().message << "\n";
  return done ? 0 : 1;
}
