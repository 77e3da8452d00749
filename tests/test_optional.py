"""Packages that come with an extra: one line says which is missing, and how to install it."""

import sys
from pathlib import Path

import pytest

from emollms.errors import UsageError
from emollms.optional import check_installed, is_installed, needing, require


def test_what_is_installed_is_imported() -> None:
    assert require("json.decoder", "train").JSONDecoder
    check_installed(["json", "json.decoder"], "train")


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    line = r"^--gguf needs peft; install it with: pip install 'emollms\[train\]'$"
    with pytest.raises(UsageError, match=line):
        require("peft", "train", "--gguf")
    with pytest.raises(UsageError, match=line), needing("train", "--gguf"):
        import peft  # noqa: F401


def test_a_package_of_no_extra_is_installed_by_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    line = "^--engine vllm needs vllm; install it with: pip install vllm$"
    with pytest.raises(UsageError, match=line):
        require("vllm", None, "--engine vllm")


def test_all_that_is_missing_is_named_without_an_import() -> None:
    line = r"^this needs no_such_one, no_such.two; install it with: pip install 'emollms\[gguf\]'$"
    with pytest.raises(UsageError, match=line):
        check_installed(["json", "no_such_one", "no_such.two"], "gguf")
    assert not is_installed("no_such.two")


def test_a_package_that_is_broken_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_built.py").write_text(
        "raise ImportError('libcudart.so.12: cannot open\\nmore')", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        UsageError, match=r"^x needs half_built, which cannot be imported: libcudart\.so\.12: cannot open$"
    ):
        require("half_built", "gpu", "x")
