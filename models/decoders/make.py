#!/usr/bin/python3
"""Writes decoders of random weights in the dialects of today's exporters: the same model, whatever it is spelt in.

    make.py [--size tiny|small] [--dialect DIALECT] [--weights WEIGHTS] gpt2|llama|qwen2|qwen3 OUTPUT_FOLDER

writes model.onnx and tokenizer.json, in which each byte is a token. It needs numpy and onnx, of any version.
"""
import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from dialects import DIALECTS, WEIGHTS
from onnx_graph import save

ROTARY_BASE = 10000


@dataclass(frozen=True)
class Decoder:
    """What tells the models apart. Widths are channels; each head of keys serves query_heads / key_heads of queries."""
    name: str
    layers: int
    width: int
    query_heads: int
    key_heads: int
    head_dim: int
    hidden: int
    vocab: int
    context: int
    epsilon: float
    seed: int  # of its parameters; those of the tiny ones let no two logits come close
    is_rotary: bool = True  # else positions are learned, norms have a bias, and the feed forward network a gelu
    has_qkv_bias: bool = False
    has_head_norms: bool = False

    @property
    def is_packed(self):
        """Whether queries, keys and values are one product."""
        return not self.is_rotary

    def frequencies(self):
        """[head_dim / 2], radians a position."""
        return ROTARY_BASE ** (-numpy.arange(0, self.head_dim, 2) / self.head_dim)

    def rotary_tables(self):
        """cos and sin [context, head_dim / 2]"""
        angles = numpy.outer(numpy.arange(self.context), self.frequencies().astype(numpy.float32)).astype(numpy.float32)
        return {"cos": numpy.cos(angles), "sin": numpy.sin(angles)}


def decoders(layers, width, heads, key_heads, hidden, vocab, context):
    gpt2 = Decoder("gpt2", layers, width, heads, heads, width // heads, 4 * width, vocab, context, 1e-5, 43, is_rotary=False, has_qkv_bias=True)
    llama = Decoder("llama", layers, width, heads, key_heads, width // heads, hidden, vocab, context, 1e-5, 3)
    qwen2 = replace(llama, name="qwen2", epsilon=1e-6, seed=31, has_qkv_bias=True)
    qwen3 = replace(llama, name="qwen3", epsilon=1e-6, seed=29, head_dim=2 * llama.head_dim, has_head_norms=True)
    return {decoder.name: decoder for decoder in (gpt2, llama, qwen2, qwen3)}


SIZES = {
    "tiny": decoders(layers=2, width=64, heads=4, key_heads=2, hidden=160, vocab=288, context=128),
    "small": decoders(layers=12, width=768, heads=12, key_heads=4, hidden=2048, vocab=50257, context=1024),  # GPT-2 small's
}


class RandomParameters:
    """Parameters in the order in which they are asked for, as large as those of trained models."""

    def __init__(self, seed):
        self.random = numpy.random.RandomState(seed)

    def normal(self, *shape, scale):
        return (scale * self.random.standard_normal(shape)).astype(numpy.float32)

    def matrix(self, outputs, inputs):
        return self.normal(outputs, inputs, scale=inputs**-0.5)

    def bias(self, width):
        return self.normal(width, scale=0.1)

    def norm(self, width, has_bias=False):
        scale = 1 + self.normal(width, scale=0.1)
        return (scale, self.bias(width)) if has_bias else (scale,)


def build_model(decoder, graph):
    random = RandomParameters(decoder.seed)
    has_bias = not decoder.is_rotary

    def linear(x, name, inputs, outputs, bias=has_bias):
        return graph.linear(x, name, random.matrix(outputs, inputs), random.bias(outputs) if bias else None)

    def skip_norm(x, branch, name):
        return graph.skip_norm(x, branch, name, *random.norm(decoder.width, has_bias), epsilon=decoder.epsilon)

    def attention(x, layer, scope):
        widths = [heads * decoder.head_dim for heads in (decoder.query_heads, decoder.key_heads, decoder.key_heads)]
        if decoder.is_packed:
            packed = linear(x, f"{scope}.qkv", decoder.width, sum(widths))
            query, key, value = graph.split(packed, f"{scope}.parts", 3)
        else:
            query, key, value = (linear(x, f"{scope}.{part}", decoder.width, width, decoder.has_qkv_bias)
                                 for part, width in zip(("query", "key", "value"), widths))
        norms = [random.norm(decoder.head_dim)[0] for _ in range(2)] if decoder.has_head_norms else None
        attended = graph.attention(layer, scope, query, key, value, norms)
        return linear(attended, f"{scope}.projection", widths[0], decoder.width)

    def feed_forward(x, scope):
        if decoder.is_rotary:
            gate, up = (linear(x, f"{scope}.{part}", decoder.width, decoder.hidden) for part in ("gate", "up"))
            return linear(graph.swiglu(gate, up, f"{scope}.gated"), f"{scope}.down", decoder.hidden, decoder.width)
        hidden = graph.gelu_tanh(linear(x, f"{scope}.up", decoder.width, decoder.hidden), f"{scope}.gelu")
        return linear(hidden, f"{scope}.down", decoder.hidden, decoder.width)

    ids, positions = graph.begin(decoder)
    x, branch = graph.embedding(ids, "embedding", random.normal(decoder.vocab, decoder.width, scale=1)), None
    if not decoder.is_rotary:
        places = graph.embedding(positions, "positions", random.normal(decoder.context, decoder.width, scale=0.5))
        x = graph.add(x, places, "embedding_sum")
    for layer in range(decoder.layers):
        x, normed = skip_norm(x, branch, f"layers.{layer}.attention_norm")
        branch = attention(normed, layer, f"layers.{layer}.attention")
        x, normed = skip_norm(x, branch, f"layers.{layer}.feed_forward_norm")
        branch = feed_forward(normed, f"layers.{layer}.feed_forward")
    _, normed = skip_norm(x, branch, "final_norm")
    graph.logits(normed, random.matrix(decoder.vocab, decoder.width))
    return graph.model(decoder.name, {"heed.context": str(decoder.context)})


def byte_letters():
    """The letter that stands for each byte, as in GPT-2: itself where it can be seen, else the next free one from 256 on."""
    visible = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {byte: chr(byte if byte in visible else 256 + hidden.index(byte)) for byte in range(256)}


def build_tokenizer():
    """A byte-pair encoding without pairs; <|endoftext|> ends texts."""
    end = {"id": 256, "content": "<|endoftext|>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [end], "normalizer": None,
        "pre_tokenizer": byte_level, "post_processor": None, "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "vocab": {letter: byte for byte, letter in byte_letters().items()}, "merges": []},
    }


def write(decoder, graph, folder):
    """model.onnx and tokenizer.json"""
    save(build_model(decoder, graph), folder)
    (folder / "tokenizer.json").write_text(json.dumps(build_tokenizer(), ensure_ascii=False, indent=1), encoding="utf-8")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--size", choices=SIZES, default="tiny")
    arguments.add_argument("--dialect", choices=DIALECTS, default="standard_23")
    arguments.add_argument("--weights", choices=WEIGHTS, default="fp32")
    arguments.add_argument("model", choices=SIZES["tiny"])
    arguments.add_argument("target", type=Path, metavar="OUTPUT_FOLDER")
    options = arguments.parse_args()
    decoder, dialect = SIZES[options.size][options.model], DIALECTS[options.dialect]
    if options.weights not in dialect.weight_types or not dialect.serves(decoder):
        arguments.error(f"{dialect.name} has no {options.weights} {decoder.name}")
    write(decoder, dialect(options.weights), options.target)


if __name__ == "__main__":
    main()
