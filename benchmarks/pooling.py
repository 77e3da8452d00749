"""At which tokens a decoder tells most of a text, before any tuning: `python benchmarks/pooling.py out/aaid`.

Reads V-reg's texts with SmolLM2-135M-Instruct, alone and with the cue of `recipes/heads/emosmol-135m-heads.yaml`, fits
ridge regressions from its last layer on the training texts, and prints Pearson's r on the validation texts: with the
last token, with the mean of all tokens but the first, which is the same for every text, and with both. Each is the
best of five penalties.
"""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from emollms.dataset.reader import Dataset
from emollms.inference.loading import load_tokenizer, open_model
from emollms.inference.model_names import PACKAGED_MODEL, resolve_model
from emollms.training.classifier_tokenizers import add_cue
from emollms.training.recipe import load_recipe

TASK = "V-reg"
PENALTIES = (100, 300, 1_000, 3_000, 10_000)
LONGEST = 128
Floats = NDArray[np.float64]


def main(folder: str) -> None:
    data = Dataset(folder)
    scores = {split: {row["text"]: row["score"] for row in data.rows(TASK, split)} for split in ("train", "validation")}
    gold = {split: np.array(list(own.values())) for split, own in scores.items()}
    name = resolve_model(PACKAGED_MODEL)
    model = open_model(name, None, torch.float32).eval()
    for cue in ("", str(load_recipe("emosmol-135m-heads").values["cue"])):
        tokenizer = load_tokenizer(name)
        if cue:
            add_cue(tokenizer, cue)
        last, mean = zip(*(read(model, tokenizer, list(scores[split])) for split in gold), strict=True)
        both = [np.hstack(pair) for pair in zip(last, mean, strict=True)]
        for pooled, (train, validation) in {"last": last, "mean": mean, "both": both}.items():
            r = best_r(train, gold["train"], validation, gold["validation"])
            print(f"{'with' if cue else 'without'} the cue\t{pooled}\t{r:.3f}", flush=True)


def read(model: Any, tokenizer: Any, texts: Sequence[str]) -> tuple[Floats, Floats]:
    """The last layer at the last token of texts, and its mean, of shape (texts, width)."""
    last, mean = [], []
    for text in texts:
        ids = tokenizer(text, return_tensors="pt", truncation=True, max_length=LONGEST).input_ids
        with torch.no_grad():
            states = model.base_model(input_ids=ids, use_cache=False).last_hidden_state[0].double().numpy()
        last.append(states[-1])
        mean.append(states[min(1, len(states) - 1) :].mean(axis=0))
    return np.array(last), np.array(mean)


def best_r(train: Floats, wanted: Floats, validation: Floats, gold: Floats) -> float:
    """Pearson's r on validation texts, by the best penalty."""
    center, spread = train.mean(axis=0), train.std(axis=0) + 1e-6
    train, validation = (train - center) / spread, (validation - center) / spread
    products, above = train.T @ train, train.T @ (wanted - wanted.mean())
    found = (np.linalg.solve(products + one * np.eye(len(products)), above) for one in PENALTIES)
    return max(float(np.corrcoef(validation @ weights, gold)[0, 1]) for weights in found)


if __name__ == "__main__":
    main(sys.argv[1])
