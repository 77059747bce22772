#!/usr/bin/env python3
"""Tells the kind of files by their bytes, with the model of PyPI's package magika.

    classify.py [--heed HEED] [--package FOLDER] [--device DEVICE] FILE...

prints for each file its kind, how sure the model is of it, and what the kind is. What the model sees of a file, and
when its word is taken, is as in the package's magika.py, in its mode "high confidence". It needs numpy.
"""
import json
import sys
from pathlib import Path

import numpy

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from pypi import Heed, model_files, parser

MODEL = "models/standard_v3_3/model.onnx"
CONFIG = "models/standard_v3_3/config.min.json"
KINDS = "config/content_types_kb.min.json"
FILES_A_RUN = 100


def features(first, last, config):
    """i32 [beg_size + end_size], from the first and the last block of a file: bytes, white space around them left out;
    what a short file lacks is padding, behind its beginning and before its end."""
    begin, end = first.lstrip()[:config["beg_size"]], last.rstrip()[-config["end_size"]:]
    row = numpy.full(config["beg_size"] + config["end_size"], config["padding_token"], numpy.int32)
    row[:len(begin)] = list(begin)
    row[len(row) - len(end):] = list(end)
    return row


def is_utf8(content):
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def read(path, config):
    """(kind, None) of what needs no model, or (None, the features)."""
    if path.is_dir():
        return "directory", None
    with path.open("rb") as file:
        first = file.read(config["block_size"])
        size = path.stat().st_size
        file.seek(max(0, size - config["block_size"]))
        last = file.read(config["block_size"])
    if not first:
        return "empty", None
    row = features(first, last, config)
    least = config["min_file_size_for_dl"]
    if len(first) < least or row[least - 1] == config["padding_token"]:
        return "txt" if is_utf8(first) else "unknown", None
    return None, row


def judge(probabilities, config, kinds):
    """(kind, probability, what the model would guess): a guess that is not sure enough becomes text, or unknown."""
    best = int(probabilities.argmax())
    guess = config["target_labels_space"][best]
    kind = config["overwrite_map"].get(guess, guess)
    if probabilities[best] < config["thresholds"].get(guess, config["medium_confidence_threshold"]):
        kind = "txt" if kinds[kind]["is_text"] else "unknown"
    return kind, float(probabilities[best]), guess


def main():
    arguments = parser(__doc__.splitlines()[0], "magika", "magika")
    arguments.add_argument("files", nargs="+", type=Path, metavar="FILE")
    options = arguments.parse_args()
    model, config, kinds = model_files(options, "magika", "magika", MODEL, CONFIG, KINDS)
    config, kinds = (json.loads(path.read_text(encoding="utf-8")) for path in (config, kinds))
    heed = Heed(options)

    results, seen, unread = {}, [], 0
    for path in options.files:
        try:
            kind, row = read(path, config)
        except OSError as problem:
            print(f"error: {problem}", file=sys.stderr)
            unread += 1
            continue
        results[path] = (kind, 1.0, kind)
        if row is not None:
            seen.append((path, row))
    for begin in range(0, len(seen), FILES_A_RUN):
        paths, rows = zip(*seen[begin:begin + FILES_A_RUN])
        outputs = heed.run(model, bytes=numpy.stack(rows))["target_label"]
        results.update((path, judge(output, config, kinds)) for path, output in zip(paths, outputs))
    for path, (kind, probability, guess) in results.items():
        doubt = "" if guess in (kind, "randombytes", "randomtxt") else f"; the model's guess is {guess}"
        print(f"{path}: {kind} {probability:.4f} ({kinds[kind]['description'] or kind}{doubt})")
    sys.exit(1 if unread else 0)


if __name__ == "__main__":
    main()
