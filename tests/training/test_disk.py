import shutil
from types import SimpleNamespace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import TrainerControl, TrainerState, TrainingArguments

from emollms.errors import EmollmsError
from emollms.training import disk
from emollms.training.disk import CheckSpace, check_space, checkpoint_size, model_size, needed_for, readable


@pytest.fixture
def free(monkeypatch):
    """Sets the free space of every disk, and tells which folders were asked for."""
    asked = []

    def set_free(size):
        monkeypatch.setattr(shutil, "disk_usage", lambda path: asked.append(path) or SimpleNamespace(free=size))
        return asked

    return set_free


def linear(size=100):
    return torch.nn.Linear(size, size, bias=False)


def test_enough_room_says_nothing_and_looks_at_the_folder_that_exists(free, tmp_path):
    asked = free(disk.RESERVE + 1000)
    check_space(tmp_path / "not" / "there", 1000)
    assert asked == [tmp_path]


def test_too_little_room_names_both_numbers_and_the_way_out(free, tmp_path):
    free(3_000_000_000)
    with pytest.raises(
        EmollmsError, match=r"needs 5\.1 GB and 3\.0 GB are free; make room, or choose a folder"
    ) as told:
        check_space(tmp_path, 5_000_000_000, "the checkpoint of step 8")
    assert "the checkpoint of step 8" in str(told.value)
    assert "\n" not in str(told.value)


def test_a_real_disk_without_room(tmp_path):
    with pytest.raises(EmollmsError, match="is too small: the run needs"):
        check_space(tmp_path, 10**18)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (2_340_000, "2.3 MB"), (10**18, "1000000.0 TB")],
)
def test_sizes_for_people(size, text):
    assert readable(size) == text


def test_sizes_are_those_of_the_files(tmp_path):
    model = linear(300)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 300)).sum().backward()
    optimizer.step()
    torch.save(model.state_dict(), tmp_path / "model.pt")
    torch.save(optimizer.state_dict(), tmp_path / "optimizer.pt")
    assert model_size(model) == pytest.approx((tmp_path / "model.pt").stat().st_size, rel=0.02)
    assert checkpoint_size(model) == pytest.approx(disk.folder_size(tmp_path), rel=0.02)


def test_an_adapter_counts_alone():
    adapted = get_peft_model(torch.nn.Sequential(linear(), linear()), LoraConfig(r=2, target_modules=["0"]))
    numbers = 2 * 100 * 2
    assert model_size(adapted) == numbers * 4
    assert checkpoint_size(adapted) == numbers * 4 * 3
    assert checkpoint_size(adapted, "adamw_8bit") == numbers * (4 + 2)
    assert checkpoint_size(adapted, "sgd") == numbers * 4 * 2


def test_a_run_needs_one_checkpoint_more_than_it_keeps_less_what_is_there(tmp_path):
    assert needed_for(tmp_path / "none", 100, 10, keep=2, saves=9) == 310
    assert needed_for(tmp_path / "none", 100, 10, keep=2, saves=1) == 110
    assert needed_for(tmp_path / "none", 100, 10, keep=None, saves=9) == 910
    (tmp_path / "checkpoint-1").mkdir()
    (tmp_path / "checkpoint-1" / "model").write_bytes(b"x" * 150)
    assert needed_for(tmp_path, 100, 10, keep=2, saves=9) == 160


def test_each_checkpoint_is_looked_at_before_it_is_written(free, tmp_path):
    args = TrainingArguments(output_dir=str(tmp_path), use_cpu=True, report_to=[])
    state, look = TrainerState(global_step=4), CheckSpace(1000)
    free(disk.RESERVE + 2000)
    look.on_step_end(args, state, TrainerControl(should_save=True))
    (tmp_path / "checkpoint-4").mkdir()
    (tmp_path / "checkpoint-4" / "model").write_bytes(b"x" * 5000)  # more than was thought
    look.on_save(args, state, TrainerControl())
    state.global_step = 5
    look.on_step_end(args, state, TrainerControl(should_save=False))
    with pytest.raises(EmollmsError, match="the checkpoint of step 5 needs"):
        look.on_step_end(args, state, TrainerControl(should_save=True))
    with pytest.raises(EmollmsError, match="the checkpoint of step 5 needs"):
        look.on_epoch_end(args, state, TrainerControl(should_save=True))
