import shutil

import pytest

from emollms.training.checkpoints import HASHED, MARKER, SealCallback, defect, newest_checkpoint, remove_broken, seal


def checkpoint(folder, step, sealed=True):
    made = folder / f"checkpoint-{step}"
    (made / "sub").mkdir(parents=True)
    (made / "model.safetensors").write_bytes(b"weights " * 50)
    (made / "sub" / "optimizer.pt").write_bytes(b"moments")
    (made / "trainer_state.json").write_text("{}")
    if sealed:
        seal(made, step)
    return made


def test_newest_goes_by_number_and_not_by_name_or_time(tmp_path):
    checkpoint(tmp_path, 10)
    checkpoint(tmp_path, 9)
    (tmp_path / "checkpoint-11").write_text("a file")
    (tmp_path / "checkpoint-12.old").mkdir()
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoint-10"


def test_no_folder_an_empty_one_and_an_empty_checkpoint(tmp_path):
    assert newest_checkpoint(tmp_path / "none") is None
    assert newest_checkpoint(tmp_path) is None
    (tmp_path / "checkpoint-3").mkdir()
    assert newest_checkpoint(tmp_path) is None


def test_one_without_the_seal_is_passed_over_though_it_looks_whole(tmp_path):
    good = checkpoint(tmp_path, 4)
    half = checkpoint(tmp_path, 8, sealed=False)
    (half / f"{MARKER}.draft").write_text("{}")
    assert newest_checkpoint(tmp_path) == good
    assert "the checkpoint is incomplete" in (defect(half) or "")


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def change(path):
    path.write_bytes(path.read_bytes()[:-1] + b"!")


@pytest.mark.parametrize(
    ("name", "damage", "told"),
    [
        ("model.safetensors", cut, "model.safetensors has 399 bytes instead of 400"),
        ("sub/optimizer.pt", cut, "sub/optimizer.pt has 6 bytes instead of 7"),
        ("sub/optimizer.pt", change, "sub/optimizer.pt has changed"),
        ("trainer_state.json", lambda path: path.unlink(), "trainer_state.json is missing"),
        (MARKER, cut, "complete.json is damaged"),
        (MARKER, lambda path: path.write_bytes(b"\xff\xfe"), "complete.json is damaged"),
    ],
)
def test_damage_is_found_and_told(tmp_path, name, damage, told):
    older, newer = checkpoint(tmp_path, 2), checkpoint(tmp_path, 4)
    damage(newer / name)
    assert told in (defect(newer) or "")
    assert newest_checkpoint(tmp_path) == older
    assert remove_broken(tmp_path) == [newer]
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-2"]


def test_large_files_are_checked_by_their_length(tmp_path):
    made = checkpoint(tmp_path, 1, sealed=False)
    with (made / "large.bin").open("wb") as stream:
        stream.truncate(HASHED + 1)
    seal(made, 1)
    assert defect(made) is None
    with (made / "large.bin").open("r+b") as stream:
        stream.truncate(HASHED)
    assert "large.bin has" in (defect(made) or "")


def test_files_that_came_later_do_no_harm(tmp_path):
    made = checkpoint(tmp_path, 1)
    (made / "notes.txt").write_text("mine")
    assert defect(made) is None


@pytest.fixture
def trainer(tmp_path):
    """A trainer of the transformers library with a model of a few numbers, saving at each step."""
    import torch
    from transformers import Trainer, TrainingArguments

    class Tiny(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)

        def forward(self, x, labels):
            return {"loss": ((self.layer(x) - labels) ** 2).mean()}

    def make(*callbacks, steps=4):
        torch.manual_seed(0)
        settings = TrainingArguments(
            output_dir=str(tmp_path / "run"), max_steps=steps, save_strategy="steps", save_steps=1, use_cpu=True,
            report_to=[], disable_tqdm=True, per_device_train_batch_size=1,
        )  # fmt: skip
        rows = [{"x": torch.ones(1), "labels": torch.ones(1) * n} for n in range(4)]
        return Trainer(Tiny(), settings, train_dataset=rows, callbacks=list(callbacks))

    return make


def test_a_trainer_seals_its_checkpoints_and_keeps_the_newest(trainer, tmp_path):
    trainer(SealCallback(keep=2)).train()
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["checkpoint-3", "checkpoint-4"]
    newest = newest_checkpoint(tmp_path / "run")
    assert newest == tmp_path / "run" / "checkpoint-4"
    (newest / "rng_state.pth").unlink()
    assert newest_checkpoint(tmp_path / "run") == tmp_path / "run" / "checkpoint-3"


def test_a_kill_before_the_seal_leaves_the_older_checkpoint(trainer, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    trainer(SealCallback(keep=1), steps=1).train()
    monkeypatch.setattr("emollms.training.checkpoints.seal", killed)
    with pytest.raises(KeyboardInterrupt):
        trainer(SealCallback(keep=1), steps=2).train(str(tmp_path / "run" / "checkpoint-1"))
    assert (tmp_path / "run" / "checkpoint-2" / "trainer_state.json").is_file()
    assert newest_checkpoint(tmp_path / "run") == tmp_path / "run" / "checkpoint-1"


def test_half_removed_checkpoints_are_broken(tmp_path):
    made = checkpoint(tmp_path, 1)
    shutil.rmtree(made / "sub")
    assert newest_checkpoint(tmp_path) is None
