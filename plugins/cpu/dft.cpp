// DFT, STFT: a pass of mixed radix for each factor of the length, over several signals at once. The arithmetic and its order
// are those of pocketfft (Reinecke), in the wide type of the elements: its bits are the measure of ONNX's suite. Lengths
// with a large prime in them are transformed by those of a power of two.
#include "heed/fourier.hpp"

#include <bit>
#include <memory>

#include "walk.hpp"

namespace heed::cpu {
namespace {

// One complex number of each of so many signals.
template <class T, int lanes>
struct Complex {
  T re[lanes], im[lanes];
};

template <class T, int lanes>
Complex<T, lanes> operator+(const Complex<T, lanes>& a, const Complex<T, lanes>& b) {
  Complex<T, lanes> y;
  for (int l = 0; l < lanes; ++l) y.re[l] = a.re[l] + b.re[l], y.im[l] = a.im[l] + b.im[l];
  return y;
}
template <class T, int lanes>
Complex<T, lanes> operator-(const Complex<T, lanes>& a, const Complex<T, lanes>& b) {
  Complex<T, lanes> y;
  for (int l = 0; l < lanes; ++l) y.re[l] = a.re[l] - b.re[l], y.im[l] = a.im[l] - b.im[l];
  return y;
}
template <class T, int lanes>
Complex<T, lanes> operator*(const Complex<T, lanes>& a, const Complex<T, 1>& w) {
  Complex<T, lanes> y;
  for (int l = 0; l < lanes; ++l) {
    y.re[l] = a.re[l] * w.re[0] - a.im[l] * w.im[0];
    y.im[l] = a.re[l] * w.im[0] + a.im[l] * w.re[0];
  }
  return y;
}
template <class T, int lanes>
Complex<T, lanes> scaled(const Complex<T, lanes>& a, T by) {
  Complex<T, lanes> y;
  for (int l = 0; l < lanes; ++l) y.re[l] = a.re[l] * by, y.im[l] = a.im[l] * by;
  return y;
}
// i a
template <class T, int lanes>
Complex<T, lanes> turned(const Complex<T, lanes>& a) {
  Complex<T, lanes> y;
  for (int l = 0; l < lanes; ++l) y.re[l] = -a.im[l], y.im[l] = a.re[l];
  return y;
}

// Of a length with a larger prime in it the transform is a convolution (Bluestein): a prime costs its square.
constexpr int64_t most_radix = 64;

struct Convolution;

template <class T>
struct Transform {
  int64_t length;
  bool inverse;
  std::vector<int64_t> factors;
  std::vector<Complex<T, 1>> roots;  // exp(+- 2 pi i k / length)
  std::shared_ptr<const Convolution> convolution;

  Transform(int64_t length, bool inverse);

  // Of `length` numbers; the result lies where they lie, or in `other`.
  template <int lanes>
  Complex<T, lanes>* run(Complex<T, lanes>* from, Complex<T, lanes>* other) const;

  // Reads [done, radix, inner], writes [radix, done, inner].
  template <int lanes>
  void pass(int64_t radix, int64_t done, int64_t inner, const Complex<T, lanes>* from, Complex<T, lanes>* to) const {
    using Number = Complex<T, lanes>;
    const int64_t step = inner * done;
    std::vector<Number> pluses, minuses;
    for (int64_t k = 0; k < done; ++k)
      for (int64_t i = 0; i < inner; ++i) {
        const Number* x = from + k * radix * inner + i;
        Number* y = to + k * inner + i;
        const auto put = [&](int64_t bin, const Number& sum) {
          y[bin * step] = i == 0 || bin == 0 ? sum : sum * roots[static_cast<size_t>(bin * done * i)];
        };
        if (radix == 2) {
          put(0, x[0] + x[inner]);
          put(1, x[0] - x[inner]);
        } else if (radix == 4) {
          const Number even = x[0] + x[2 * inner], odd = x[inner] + x[3 * inner];
          const Number along = x[0] - x[2 * inner];
          const Number across = turned(inverse ? x[inner] - x[3 * inner] : x[3 * inner] - x[inner]);
          put(0, even + odd);
          put(1, along + across);
          put(2, even - odd);
          put(3, along - across);
        } else {
          put_odd(radix, x, inner, put, pluses, minuses);
        }
      }
  }

  // The bins of an odd radix, in pairs: sum of x[m] w^(m bin), that of m and radix - m together.
  template <int lanes, class Put>
  void put_odd(int64_t radix, const Complex<T, lanes>* x, int64_t inner, const Put& put,
               std::vector<Complex<T, lanes>>& pluses, std::vector<Complex<T, lanes>>& minuses) const {
    const int64_t pair_count = radix / 2;
    pluses.resize(static_cast<size_t>(pair_count));
    minuses.resize(static_cast<size_t>(pair_count));
    Complex<T, lanes> all = x[0];
    for (int64_t m = 1; m <= pair_count; ++m) {
      const auto &a = x[m * inner], &b = x[(radix - m) * inner];
      pluses[static_cast<size_t>(m - 1)] = a + b;
      minuses[static_cast<size_t>(m - 1)] = turned(a - b);
      all = all + pluses[static_cast<size_t>(m - 1)];
    }
    put(0, all);
    for (int64_t bin = 1; bin <= pair_count; ++bin) {
      Complex<T, lanes> along = x[0], across{};
      int64_t power = 0;  // m * bin, modulo radix
      for (size_t m = 0; m < static_cast<size_t>(pair_count); ++m) {
        power += bin;
        if (power >= radix) power -= radix;
        const auto& w = roots[static_cast<size_t>(power * (length / radix))];
        along = along + scaled(pluses[m], w.re[0]);
        across = across + scaled(minuses[m], w.im[0]);
      }
      put(bin, along + across);
      put(radix - bin, along - across);
    }
  }
};

// The transform of any length n by those of a power of two, in f64: j k = (j^2 + k^2 - (k - j)^2) / 2, so that with
// c[k] = exp(+- pi i k^2 / n) it is y[k] = c[k] * sum over j of (x[j] c[j]) conj(c[k - j]).
struct Convolution {
  using Number = Complex<double, 1>;
  int64_t length, padded_length;
  Transform<double> forward;
  std::vector<Number> chirp, spectrum;  // spectrum: of conj(c), divided by the padded length

  Convolution(int64_t length, bool inverse)
      : length(length),
        padded_length(static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(2 * length - 1)))),
        forward(padded_length, false),
        chirp(static_cast<size_t>(length)) {
    std::vector<Number> mirrored(static_cast<size_t>(2 * padded_length));
    for (int64_t k = 0; k < length; ++k) {
      const auto [re, im] = root_of_unity(k * k % (2 * length), 2 * length);
      chirp[static_cast<size_t>(k)] = {{re}, {inverse ? im : -im}};
      const Number conjugate{{re / static_cast<double>(padded_length)},
                             {(inverse ? -im : im) / static_cast<double>(padded_length)}};
      mirrored[static_cast<size_t>(k)] = mirrored[static_cast<size_t>((padded_length - k) % padded_length)] = conjugate;
    }
    const auto* transformed = forward.run(mirrored.data(), mirrored.data() + padded_length);
    spectrum.assign(transformed, transformed + padded_length);
  }

  // In place. The inverse transform is that of the conjugate, conjugated.
  template <class T, int lanes>
  Complex<T, lanes>* run(Complex<T, lanes>* numbers) const {
    std::vector<Complex<double, lanes>> work(static_cast<size_t>(2 * padded_length));
    auto *first = work.data(), *second = first + padded_length;
    const auto conjugate = [](Complex<double, lanes> a) {
      for (double& im : a.im) im = -im;
      return a;
    };
    for (int64_t k = 0; k < length; ++k) {
      std::copy_n(numbers[k].re, lanes, first[k].re);
      std::copy_n(numbers[k].im, lanes, first[k].im);
      first[k] = first[k] * chirp[static_cast<size_t>(k)];
    }
    auto* y = forward.run(first, second);
    for (int64_t k = 0; k < padded_length; ++k) y[k] = conjugate(y[k] * spectrum[static_cast<size_t>(k)]);
    y = forward.run(y, y == first ? second : first);
    for (int64_t k = 0; k < length; ++k) {
      const auto sum = conjugate(y[k]) * chirp[static_cast<size_t>(k)];
      std::copy_n(sum.re, lanes, numbers[k].re);
      std::copy_n(sum.im, lanes, numbers[k].im);
    }
    return numbers;
  }
};

template <class T>
Transform<T>::Transform(int64_t length, bool inverse)
    : length(length), inverse(inverse), factors(fourier_factors(length)) {
  if (factors.back() > most_radix) {
    convolution = std::make_shared<Convolution>(length, inverse);
    return;
  }
  roots.resize(static_cast<size_t>(length));
  for (int64_t k = 0; k < length; ++k) {
    const auto [re, im] = root_of_unity(k, length);
    roots[static_cast<size_t>(k)] = {{static_cast<T>(re)}, {static_cast<T>(inverse ? im : -im)}};
  }
}

template <class T>
template <int lanes>
Complex<T, lanes>* Transform<T>::run(Complex<T, lanes>* from, Complex<T, lanes>* other) const {
  if (convolution) return convolution->run(from);
  int64_t done = 1, inner = length;
  for (const int64_t radix : factors) {
    inner /= radix;
    pass(radix, done, inner, from, other);
    done *= radix;
    std::swap(from, other);
  }
  return from;
}

// Where signals lie in a tensor: signal s begins at s / inner_count * outer + s % inner_count * inner; its elements lie
// `step` apart, and real and imaginary part, where there are two, beside each other.
struct Layout {
  TensorView tensor;
  int64_t outer, inner, step;
  int64_t first(int64_t signal, int64_t inner_count) const {
    return signal / inner_count * outer + signal % inner_count * inner;
  }
  int64_t parts() const { return tensor.dim(-1); }
};

struct Signals {
  Layout x, y;
  int64_t inner_count, length;
  int64_t given_count, kept_count;  // elements of a signal, in x and in y
  bool inverse = false, mirrored = false;  // mirrored: bins behind length / 2 are conjugates of those before; y is real
  TensorView window = {};                  // by which the elements of x are multiplied, where it is there
};

// The signals [begin, end), of which there are no more than lanes.
template <class T, int lanes>
void transform(const Signals& s, const Transform<T>& transform, int64_t begin, int64_t end,
               std::vector<Complex<T, lanes>>& numbers) {
  numbers.assign(static_cast<size_t>(2 * s.length), {});
  const int64_t count = std::min(s.given_count, s.mirrored ? s.length / 2 + 1 : s.length);
  RowReader<T> reader(s.x.tensor), window_reader(s.window);
  const T* window = s.window.present() ? window_reader.row(0, count) : nullptr;
  for (int64_t signal = begin; signal < end; ++signal)
    for (int64_t part = 0; part < s.x.parts(); ++part) {
      const T* from = reader.row(s.x.first(signal, s.inner_count) + part, count, s.x.step);
      for (int64_t k = 0; k < count; ++k) {
        auto& number = numbers[static_cast<size_t>(k)];
        (part == 0 ? number.re : number.im)[signal - begin] = window ? from[k] * window[k] : from[k];
      }
    }
  const auto make_real = [&](Complex<T, lanes>* bins) {
    for (int l = 0; l < lanes; ++l) {
      bins[0].im[l] = 0;
      if (s.length % 2 == 0) bins[s.length / 2].im[l] = 0;
    }
  };
  if (s.mirrored) {
    make_real(numbers.data());
    for (int64_t k = 1; 2 * k < s.length; ++k) {
      const auto& bin = numbers[static_cast<size_t>(k)];
      auto& mirrored = numbers[static_cast<size_t>(s.length - k)];
      for (int l = 0; l < lanes; ++l) mirrored.re[l] = bin.re[l], mirrored.im[l] = -bin.im[l];
    }
  }
  auto* bins = transform.run(numbers.data(), numbers.data() + s.length);
  if (s.x.parts() == 1) make_real(bins);  // by symmetry
  const T scale = s.inverse ? 1 / static_cast<T>(s.length) : 1;
  RowWriter<T> writer(s.y.tensor);
  for (int64_t signal = begin; signal < end; ++signal)
    for (int64_t part = 0; part < s.y.parts(); ++part) {
      T* to = writer.row(s.y.first(signal, s.inner_count) + part, s.kept_count, s.y.step);
      for (int64_t k = 0; k < s.kept_count; ++k)
        to[k] = scale * (part == 0 ? bins[k].re : bins[k].im)[signal - begin];
      writer.finish();
    }
}

template <class T>
void run_of(const Running& run, const Signals& s) {
  constexpr int lanes = 32 / sizeof(T);
  const Transform<T> plan(s.length, s.inverse);
  const int64_t signal_count = s.y.tensor.count() / s.kept_count / s.y.parts();
  if (signal_count < lanes / 2) {
    run.parallel_for(signal_count, 1, [&](int64_t begin, int64_t end) {
      std::vector<Complex<T, 1>> numbers;
      for (int64_t signal = begin; signal < end; ++signal) transform<T, 1>(s, plan, signal, signal + 1, numbers);
    });
    return;
  }
  const int64_t grain = std::max<int64_t>(1, 2048 / s.length);
  run.parallel_for((signal_count + lanes - 1) / lanes, grain, [&](int64_t begin, int64_t end) {
    std::vector<Complex<T, lanes>> numbers;
    for (int64_t group = begin; group < end; ++group)
      transform<T, lanes>(s, plan, group * lanes, std::min(signal_count, (group + 1) * lanes), numbers);
  });
}

Result<int64_t> number_of(const TensorView& input, std::string_view name) {
  if (input.count() != 1)
    return Error{Code::shape_mismatch,
                 std::string(name) + " has " + std::to_string(input.count()) + " elements; expected one"};
  return input.integers()[0];
}

Result<void> run(Running& run) {
  const auto x = run.input(0);
  if (x.rank() < 2 || x.dim(-1) < 1 || x.dim(-1) > 2)
    return Error{Code::shape_mismatch, "the last axis is not 1 (real) or 2 (complex)"};
  const bool inverse = run.integer("inverse") != 0, onesided = run.integer("onesided") != 0;
  int64_t given_axis = run.version() < 20 ? run.integer("axis", 1) : -2;
  if (run.input(2).present()) {
    HEED_ASSIGN(given_axis, number_of(run.input(2), "the axis"));
  }
  HEED_ASSIGN(const int32_t axis, NodeView::checked_axis(given_axis, x.rank()));
  if (axis == x.rank() - 1) return Error{Code::invalid_argument, "the axis is that of real and imaginary parts"};
  int64_t length = inverse && onesided ? 2 * (x.dim(axis) - 1) : x.dim(axis);
  if (run.input(1).present()) {
    HEED_ASSIGN(length, number_of(run.input(1), "dft_length"));
    if (length < 1) return Error{Code::invalid_argument, "dft_length is " + std::to_string(length)};
  }
  if (length < 0) length = 0;
  std::vector<int64_t> dims(x.dims().begin(), x.dims().end());
  dims[static_cast<size_t>(axis)] = onesided && !inverse ? length / 2 + 1 : length;
  dims.back() = inverse && onesided ? 1 : 2;
  HEED_ASSIGN(const auto y, run.allocate(0, dims));
  if (y.count() == 0) return {};
  if (length == 0) return Error{Code::shape_mismatch, "the signals are empty, and no dft_length tells more"};
  const int64_t inner = x.count(axis + 1, x.rank() - 1);
  const auto layout_of = [&](const TensorView& t) {
    return Layout{t, t.dim(axis) * inner * t.dim(-1), t.dim(-1), inner * t.dim(-1)};
  };
  const Signals signals{.x = layout_of(x),
                        .y = layout_of(y),
                        .inner_count = inner,
                        .length = length,
                        .given_count = x.dim(axis),
                        .kept_count = y.dim(axis),
                        .inverse = inverse,
                        .mirrored = inverse && onesided};
  dispatch_float(x.element(), [&]<class T>(T) { run_of<T>(run, signals); });
  return {};
}

// STFT, where only the run tells frame_step or frame_length.
Result<void> run_frames(Running& run) {
  const auto x = run.input(0), window = run.input(2);
  HEED_TRY(check_rank(run, 0, 3));
  if (x.dim(2) < 1 || x.dim(2) > 2)
    return Error{Code::shape_mismatch, "the last axis is not 1 (real) or 2 (complex)"};
  HEED_ASSIGN(const int64_t step, number_of(run.input(1), "frame_step"));
  int64_t length = window.present() ? window.count() : x.dim(1);
  if (run.input(3).present()) {
    HEED_ASSIGN(length, number_of(run.input(3), "frame_length"));
  }
  if (step < 1 || length < 1 || length > x.dim(1) || (window.present() && window.count() != length))
    return Error{Code::invalid_argument, "frames of " + std::to_string(length) + " elements, " + std::to_string(step) +
                                             " apart, of a signal of " + std::to_string(x.dim(1)) +
                                             (window.present() ? ", meet a window of " + std::to_string(window.count())
                                                               : std::string())};
  const int64_t frame_count = (x.dim(1) - length) / step + 1;
  const int64_t kept_count = run.integer("onesided", 1) != 0 ? length / 2 + 1 : length;
  HEED_ASSIGN(const auto y, run.allocate(0, std::array{x.dim(0), frame_count, kept_count, int64_t{2}}));
  if (y.count() == 0) return {};
  const Signals signals{.x = {x, x.dim(1) * x.dim(2), step * x.dim(2), x.dim(2)},
                        .y = {y, frame_count * kept_count * 2, kept_count * 2, 2},
                        .inner_count = frame_count,
                        .length = length,
                        .given_count = length,
                        .kept_count = kept_count,
                        .window = window};
  dispatch_float(x.element(), [&]<class T>(T) { run_of<T>(run, signals); });
  return {};
}

}  // namespace

extern const CpuKernel dft{.op_type = "DFT", .run = run};
extern const CpuKernel stft{.op_type = "STFT", .run = run_frames};

}  // namespace heed::cpu
