#!/usr/bin/python3
"""Writes stories260K, a small Llama of llama2.c, as an ONNX model in the operators of opset 23.

    make.py FOLDER_WITH_BIN OUTPUT_FOLDER

reads stories260K.bin and tok512.bin and writes model.onnx and tokenizer.json. It needs numpy and onnx, of any version.
"""
import json
import struct
import sys
from pathlib import Path

import numpy

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from dialects import DIALECTS
from onnx_graph import FLOAT, INT64, save

RMS_EPSILON = 1e-5
UNKNOWN, BOS, EOS = 0, 1, 2
FIRST_PIECE = 259  # 3 to 258 are the single bytes, "<0x00>" to "<0xFF>"


def read_weights(path):
    """llama2.c's version 0: seven int32, then float32 tensors one after the other, each stacked over the layers."""
    data = path.read_bytes()
    names = ("width", "hidden", "layers", "query_heads", "key_heads", "vocab", "context")
    sizes = dict(zip(names, struct.unpack_from("<7i", data)))
    if sizes["vocab"] < 0:
        raise SystemExit(f"{path}: the classifier's weights are not the embedding's; only tied weights are read here")
    width, hidden, layers = sizes["width"], sizes["hidden"], sizes["layers"]
    head_dim = width // sizes["query_heads"]
    key_width = head_dim * sizes["key_heads"]
    shapes = {
        "embedding": (sizes["vocab"], width),
        "attention_norm": (layers, width),
        "query": (layers, width, width),
        "key": (layers, key_width, width),
        "value": (layers, key_width, width),
        "output": (layers, width, width),
        "feed_forward_norm": (layers, width),
        "gate": (layers, hidden, width),
        "down": (layers, width, hidden),
        "up": (layers, hidden, width),
        "final_norm": (width,),
        "rotary_cos": (sizes["context"], head_dim // 2),
        "rotary_sin": (sizes["context"], head_dim // 2),
    }
    numbers = numpy.frombuffer(data, "<f4", offset=28)
    counts = [numpy.prod(shape) for shape in shapes.values()]
    if sum(counts) != len(numbers):
        raise SystemExit(f"{path}: {len(numbers)} numbers, where its header promises {sum(counts)}")
    parts = numpy.split(numbers, numpy.cumsum(counts)[:-1])
    return {**sizes, "head_dim": head_dim}, {name: part.reshape(shapes[name]) for name, part in zip(shapes, parts)}


def build_model(sizes, weights):
    graph = DIALECTS["standard_23"]()
    ids = graph.input("input_ids", INT64, ["batch", "seq"])
    embedding = graph.constant("embedding.weight", weights["embedding"])
    caches = [graph.constant(f"rotary.{part}", weights[f"rotary_{part}"]) for part in ("cos", "sin")]

    past = graph.node("Shape", ["past_key_values.0.key"], "positions.past", start=2, end=3)
    ids_shape = graph.node("Shape", [ids], "positions.ids_shape")
    seq = graph.node("Shape", [ids], "positions.seq", start=1, end=2)
    total = graph.node("Add", [past, seq], "positions.total")
    first, end = (graph.node("Squeeze", [x], f"{x}.scalar") for x in (past, total))
    one = graph.constant("positions.one", numpy.int64(1))
    row = graph.node("Range", [first, end, one], "positions.range")
    positions = graph.node("Expand", [row, ids_shape], "positions")

    x = graph.node("Gather", [embedding, ids], "embedding")
    for layer in range(sizes["layers"]):
        scope = f"layers.{layer}"

        normed = graph.rms_norm(x, f"{scope}.attention_norm", weights["attention_norm"][layer], RMS_EPSILON)
        query, key, value = (graph.linear(normed, f"{scope}.attention.{part}", weights[part][layer])
                             for part in ("query", "key", "value"))
        query, key = (
            graph.node("RotaryEmbedding", [part, *caches, positions], f"{scope}.attention.{name}_rotary", interleaved=1,
                       num_heads=sizes[f"{name}_heads"])
            for name, part in (("query", query), ("key", key)))
        shapes = (["batch", sizes["key_heads"], length, sizes["head_dim"]] for length in ("past", "past + seq"))
        pasts, presents = graph.caches(layer, *shapes)
        attended = graph.node("Attention", [query, key, value, "", *pasts], f"{scope}.attention", presents, is_causal=1,
                              q_num_heads=sizes["query_heads"], kv_num_heads=sizes["key_heads"])
        projected = graph.linear(attended, f"{scope}.attention.projection", weights["output"][layer])
        x = graph.node("Add", [x, projected], f"{scope}.attention_skip")

        normed = graph.rms_norm(x, f"{scope}.feed_forward_norm", weights["feed_forward_norm"][layer], RMS_EPSILON)
        gate = graph.linear(normed, f"{scope}.feed_forward.gate", weights["gate"][layer])
        up = graph.linear(normed, f"{scope}.feed_forward.up", weights["up"][layer])
        gated = graph.swiglu(gate, up, f"{scope}.feed_forward.gated")
        down = graph.linear(gated, f"{scope}.feed_forward.down", weights["down"][layer])
        x = graph.node("Add", [x, down], f"{scope}.feed_forward_skip")

    x = graph.rms_norm(x, "final_norm", weights["final_norm"], RMS_EPSILON)
    head = graph.node("Transpose", [embedding], "head.weight", perm=[1, 0])
    graph.node("MatMul", [x, head], "head", first="logits")
    graph.output("logits", FLOAT, ["batch", "seq", sizes["vocab"]])
    return graph.model("stories260k", {"heed.context": str(sizes["context"])})


def read_pieces(path, count):
    """int32 length of the longest piece, then for each piece float32 score, int32 length and its bytes in UTF-8."""
    data = path.read_bytes()
    offset, pieces = 4, []
    for _ in range(count):
        score, length = struct.unpack_from("<fi", data, offset)
        pieces.append((data[offset + 8:offset + 8 + length].decode(), score))
        offset += 8 + length
    return pieces


def build_tokenizer(pieces):
    """The same merges as llama2.c: always the pair that gives the piece of the highest score."""
    named = {UNKNOWN: "<unk>", BOS: "<s>", EOS: "</s>"}
    vocab = {named.get(i, text.replace(" ", "▁")): i for i, (text, _) in enumerate(pieces)}
    score = {text: pieces[i][1] for text, i in vocab.items() if i >= FIRST_PIECE}
    merges = [f"{text[:cut]} {text[cut:]}" for text in sorted(score, key=score.get, reverse=True)
              for cut in range(1, len(text)) if text[:cut] in score and text[cut:] in score]
    special = [{"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                "special": True} for i, text in named.items()]
    bos = {"SpecialToken": {"id": named[BOS], "type_id": 0}}
    first, second = ({"Sequence": {"id": name, "type_id": i}} for i, name in enumerate("AB"))
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing", "single": [bos, first],
            "pair": [bos, first, {"SpecialToken": {"id": named[BOS], "type_id": 1}}, second],
            "special_tokens": {named[BOS]: {"id": named[BOS], "ids": [BOS], "tokens": [named[BOS]]}}},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": named[UNKNOWN], "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "vocab": vocab, "merges": merges},
    }


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, target = map(Path, sys.argv[1:])
    sizes, weights = read_weights(source / "stories260K.bin")
    tokenizer = build_tokenizer(read_pieces(source / "tok512.bin", sizes["vocab"]))
    save(build_model(sizes, weights), target)
    (target / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
