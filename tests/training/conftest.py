"""A small AAID, and recipes for tiny models."""

from pathlib import Path

import pytest
import yaml
from tiny_corpus import settings

from emollms.dataset.build import build_repo
from emollms.dataset.reader import Dataset
from emollms.training.tiny import make_tiny


@pytest.fixture(scope="session")
def aaid(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """AAID from the sample corpus, in English."""
    out = tmp_path_factory.mktemp("data") / "aaid"
    build_repo(settings("aaid", "sample"), out, validate=False)
    return Dataset(out)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory):
    """Gives the folder of the tiny model of a kind."""
    root = tmp_path_factory.mktemp("tiny")
    return lambda kind: root / kind if (root / kind).is_dir() else make_tiny(kind, root / kind)


@pytest.fixture
def write_recipe(tmp_path: Path, tiny_folder):
    """Writes a recipe for the tiny model of a kind; gives its file."""

    def write(kind: str = "smollm2", family: str = "llama", **values: object) -> Path:
        recipe = {
            "model_name_or_path": str(tiny_folder(kind)), "family": family, "learning_rate": 0.003,
            "per_device_train_batch_size": 4, "max_steps": 6, "logging_steps": 1, "bf16": False, "optim": "adamw_torch",
            "gradient_checkpointing": False, "eval_strategy": "no", "save_strategy": "no", "seed": 3,
            "train_limit": 20, "train_sampling_strategy": "group_by_length", "selection_rows": 6,
        } | values  # fmt: skip
        path = tmp_path / f"{kind}.yaml"
        path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
        return path

    return write
