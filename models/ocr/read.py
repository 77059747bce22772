#!/usr/bin/env python3
"""Reads the text in images with the models of PyPI's package rapidocr-onnxruntime: one finds lines, one reads them.

    read.py [--heed HEED] [--package FOLDER] [--device DEVICE] [--side PIXELS] [--boxes] IMAGE...

prints the lines of each image from top to bottom; with --boxes each piece of a line by itself, where it stands (left,
top, width, height) and how sure the model is. Text stands upright, or a quarter turned to the right, in boxes along the
axes: tilted lines are read badly. It needs numpy and PIL, such as Debian's python3-pil.
"""
import sys
from pathlib import Path

import numpy

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from pypi import Heed, fail, model_files, parser

try:
    from PIL import Image
except ModuleNotFoundError:
    fail("python3 finds no PIL, which reads the images: install Debian's python3-pil, or pillow from PyPI")

PACKAGE, MODULE = "rapidocr-onnxruntime", "rapidocr_onnxruntime"
DETECTION = "models/ch_PP-OCRv4_det_infer.onnx"
RECOGNITION = "models/ch_PP-OCRv4_rec_infer.onnx"
# The package's config.yaml and main.py have these numbers.
SHORT_SIDE, LONGEST_SIDE, SIDE_UNIT = 736, 2000, 32  # pixels of what the detection sees
LEAST_HEIGHT, WIDEST = 30, 8  # pixels, and width by height; flatter images get black above and below
TEXT_PIXEL, TEXT_BOX, TEXT_SCORE = 0.3, 0.5, 0.5  # probabilities from which a pixel, a box and what was read count
GROWTH, LEAST_SIDE = 1.6, 3  # boxes are found too small: grown by so much of area by perimeter
LINE_HEIGHT, LINE_WIDTH, LINES_A_RUN = 48, 320, 6  # pixels of what the recognition sees, at least as wide
TURNED = 1.5  # height by width from which a box is text that is turned


def read_image(path):
    """u8 [height, width, blue green red]; what is transparent is white."""
    try:
        with Image.open(path) as image:
            image = image.convert("RGBA")
    except OSError as problem:
        fail(f"{path}: {problem}")
    white = Image.new("RGBA", image.size, "white")
    return numpy.asarray(Image.alpha_composite(white, image).convert("RGB"))[:, :, ::-1]


def resized(pixels, width, height):
    """f32 [3, height, width] from -1 to 1."""
    image = Image.fromarray(numpy.ascontiguousarray(pixels)).resize((width, height), Image.BILINEAR)
    return numpy.asarray(image, numpy.float32).transpose(2, 0, 1) / 127.5 - 1


def regions_of(mask):
    """(left, top, right, bottom) of each region of pixels that touch, also at corners, of bool [height, width].

    Each row's runs of pixels are joined with those that they touch in the row before.
    """
    parents, boxes, before = [], [], []

    def root(index):
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    for y, row in enumerate(mask):
        edges = numpy.flatnonzero(numpy.diff(numpy.concatenate(([0], row.astype(numpy.int8), [0]))))
        runs, first = [], 0
        for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist()):
            index = len(parents)
            parents.append(index)
            boxes.append((begin, y, end, y + 1))
            while first < len(before) and before[first][1] < begin:
                first += 1
            for other_begin, _, other in before[first:]:
                if other_begin > end:
                    break
                parents[root(other)] = index
            runs.append((begin, end, index))
        before = runs
    joined = {}
    for index, (left, top, right, bottom) in enumerate(boxes):
        key = root(index)
        known = joined.get(key, (left, top, right, bottom))
        joined[key] = (min(left, known[0]), min(top, known[1]), max(right, known[2]), max(bottom, known[3]))
    return list(joined.values())


def find_boxes(heed, model, pixels, short_side):
    """i32 (left, top, right, bottom) of text, in pixels of the image."""
    height, width = pixels.shape[:2]
    border = 0
    if height <= LEAST_HEIGHT or width > WIDEST * height:
        border = max(0, 2 * max(width // WIDEST, LEAST_HEIGHT) - height) // 2
    framed = numpy.pad(pixels, ((border, border), (0, 0), (0, 0)))
    shrunk = min(1, LONGEST_SIDE / max(framed.shape[:2]))
    scale = max(shrunk, short_side / min(framed.shape[:2]))
    seen_height, seen_width = (max(1, round(side * scale / SIDE_UNIT)) * SIDE_UNIT for side in framed.shape[:2])
    output, = heed.run(model, x=resized(framed, seen_width, seen_height)[None]).values()
    across, down = framed.shape[1] / seen_width, framed.shape[0] / seen_height
    text = output[0, 0]

    mask = text > TEXT_PIXEL
    thick = mask.copy()
    thick[1:] |= mask[:-1]
    thick[:, 1:] |= thick[:, :-1].copy()
    found = []
    for left, top, right, bottom in regions_of(thick):
        if min(right - left, bottom - top) < LEAST_SIDE or text[top:bottom, left:right].mean() < TEXT_BOX:
            continue
        growth = GROWTH * (right - left) * (bottom - top) / (2 * (right - left + bottom - top))
        left, right = (min(max(round(x * across), 0), width) for x in (left - growth, right + growth))
        top, bottom = (min(max(round(y * down) - border, 0), height) for y in (top - growth, bottom + growth))
        if min(right - left, bottom - top) > LEAST_SIDE:
            found.append((left, top, right, bottom))
    return found


def is_turned(box):
    left, top, right, bottom = box
    return bottom - top >= TURNED * (right - left)


def lines_of(boxes):
    """Lists of boxes from top to bottom, each from left to right: neighbours share half of the lower one's height."""
    lines = []
    for box in sorted(boxes, key=lambda box: (box[1] + box[3], box[0])):
        for line in lines:
            top, bottom = line[-1][1], line[-1][3]
            shared = min(bottom, box[3]) - max(top, box[1])
            if shared > min(bottom - top, box[3] - box[1]) / 2 and not is_turned(box) and not is_turned(line[-1]):
                line.append(box)
                break
        else:
            lines.append([box])
    return [sorted(line) for line in lines]


def characters_of(heed, model):
    """What the columns of the recognition's output stand for; the first is the blank between characters."""
    characters = heed.inspect(model)["metadata"].get("character")
    if not characters:
        fail(f"{model} names no characters in its metadata, under 'character'")
    return ["", *characters.splitlines(), " "]


def decode(probabilities, characters):
    """(text, mean probability) from [column, character]: a character lasts over columns, until a blank or another."""
    best = probabilities.argmax(1)
    kept = best != 0
    kept[1:] &= best[1:] != best[:-1]
    score = float(probabilities.max(1)[kept].mean()) if kept.any() else 0.0
    return "".join(characters[index] for index in best[kept]), score


def read_boxes(heed, model, characters, pixels, boxes):
    """(text, score) by box."""
    crops = {}
    for box in boxes:
        left, top, right, bottom = box
        crop = pixels[top:bottom, left:right]
        crops[box] = numpy.rot90(crop) if is_turned(box) else crop
    by_width = sorted(boxes, key=lambda box: crops[box].shape[1] / crops[box].shape[0])
    texts = {}
    for begin in range(0, len(by_width), LINES_A_RUN):
        batch = by_width[begin:begin + LINES_A_RUN]
        widths = [-(-LINE_HEIGHT * crops[box].shape[1] // crops[box].shape[0]) for box in batch]
        seen = numpy.zeros((len(batch), 3, LINE_HEIGHT, max(LINE_WIDTH, *widths)), numpy.float32)
        for row, box, width in zip(seen, batch, widths):
            row[:, :, :width] = resized(crops[box], width, LINE_HEIGHT)
        output, = heed.run(model, x=seen).values()
        texts.update((box, decode(probabilities, characters)) for box, probabilities in zip(batch, output))
    return texts


def main():
    arguments = parser(__doc__.splitlines()[0], PACKAGE, MODULE)
    arguments.add_argument("--side", type=int, default=SHORT_SIDE, metavar="PIXELS",
                           help=f"images are enlarged until their shorter side has so many (default: {SHORT_SIDE})")
    arguments.add_argument("--boxes", action="store_true", help="each piece of text with its place and score")
    arguments.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    options = arguments.parse_args()
    detection, recognition = model_files(options, PACKAGE, MODULE, DETECTION, RECOGNITION)
    heed = Heed(options)
    characters = characters_of(heed, recognition)
    for path in options.images:
        if len(options.images) > 1:
            print(f"{path}:")
        pixels = read_image(path)
        boxes = find_boxes(heed, detection, pixels, options.side)
        texts = read_boxes(heed, recognition, characters, pixels, boxes)
        for line in lines_of([box for box in boxes if texts[box][1] >= TEXT_SCORE]):
            if not options.boxes:
                print(*(texts[box][0] for box in line))
                continue
            for box in line:
                (left, top, right, bottom), (text, score) = box, texts[box]
                print(f"{left:5} {top:5} {right - left:5} {bottom - top:5}  {score:.4f}  {text}")


if __name__ == "__main__":
    main()
