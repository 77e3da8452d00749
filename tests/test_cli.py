import csv
import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import emollms.cli
from emollms import __version__
from emollms.cli import app
from emollms.corpora import registry
from emollms.corpora.base import Corpus
from emollms.corpora.metadata import CorpusMetadata, SourceFile
from emollms.errors import EmollmsError, UsageError

HEAVY = ("torch", "transformers", "datasets", "great_expectations", "pyarrow", "numba", "numpy", "pandas", "requests")


def made(name, *files, **more):
    meta = CorpusMetadata(
        name=name,
        version="1",
        title=name.title(),
        description="Made up.",
        languages=more.pop("languages", ("en", "es")),
        tasks=("V-reg",),
        splits=("train",),
        domain="none",
        license="mit",
        redistribution="text",
        homepage="https://example.org",
        citation="@misc{toy,\n  year = 2020\n}",
        files=files,
        **more,
    )
    return type(name.title(), (Corpus,), {"meta": meta})


def pinned(path, body, address="http://127.0.0.1:9/nothing"):
    return SourceFile(path=path, sha256=hashlib.sha256(body).hexdigest(), bytes=len(body), rows=3, address=address)


@pytest.fixture
def toys(monkeypatch, tmp_path):
    """Two corpora, one with terms, whose files are in `from/`; the home of corpora is `home/`."""
    found = {
        "plain": made("plain", pinned("a.txt", b"a")),
        "strict": made("strict", pinned("b.txt", b"b"), terms="Do not pass it on.", by_hand="Ask [the] authors."),
    }
    monkeypatch.setattr(registry, "corpora", lambda: registry.Catalogue(found))
    monkeypatch.setenv("EMOLLMS_CORPORA", str(tmp_path / "home"))
    for name, path, body in (("plain", "a.txt", b"a"), ("strict", "b.txt", b"b")):
        (tmp_path / "from" / name).mkdir(parents=True)
        (tmp_path / "from" / name / path).write_bytes(body)
    return found


def run(*args):
    return CliRunner().invoke(app, [str(arg) for arg in args])


def run_main(monkeypatch, *args):
    """`main` in this process; the exit code."""
    monkeypatch.setattr(sys, "argv", ["emollms", *map(str, args)])
    with pytest.raises(SystemExit) as end:
        emollms.cli.main()
    return end.value.code or 0


def run_process(*args, **how):
    command = [sys.executable, "-c", "from emollms.cli import main; main()", *map(str, args)]
    return subprocess.run(command, text=True, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False, **how)


class TestTheApp:
    def test_help_and_version_import_nothing_heavy(self):
        code = f"""
import sys
from emollms.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
loaded = [name for name in {HEAVY!r} if name in sys.modules]
assert not loaded, loaded
"""
        for option in ("--help", "--version"):
            subprocess.run([sys.executable, "-c", code, option], check=True, stdout=subprocess.DEVNULL)

    def test_version(self):
        assert run("--version").output == f"emollms {__version__}\n"

    @pytest.mark.parametrize("command", [(), ("corpora",), *(("corpora", name) for name in ("show", "fetch", "pin"))])
    def test_every_help_shows_examples(self, command):
        result = run(*command, "--help")
        assert result.exit_code == 0
        assert f"Examples:\n   emollms {command[0] if command else ''}" in "\n".join(
            line.rstrip() for line in result.output.splitlines()
        )

    @pytest.mark.parametrize(("error", "code"), [(EmollmsError("it\nfailed"), 1), (UsageError("it\nfailed"), 2)])
    def test_an_error_is_one_line(self, toys, monkeypatch, capsys, error, code):
        def fail():
            raise error

        monkeypatch.setattr(registry, "corpora", fail)
        assert run_main(monkeypatch, "corpora") == code
        assert capsys.readouterr() == ("", "error: it failed\n")

    def test_ctrl_c_exits_130_quietly(self, toys, monkeypatch, capsys):
        def interrupt():
            raise KeyboardInterrupt

        monkeypatch.setattr(registry, "corpora", interrupt)
        assert run_main(monkeypatch, "corpora") == 130
        assert capsys.readouterr().err.strip() == ""

    @pytest.mark.parametrize("args", [["nonsense"], ["corpora", "nonsense"], ["corpora", "show"], ["--nonsense"]])
    def test_wrong_calls_exit_2(self, monkeypatch, args):
        assert run_main(monkeypatch, *args) == 2

    @pytest.mark.parametrize("args", [["--version"], ["--help"], ["corpora"], ["corpora", "show", "vader"]])
    def test_a_closed_pipe_is_quiet(self, args):
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w") as closed:
            result = run_process(*args, stdout=closed)
        assert (result.returncode, result.stderr) == (1, "")

    def test_errors_of_a_real_process_have_no_traceback(self, tmp_path):
        result = run_process("corpora", "show", "vaderr", stdout=subprocess.PIPE)
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr == "error: unknown corpus 'vaderr'; did you mean vader?\n"
        result = run_process("corpora", "fetch", "vader", "--from", tmp_path, "--to", tmp_path, stdout=subprocess.PIPE)
        assert result.returncode == 1
        assert result.stderr.startswith("error: vader: 4 files could not be got: not in ")
        assert len(result.stderr.splitlines()) == 1


class TestCorpora:
    def test_the_table_is_tab_separated_when_piped(self, toys, tmp_path):
        (tmp_path / "home/plain").mkdir(parents=True)
        (tmp_path / "home/plain/a.txt").write_bytes(b"a")
        rows = [line.split("\t") for line in run("corpora").output.splitlines()]
        assert rows == [
            ["name", "languages", "tasks", "rows", "license", "redistribution", "where"],
            ["plain", "en es", "V-reg", "3", "mit", "text", str(tmp_path / "home/plain")],
            ["strict", "en es", "V-reg", "3", "mit", "text", "not here"],
        ]

    def test_many_languages_are_counted_and_missing_files_told(self, toys, tmp_path):
        files = (pinned("a.txt", b"a"), pinned("b.txt", b"b"))
        toys["many"] = made("many", *files, languages=("aa", "bb", "cc", "dd", "ee", "ff", "gg", "hh"))
        (tmp_path / "home/many").mkdir(parents=True)
        (tmp_path / "home/many/a.txt").write_bytes(b"a")
        row = run("corpora").output.splitlines()[-1].split("\t")
        assert (row[1], row[-1]) == ("8 languages", f"{tmp_path / 'home/many'} (1 of 2 files)")

    def test_a_terminal_gets_a_table_with_whole_names(self, toys, monkeypatch, capsys):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        assert run_main(monkeypatch, "corpora") == 0
        shown = capsys.readouterr().out
        assert "─" in shown
        assert "strict" in shown

    def test_show_tells_everything(self, toys):
        shown = run("corpora", "show", "strict").output
        assert "terms\tDo not pass it on.\n" in shown
        assert "by_hand\tAsk [the] authors.\n" in shown
        assert "citation\t@misc{toy,\n\t  year = 2020\n\t}\n" in shown

    @pytest.mark.parametrize(("body", "state"), [(None, "missing"), (b"b", "ok"), (b"x", "differs"), (b"", "differs")])
    def test_show_tells_the_state_of_files(self, toys, tmp_path, body, state):
        if body is not None:
            (tmp_path / "home/strict").mkdir(parents=True)
            (tmp_path / "home/strict/b.txt").write_bytes(body)
        assert run("corpora", "show", "strict").output.splitlines()[-1].startswith(f"b.txt\t{state}\t1\t3\t")

    def test_show_on_a_terminal(self, toys, monkeypatch, capsys):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        assert run_main(monkeypatch, "corpora", "show", "strict") == 0
        shown = capsys.readouterr().out
        assert "Ask [the] authors." in shown
        assert "missing" in shown


class TestFetch:
    def test_from_a_folder_to_the_home(self, toys, tmp_path):
        result = run("corpora", "fetch", "plain", "--from", tmp_path / "from")
        assert result.exit_code == 0
        assert result.stdout == f"name\tfetched\tkept\tfailed\tfolder\nplain\t1\t0\t0\t{tmp_path / 'home/plain'}\n"
        assert (tmp_path / "home/plain/a.txt").read_bytes() == b"a"

    def test_to_another_folder(self, toys, tmp_path):
        assert run("corpora", "fetch", "plain", "--from", tmp_path / "from", "--to", tmp_path / "to").exit_code == 0
        assert (tmp_path / "to/plain/a.txt").exists()

    def test_all_that_the_folder_holds_by_default(self, toys, tmp_path):
        result = run("corpora", "fetch", "--from", tmp_path / "from", "--accept-terms")
        assert [line.split("\t")[0] for line in result.stdout.splitlines()] == ["name", "plain", "strict"]
        assert "Do not pass it on." in result.stderr
        result = run("corpora", "fetch", "--from", tmp_path / "from/plain", "--to", tmp_path / "to")
        assert [line.split("\t")[0] for line in result.stdout.splitlines()] == ["name", "plain"]

    def test_terms_must_be_accepted_before_anything_is_fetched(self, toys, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
        assert run_main(monkeypatch, "corpora", "fetch", "--from", tmp_path / "from") == 2
        told = capsys.readouterr().err
        assert "Do not pass it on." in told
        assert told.endswith("error: the terms of strict must be accepted: read them above, and add --accept-terms\n")
        assert not (tmp_path / "home").exists()

    @pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("YES\n", 0), ("n\n", 1), ("\n", 1), ("", 1)])
    def test_a_person_is_asked(self, toys, tmp_path, monkeypatch, capsys, answer, code):
        stdin = io.StringIO(answer)
        stdin.isatty = lambda: True
        monkeypatch.setattr(sys, "stdin", stdin)
        assert run_main(monkeypatch, "corpora", "fetch", "--from", tmp_path / "from") == code
        assert "Do you accept the terms of strict? [y/N]" in capsys.readouterr().err
        assert (tmp_path / "home/plain/a.txt").exists()
        assert (tmp_path / "home/strict/b.txt").exists() == (code == 0)

    def test_what_is_here_needs_no_terms(self, toys, tmp_path):
        args = ("corpora", "fetch", "strict", "--from", tmp_path / "from")
        assert run(*args, "--accept-terms").exit_code == 0
        result = run(*args)
        assert (result.exit_code, result.stdout.splitlines()[1].split("\t")[:4]) == (0, ["strict", "0", "1", "0"])

    def test_a_failure_does_not_lose_the_others(self, toys, tmp_path):
        (tmp_path / "from/plain/a.txt").write_bytes(b"x")
        result = run("corpora", "fetch", "plain", "strict", "--from", tmp_path / "from", "--accept-terms")
        assert result.exit_code == 1
        assert [line for line in result.stderr.splitlines() if line.startswith("error: ")] == [
            f"error: plain: 1 file could not be got: plain/a.txt: SHA-256 is not {hashlib.sha256(b'a').hexdigest()}: "
            f"'{hashlib.sha256(b'x').hexdigest()}'; the source gives another file than the pinned one; "
            "see `emollms corpora show` for other ways to get it"
        ]
        assert (tmp_path / "home/strict/b.txt").exists()

    def test_a_replaced_file_is_named(self, toys, tmp_path):
        (tmp_path / "home/plain").mkdir(parents=True)
        (tmp_path / "home/plain/a.txt").write_bytes(b"old")
        result = run("corpora", "fetch", "plain", "--from", tmp_path / "from")
        assert "plain: replaced, as they were not the pinned ones: a.txt" in result.stderr

    def test_a_bundled_corpus_is_there(self):
        result = run("corpora", "fetch", "sample")
        assert (result.exit_code, result.stdout.splitlines()[1].split("\t")[1]) == (0, "0")

    def test_unknown_names_and_empty_folders_are_wrong_calls(self, toys, tmp_path, monkeypatch, capsys):
        assert run_main(monkeypatch, "corpora", "fetch", "plan") == 2
        assert "did you mean plain?" in capsys.readouterr().err
        (tmp_path / "empty").mkdir()
        assert run_main(monkeypatch, "corpora", "fetch", "--from", tmp_path / "empty") == 2
        assert "holds no file of any corpus" in capsys.readouterr().err


class TestPin:
    @pytest.fixture
    def root(self, tmp_path):
        """The folder of the corpora, with one of them, and what is none of it."""
        (tmp_path / "raw/brand_new/sub").mkdir(parents=True)
        (tmp_path / "raw/other").mkdir()
        (tmp_path / "raw/other/b.txt").write_bytes(b"b")
        (tmp_path / "raw/brand_new/sub/a.txt").write_bytes(b"a")
        (tmp_path / "raw/brand_new/.hidden").write_bytes(b"h")
        (tmp_path / "raw/brand_new/b.txt.part").write_bytes(b"p")
        return tmp_path / "raw"

    def test_a_new_corpus(self, root):
        result = run("corpora", "pin", "brand_new", "--from", root)
        (row,) = csv.DictReader(result.stdout.splitlines())
        filled = {"path": "sub/a.txt", "sha256": hashlib.sha256(b"a").hexdigest(), "bytes": "1"}
        assert row == dict.fromkeys(set(SourceFile.model_fields) - {"encoding"}, "") | filled
        assert result.stderr == "new: sub/a.txt\n"

    def test_what_the_table_says_is_kept(self, tmp_path):
        (tmp_path / "tdt").mkdir()
        (tmp_path / "tdt/train.raw").write_bytes(b"other bytes")
        result = run("corpora", "pin", "tdt", "--from", tmp_path)
        (row,) = csv.DictReader(result.stdout.splitlines())
        assert (row["rows"], row["split"], row["task"], row["bytes"]) == ("6248", "train", "TDT", "11")
        assert row["address"].startswith("https://")
        assert result.stderr == "changed: train.raw\ngone: test.raw\n"

    def test_the_table_of_the_bundled_corpus_comes_out_as_it_is(self):
        sample = registry.get_corpus("sample")
        result = run("corpora", "pin", "sample", "--from", registry.folder(sample).parent)
        table = Path(registry.__file__).parents[3] / "builders/files/sample.csv"
        assert result.stdout == table.read_text()

    @pytest.mark.parametrize("name", ["../x", "Upper", ""])
    def test_names_that_are_none(self, tmp_path, monkeypatch, capsys, name):
        assert run_main(monkeypatch, "corpora", "pin", name, "--from", tmp_path) == 2
        assert "cannot name a corpus" in capsys.readouterr().err

    def test_the_folder_is_the_one_that_build_takes(self, root, monkeypatch, capsys):
        out = root.parent / "brand_new.csv"
        for folder, told in (
            (root / "nothing", "is no folder; --from takes the folder that holds brand_new/"),
            (root / "brand_new", f"--from takes the folder that holds brand_new/: {root}"),
            (root / "other", f"put the files of brand_new there, where `emollms build --from {root / 'other'}` looks"),
        ):
            assert run_main(monkeypatch, "corpora", "pin", "brand_new", "--from", folder, "--out", out) == 2
            assert told in capsys.readouterr().err
            assert not out.exists()

    def test_a_folder_without_files(self, root, monkeypatch, capsys):
        (root / "empty").mkdir()
        assert run_main(monkeypatch, "corpora", "pin", "empty", "--from", root) == 2
        assert "holds no files" in capsys.readouterr().err

    def test_a_redirection_is_refused(self, root):
        """The shell empties the table before the command can read what was filled in."""
        with (root / "table.csv").open("w") as table:
            result = run_process("corpora", "pin", "brand_new", "--from", root, stdout=table)
        assert result.returncode == 2
        assert "give --out FILE" in result.stderr
        assert (root / "table.csv").read_bytes() == b""


@pytest.mark.skipif(not os.environ.get("EMOLLMS_CORPORA"), reason="EMOLLMS_CORPORA names no folder")
@pytest.mark.corpora
@pytest.mark.parametrize("name", [name for name, corpus in registry.corpora().items() if not corpus.meta.bundled])
def test_the_real_files_are_the_pinned_ones(name, tmp_path):
    source = Path(os.environ["EMOLLMS_CORPORA"])
    if not (source / name).is_dir():
        pytest.skip(f"{name} is not on this machine")
    result = run("corpora", "fetch", name, "--from", source, "--to", tmp_path, "--accept-terms")
    assert result.exit_code == 0, result.stderr
