#!/usr/bin/env python3
"""Trains a small GPT on Shakespeare, exports it to ONNX, and writes what proves the export.

    make.py [FOLDER_WITH_INPUT_TXT]

Without an argument the text is $HEED_TEST_DATA/real/texts/tinyshakespeare/input.txt. Everything is written beside this
file: tokenizer.json, model.onnx, validation.json, test_data_set_*, make.log. Needs torch, onnx and tokenizers.
"""
import json
import math
import os
import sys
import time
from pathlib import Path

import onnx
import torch
import torch.nn.functional as F
from onnx import helper, numpy_helper
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn

FOLDER = Path(__file__).resolve().parent
TEST_DATA = Path(os.environ.get("HEED_TEST_DATA", FOLDER.parents[1] / "../shared/data"))

VOCAB = 1024
CONTEXT = 256
LAYERS, HEADS, WIDTH = 4, 6, 192
HEAD_DIM = WIDTH // HEADS
ROTARY_BASE = 10000.0

SEED = 1
THREADS = 2
STEPS, SCHEDULE_STEPS = 3000, 4000  # left before the end of the cosine, to stay within 40 minutes
BATCH = 8
LEARNING_RATE, WARM_UP_STEPS, LAST_RATE = 2e-3, 100, 0.02
WEIGHT_DECAY = 0.1
DROPOUT = 0.2
VALIDATE_EVERY = 250

log_lines = []


def log(text):
    print(text, flush=True)
    log_lines.append(text)


# ---- text and tokens ----


def train_tokenizer(text):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=VOCAB, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([text], trainer)
    return tokenizer


def encode(tokenizer, text):
    return torch.tensor(tokenizer.encode(text).ids)


# ---- the model; q, k and v are [batch, head, seq, head_dim] ----


def rotate_half(x):
    return torch.cat((-x[..., HEAD_DIM // 2:], x[..., :HEAD_DIM // 2]), dim=-1)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)

    def forward(self, x, cos, sin, hidden, past):
        batch, seq, _ = x.shape
        q, k, v = (part.view(batch, seq, HEADS, HEAD_DIM).transpose(1, 2) for part in self.qkv(x).split(WIDTH, dim=2))
        q = q * cos + rotate_half(q) * sin
        k = k * cos + rotate_half(k) * sin
        if past is not None:
            k = torch.cat((past[0], k), dim=2)
            v = torch.cat((past[1], v), dim=2)
        if self.training:
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)  # the same as below, in a third of the time
        else:
            scores = q @ k.transpose(2, 3) / math.sqrt(HEAD_DIM)
            mixed = torch.softmax(scores.masked_fill(hidden, -math.inf), dim=-1) @ v
        return self.out(mixed.transpose(1, 2).reshape(batch, seq, WIDTH)), (k, v)


class FeedForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.Linear(WIDTH, 4 * WIDTH)
        self.gelu = nn.GELU()
        self.down = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        return self.down(self.gelu(self.up(x)))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.attn = nn.LayerNorm(WIDTH), Attention()
        self.ln_2, self.mlp = nn.LayerNorm(WIDTH), FeedForward()
        self.drop = nn.Dropout(DROPOUT)

    def forward(self, x, cos, sin, hidden, past):
        attended, present = self.attn(self.ln_1(x), cos, sin, hidden, past)
        x = x + self.drop(attended)
        return x + self.drop(self.mlp(self.ln_2(x))), present


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(VOCAB, WIDTH)
        self.drop = nn.Dropout(DROPOUT)
        self.h = nn.ModuleList(Block() for _ in range(LAYERS))
        self.ln_f = nn.LayerNorm(WIDTH)
        self.register_buffer("rotary", ROTARY_BASE ** (-torch.arange(0, HEAD_DIM, 2) / HEAD_DIM), persistent=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                onto_skip = name.endswith(("attn.out.weight", "mlp.down.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * LAYERS) if onto_skip else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, input_ids, past=(None,) * LAYERS):
        past_length = 0 if past[0] is None else past[0][0].shape[2]
        keys = torch.arange(past_length + input_ids.shape[1])
        queries = keys[past_length:]
        hidden = keys > queries[:, None]
        angles = queries[:, None] * self.rotary
        angles = torch.cat((angles, angles), dim=1)
        cos, sin = angles.cos(), angles.sin()

        x = self.drop(self.wte(input_ids))
        presents = []
        for block, block_past in zip(self.h, past):
            x, present = block(x, cos, sin, hidden, block_past)
            presents.append(present)
        return F.linear(self.ln_f(x), self.wte.weight), presents


# ---- training ----


@torch.no_grad()
def validate(model, tokens, character_count):
    """Nats per character, by windows of CONTEXT tokens moved by half of it. Each window but the first scores the tokens
    of its second half, given all tokens before them in the window. The text's first token has no prediction."""
    model.eval()
    nats, scored_end = 0.0, 1
    for begin in range(0, len(tokens) - CONTEXT // 2, CONTEXT // 2):
        window = tokens[begin:begin + CONTEXT]
        logits, _ = model(window[None])
        fresh = scored_end - begin
        nats += F.cross_entropy(logits[0, fresh - 1:-1].double(), window[fresh:], reduction="sum").item()
        scored_end = begin + len(window)
    assert scored_end == len(tokens)
    model.train()
    return nats / character_count


def learning_rate(step):
    cosine = 0.5 * (1 + math.cos(math.pi * step / SCHEDULE_STEPS))
    return LEARNING_RATE * min(1, (step + 1) / WARM_UP_STEPS) * (LAST_RATE + (1 - LAST_RATE) * cosine)


def train(model, tokens, validation_loss):
    """Leaves the model with the weights of its best validation."""
    matrices = [p for p in model.parameters() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": vectors, "weight_decay": 0}]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.95))
    best_loss, best_weights = math.inf, None
    window = torch.arange(CONTEXT + 1)
    train_loss, start = 0.0, time.monotonic()
    log("  step  epoch  train nats/token  validation nats/character   seconds")
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        batch = tokens[torch.randint(len(tokens) - CONTEXT, (BATCH, 1)) + window]
        logits, _ = model(batch[:, :-1])
        loss = F.cross_entropy(logits.reshape(-1, VOCAB), batch[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        train_loss += loss.item() / VALIDATE_EVERY
        if (step + 1) % VALIDATE_EVERY == 0:
            loss = validation_loss()
            if loss < best_loss:
                best_loss, best_weights = loss, {name: w.clone() for name, w in model.state_dict().items()}
            epoch = (step + 1) * BATCH * CONTEXT / len(tokens)
            log(f"{step + 1:6d}  {epoch:5.1f}  {train_loss:16.4f}  {loss:26.4f}  {time.monotonic() - start:8.0f}")
            train_loss = 0.0
    model.load_state_dict(best_weights)


@torch.no_grad()
def write_text(model, tokenizer, prompt, count, temperature):
    ids, fed, past = encode(tokenizer, prompt), 0, empty_past(1)
    while len(ids) < count:
        logits, past = model(ids[None, fed:], past)
        fed = len(ids)
        ids = torch.cat((ids, torch.multinomial(torch.softmax(logits[0, -1] / temperature, dim=0), 1)))
    return tokenizer.decode(ids.tolist())


# ---- export ----


def empty_past(batch):
    return [(torch.zeros(batch, HEADS, 0, HEAD_DIM),) * 2 for _ in range(LAYERS)]


def flatten(states):
    return [tensor for pair in states for tensor in pair]


def names_of(prefix):
    return [f"{prefix}.{layer}.{part}" for layer in range(LAYERS) for part in ("key", "value")]


INPUTS = ["input_ids", *names_of("past_key_values")]
OUTPUTS = ["logits", *names_of("present")]


def export(model, path):
    ids = torch.zeros(2, 5, dtype=torch.int64)
    past = [(torch.zeros(2, HEADS, 3, HEAD_DIM), torch.zeros(2, HEADS, 3, HEAD_DIM)) for _ in range(LAYERS)]
    axes = {name: {0: "batch", 1: "seq"} for name in ("input_ids", "logits")}
    axes |= {name: {0: "batch", 2: "past"} for name in INPUTS[1:]}
    axes |= {name: {0: "batch", 2: "past + seq"} for name in OUTPUTS[1:]}
    torch.onnx.export(model, (ids, past), path, input_names=INPUTS, output_names=OUTPUTS, dynamic_axes=axes,
                      opset_version=17, dynamo=False)
    exported = onnx.load(path)
    name_weights(exported.graph)
    helper.set_model_props(exported, {"heed.trained_context": str(CONTEXT)})
    onnx.checker.check_model(exported, full_check=True)
    onnx.save(exported, path)


def name_weights(graph):
    """Gives the weights their modules' names back, and keeps the tied embedding once, with a Transpose before the last
    MatMul: the exporter stores each Linear's weight transposed, as onnx::MatMul_N."""
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for index, node in enumerate(graph.node):
        if node.op_type != "MatMul" or node.input[1] not in tensors:
            continue
        tensor = tensors[node.input[1]]
        if node.output[0] == "logits":
            graph.initializer.remove(tensor)
            node.input[1] = "wte.weight.transposed"
            tied = index
        else:
            module = node.name.removeprefix("/").removesuffix("/MatMul").replace("/", ".")
            tensor.name = node.input[1] = f"{module}.weight"
    transpose = helper.make_node("Transpose", ["wte.weight"], ["wte.weight.transposed"], "/wte/Transpose", perm=[1, 0])
    graph.node.insert(tied, transpose)


@torch.no_grad()
def write_test_data(model, tokens):
    """A prefill, one decoded token with a past, two sequences with a past: text that the model has not seen, outputs in
    double precision, then rounded. ONNX compares with 1e-3 of the value and next to no absolute tolerance, so that next
    to zero the order of a sum decides: of many texts, the one whose outputs keep farthest from zero is taken."""
    exact = GPT().eval()
    exact.load_state_dict(model.state_dict())
    exact.double()

    def run(begin, batch, past_length, seq):
        ids = tokens[begin:begin + batch * (past_length + seq)].view(batch, -1)
        past = model(ids[:, :past_length], empty_past(batch))[1] if past_length else empty_past(batch)
        logits, presents = exact(ids[:, past_length:], [(k.double(), v.double()) for k, v in past])
        return [ids[:, past_length:], *flatten(past)], [tensor.float() for tensor in (logits, *flatten(presents))]

    def distance_from_zero(begin, *sizes):
        magnitudes = [tensor.abs() for tensor in run(begin, *sizes)[1]]
        return min(values.min() / values.max() for values in magnitudes)

    for number, case in enumerate([(1, 0, 6), (1, 7, 1), (2, 3, 5)]):
        begin = max(range(0, 20000, 200), key=lambda begin: distance_from_zero(begin, *case))
        inputs, outputs = run(begin, *case)
        folder = FOLDER / f"test_data_set_{number}"
        folder.mkdir(exist_ok=True)
        write_tensors(folder, "input", INPUTS, inputs)
        write_tensors(folder, "output", OUTPUTS, outputs)


def write_tensors(folder, kind, names, tensors):
    for index, (name, tensor) in enumerate(zip(names, tensors, strict=True)):
        (folder / f"{kind}_{index}.pb").write_bytes(numpy_helper.from_array(tensor.numpy(), name).SerializeToString())


def finish(model, tokenizer, validation_tokens, validation_text, validation_begin):
    loss = validate(model, validation_tokens, len(validation_text))
    model.eval()
    log(f"validation with the best weights: {loss:.6f} nats per character")
    validation = {"nats_per_character": round(loss, 6), "tokens": len(validation_tokens),
                  "characters": len(validation_text), "window": CONTEXT, "stride": CONTEXT // 2,
                  "text_begin_byte": validation_begin}
    (FOLDER / "validation.json").write_text(json.dumps(validation, indent=1) + "\n")

    export(model, FOLDER / "model.onnx")
    write_test_data(model, validation_tokens)
    log(f"model.onnx: {(FOLDER / 'model.onnx').stat().st_size} bytes")
    torch.manual_seed(SEED)
    log("\n" + write_text(model, tokenizer, "ROMEO:", CONTEXT, temperature=0.8) + "\n")


def main():
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    source = Path(sys.argv[1]) if len(sys.argv) == 2 else TEST_DATA / "real/texts/tinyshakespeare"
    text = (source / "input.txt").read_text(encoding="ascii")
    torch.manual_seed(SEED)
    torch.set_num_threads(THREADS)
    start = time.monotonic()

    validation_begin = len(text) * 9 // 10
    train_text, validation_text = text[:validation_begin], text[validation_begin:]
    tokenizer = train_tokenizer(train_text)
    tokenizer.save(str(FOLDER / "tokenizer.json"))
    train_tokens, validation_tokens = (encode(tokenizer, part) for part in (train_text, validation_text))
    model = GPT()
    log(f"torch {torch.__version__.split('+')[0]}, {THREADS} threads, seed {SEED}")
    log(f"text: {len(text)} characters; the last {len(validation_text)} are for validation only")
    log(f"tokens: {len(train_tokens)} to train, {len(validation_tokens)} to validate, vocab {VOCAB}")
    parameter_count = sum(p.numel() for p in model.parameters())
    log(f"model: {LAYERS} layers, {HEADS} heads, width {WIDTH}, {parameter_count} parameters")
    log(f"training: {STEPS} steps of {BATCH} windows of {CONTEXT} tokens, on a schedule of {SCHEDULE_STEPS}")

    train(model, train_tokens, lambda: validate(model, validation_tokens, len(validation_text)))
    finish(model, tokenizer, validation_tokens, validation_text, validation_begin)
    log(f"whole run: {time.monotonic() - start:.0f} seconds")
    (FOLDER / "make.log").write_text("\n".join(log_lines) + "\n")


if __name__ == "__main__":
    main()
