import shutil
from types import SimpleNamespace

import pytest
import torch
from peft import LoraConfig, get_peft_model

from emollms.errors import EmollmsError
from emollms.training.checkpoints import RESERVE, check_space, checkpoint_size, model_size


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
    asked = free(RESERVE + 1000)
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


def test_sizes_are_those_of_the_files(tmp_path):
    model = linear(300)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 300)).sum().backward()
    optimizer.step()
    torch.save(model.state_dict(), tmp_path / "model.pt")
    torch.save(optimizer.state_dict(), tmp_path / "optimizer.pt")
    assert model_size(model) == pytest.approx((tmp_path / "model.pt").stat().st_size, rel=0.02)
    assert checkpoint_size(model) == pytest.approx(sum(path.stat().st_size for path in tmp_path.iterdir()), rel=0.02)


def test_an_adapter_counts_alone():
    adapted = get_peft_model(torch.nn.Sequential(linear(), linear()), LoraConfig(r=2, target_modules=["0"]))
    numbers = 2 * 100 * 2
    assert model_size(adapted) == numbers * 4
    assert checkpoint_size(adapted) == numbers * 4 * 3


def test_what_a_folder_holds_is_counted_as_written(free, tmp_path):
    (tmp_path / "checkpoint-1").mkdir()
    (tmp_path / "checkpoint-1" / "model").write_bytes(b"x" * 150)
    free(RESERVE + 100)
    check_space(tmp_path, 250)
    with pytest.raises(EmollmsError, match="is too small"):
        check_space(tmp_path, 251)
