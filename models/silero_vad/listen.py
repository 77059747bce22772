#!/usr/bin/env python3
"""Tells where a recording has speech, with the voice activity detectors of PyPI's package silero-vad.

    listen.py [--heed HEED] [--package FOLDER] [--device DEVICE] [--export NAME]... [--chunks N] SPEECH.wav

prints the probability of speech in each chunk of 32 ms, in a column for each export; `--export all` shows all that
read the recording's rate. The sequence export takes the chunks in one run; the others take a run for each, of a fifth
of a second, the state handed from run to run. It needs numpy, and a WAV file of 16 bits, one channel, 16 or 8 kHz.
"""
import sys
import wave
from pathlib import Path

import numpy

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from pypi import Heed, fail, model_files, parser

SEQUENCE = "silero_vad_16k_sequence"
SAMPLES = {16000: (64, 512), 8000: (32, 256)}  # a second -> context, which is the end of the chunk before, and chunk
STATES = {"state": ("stateN", (2, 1, 128)), "h": ("hn", (1, 1, 128)), "c": ("cn", (1, 1, 128))}  # input: output
CHUNKS_A_RUN = 512  # of the sequence export, as in the package


def read_wav(path):
    """f32 samples from -1 to 1, and how many there are a second."""
    try:
        with wave.open(str(path)) as file:
            rate, width, channels = file.getframerate(), file.getsampwidth(), file.getnchannels()
            samples = numpy.frombuffer(file.readframes(file.getnframes()), "<i2" if width == 2 else "u1")
    except (OSError, EOFError, wave.Error) as problem:
        fail(f"{path}: {problem}")
    if width != 2 or channels != 1 or rate not in SAMPLES:
        fail(f"{path} has {8 * width} bits, {channels} channels and {rate} Hz; expected: 16, 1, and 16000 or 8000")
    return samples.astype(numpy.float32) / 32768, rate


def chunks_of(samples, rate, most):
    """f32 [chunk, context + samples]; silence stands before the first, and fills the last."""
    context, size = SAMPLES[rate]
    count = -(-len(samples) // size)
    padded = numpy.zeros(context + count * size, numpy.float32)
    padded[context:context + len(samples)] = samples
    return numpy.stack([padded[i * size:(i + 1) * size + context] for i in range(count)][:most])


def reads(name, inputs, rate):
    return rate == 16000 or ("sr" in inputs and "16k" not in name)


def probabilities(heed, model, inputs, chunks, rate):
    """f32 [chunk]."""
    states = {name: numpy.zeros(shape, numpy.float32) for name, (_, shape) in STATES.items() if name in inputs}
    given = {"sr": numpy.array(rate, numpy.int64)} if "sr" in inputs else {}
    output, step = ("speech_probs", CHUNKS_A_RUN) if "h" in states else ("output", 1)
    found = []
    for begin in range(0, len(chunks), step):
        outputs = heed.run(model, input=chunks[begin:begin + step], **given, **states)
        states = {name: outputs[STATES[name][0]] for name in states}
        found.append(outputs[output].ravel())
    return numpy.concatenate(found)


def main():
    arguments = parser(__doc__.splitlines()[0], "silero-vad", "silero_vad")
    arguments.add_argument("--export", action="append", metavar="NAME", dest="exports",
                           help=f"a file's name without .onnx, or all (default: {SEQUENCE}; at 8 kHz silero_vad)")
    arguments.add_argument("--chunks", type=int, metavar="N", help="only so many chunks")
    arguments.add_argument("recording", type=Path, metavar="SPEECH.wav")
    options = arguments.parse_args()
    samples, rate = read_wav(options.recording)
    if not len(samples):
        fail(f"{options.recording} has no samples")
    folder, = model_files(options, "silero-vad", "silero_vad", "data")
    every = sorted(path.stem for path in folder.glob("*.onnx"))
    names = options.exports or [SEQUENCE if rate == 16000 else "silero_vad"]
    heed, chunks = Heed(options), chunks_of(samples, rate, options.chunks)

    columns = {}
    for name in every if names == ["all"] else names:
        model = folder / f"{name}.onnx"
        if not model.exists():
            fail(f"{folder} has no {model.name}; it has {', '.join(every)}")
        inputs = {each["name"] for each in heed.inspect(model)["inputs"]}
        if reads(name, inputs, rate):
            columns[name] = probabilities(heed, model, inputs, chunks, rate)
        elif names != ["all"]:
            fail(f"{name} reads 16000 Hz; {options.recording} has {rate}")
    print(" seconds", *columns)
    seconds = SAMPLES[rate][1] / rate
    for index, row in enumerate(zip(*columns.values())):
        print(f"{index * seconds:8.3f}", *(f"{probability:{len(name)}.6f}" for name, probability in zip(columns, row)))


if __name__ == "__main__":
    main()
