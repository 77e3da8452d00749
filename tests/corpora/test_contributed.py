"""Corpora as newcomers bring them, by the commands that they give: odd files, and what is said of them."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from contributed import Newcomer
from forks import Forks

COLUMNS = '("id", "text", "score")'
PLAIN_TABLE = f"yield from source.table(file, {COLUMNS})"
ROWS = 'yield Example("V-reg", record.split, record["id"], record["text"], record.number("score"), record["score"])'
EMOTIONS = '("anger", "fear", "joy", "sadness", "surprise")'
SHARED = {"split": "train", "language": "en"}
OUTSIDE = "the bus never came\nline one\u2028line two of this rant\nwho took my lunch\nso proud of her\n"


@pytest.fixture
def newcomer(tmp_path: Path, build_forks: Forks) -> Newcomer:
    return Newcomer(tmp_path, build_forks, about={"train.csv": SHARED})


def with_flags(newcomer: Newcomer, body: bytes) -> Newcomer:
    """0/1 columns, as BRIGHTER has them."""
    newcomer.files = {"train.csv": body}
    newcomer.change(
        PLAIN_TABLE, f'yield from source.table(file, ("id", "text", *{EMOTIONS}), delimiter=",", quotes=True)'
    )
    newcomer.change('tasks=("V-reg",)', 'tasks=("E-c",)')
    return newcomer.change(
        ROWS,
        f"""labels = record.flags({EMOTIONS})
        yield Example("E-c", record.split, record["id"], record["text"], labels, ", ".join(labels) or "none")""",
    )


def texts(newcomer: Newcomer, task: str) -> list[str]:
    found = pq.read_table(newcomer.root / "out/data" / task, columns=["text", "wording"]).to_pylist()
    return [row["text"] for row in found if row["wording"] == 0]


def test_byte_order_mark_line_ends_and_line_breaks_in_cells(newcomer: Newcomer) -> None:
    body = "\ufeffid,text,anger,fear,joy,sadness,surprise\r\n"
    body += 'eng_1,"I waved, nobody waved back",0,0,0,1,0\r\neng_2,"Look!\r\nIt snows in May",0,0,1,0,1\r\n'
    done = with_flags(newcomer, (body + 'eng_3,"The form has three pages",0,0,0,0,0\r\n').encode()).write().build()
    assert done.returncode == 0, done.stderr
    assert texts(newcomer, "E-c") == [
        "I waved, nobody waved back",
        "Look!\nIt snows in May",
        "The form has three pages",
    ]


def test_flags_as_decimals(newcomer: Newcomer) -> None:
    body = b'id,text,anger,fear,joy,sadness,surprise\neng_1,"It snows in May",0.0,0.0,1.0,0.0,1.0\n'
    done = with_flags(newcomer, body).write().build()
    assert done.returncode == 1
    assert done.stderr == (
        "error: mine/train.csv:2: anger is neither 0 nor 1: '0.0'; say in the builder what the file writes, "
        "record.flags(columns, yes=(…,), no=(…,)), or leave the row out with --quarantine\n"
    )
    newcomer.change(f"record.flags({EMOTIONS})", f'record.flags({EMOTIONS}, yes=("1.0",), no=("0.0",))').write()
    assert newcomer.build().returncode == 0
    assert texts(newcomer, "E-c") == ["It snows in May"]


def test_a_file_in_latin_1(newcomer: Newcomer) -> None:
    """What Sentiment140 looks like."""
    lines = ["0,1,my bike chain snapped", "4,2,the café gave us cake", "0,3,naïve me thought it would be easy"]
    newcomer.files = {"train.csv": "\n".join(lines).encode("latin-1")}
    newcomer.change('tasks=("V-reg",)', 'tasks=("TDT",)')
    table = 'source.table(file, ("target", "id", "text"), delimiter=",", header=False, quotes=True)'
    newcomer.change(f"source.table(file, {COLUMNS})", table)
    newcomer.change(ROWS, 'yield Example("TDT", "train", record["id"], record["text"], 1, record["target"])')
    done = newcomer.write().build()
    assert done.returncode == 1
    assert "mine/train.csv:2: byte 12 of the line is not UTF-8: " in done.stderr
    assert "say its encoding in the table of files (column encoding; latin-1 and cp1252 are common)" in done.stderr
    assert "fetch" not in done.stderr
    newcomer.about["train.csv"] = {**SHARED, "encoding": "latin-1"}
    done = newcomer.write().build()
    assert done.returncode == 0, done.stderr
    assert texts(newcomer, "TDT") == [line.split(",")[2] for line in lines]


def test_mojibake_of_windows_1252_is_repaired_and_counted(newcomer: Newcomer) -> None:
    """Whether the file is UTF-8, or is itself in Windows-1252; the gate would refuse what is left."""
    rows = ["id\ttext\tscore", "1\tI donâ€™t mind the cafÃ©\t0.5"]
    for encoding in ("utf-8", "cp1252"):
        newcomer.files = {"train.tsv": "\n".join(rows).encode(encoding)}
        newcomer.about = {"train.tsv": {**SHARED, "encoding": encoding}}
        done = newcomer.write().build()
        assert done.returncode == 0, done.stderr
        assert texts(newcomer, "V-reg") == ["I don’t mind the café"]
        card = (newcomer.root / "out/README.md").read_text(encoding="utf-8")
        assert "| broken UTF-8 | 1 |" in card


def test_two_files_side_by_side(newcomer: Newcomer) -> None:
    """What TweetEval looks like: read in step by hand, and with the reader for it."""
    newcomer.files = {"text.txt": OUTSIDE.encode(), "labels.txt": b"1\n3\n0\n0\n2\n"}
    newcomer.about = {"text.txt": SHARED, "labels.txt": SHARED}
    newcomer.change('tasks=("V-reg",)', 'tasks=("E-c",)')
    newcomer.change(
        f"for file in self.wanted_files(selection):\n            {PLAIN_TABLE}", "texts, labels = self.meta.files"
    )
    newcomer.change(
        "labels = self.meta.files\n",
        """labels = self.meta.files
        for (number, line), (_, label) in zip(source.lines(texts), source.lines(labels), strict=True):
            yield Record(texts, number, {"text": line, "label": label})
""",
    )
    newcomer.change(
        ROWS,
        """label = ("anger", "joy", "optimism", "sadness")[int(record["label"])]
        yield Example("E-c", record.split, f"{record.split}-{record.line}", record["text"], (label,), label)""",
    )
    done = newcomer.write().build()
    assert done.returncode == 1
    line = newcomer.line("in zip(source.lines")
    assert done.stderr == (
        "error: mine/labels.txt:5: ValueError: zip() argument 2 is longer than argument 1 (in records(), "
        f"line {line} of newcomer/__init__.py); mend the builder, or the files\n"
    )
    start, end = newcomer.module.index("        for (number"), newcomer.module.index("    def rows(")
    reader = "        yield from source.side_by_side(text=texts, label=labels)\n\n"
    newcomer.module = newcomer.module[:start] + reader + newcomer.module[end:]
    done = newcomer.write().build()
    assert done.returncode == 1
    assert (
        "mine/labels.txt:5: line without a partner in mine/text.txt, which has 4 lines; this file has 5; "
        in done.stderr
    )
    newcomer.files["labels.txt"] = b"1\nx\n0\n3\n"
    assert "mine/text.txt:2: ValueError: invalid literal for int() with base 10: 'x'" in newcomer.write().build().stderr
    done = newcomer.build("--quarantine")
    assert done.returncode == 0, done.stderr
    assert "\n  1 raw rows" in done.stderr
    assert texts(newcomer, "E-c") == ["the bus never came", "who took my lunch", "so proud of her"]


def test_a_quote_that_swallows_rows(newcomer: Newcomer) -> None:
    lines = ['"Nobody told me the pool was closed\t0.1\ts1', "They sang for me\t0.9\ts2", 'She is 5 ft 6"\t0.5\ts3']
    newcomer.files = {"train.csv": "\n".join([*lines, "All cheered\t0.9\ts4"]).encode()}
    newcomer.change(PLAIN_TABLE, 'yield from source.table(file, ("text", "score", "id"), header=False, quotes=True)')
    done = newcomer.write().build()
    assert (done.returncode, (newcomer.root / "out").exists()) == (1, False)
    assert done.stderr.startswith("error: mine/train.csv:1: a quote opens here and closes at line 3, and lines that")
    newcomer.change("quotes=True", "quotes=False")
    assert newcomer.write().build().returncode == 0
    assert len(texts(newcomer, "V-reg")) == 4


def test_a_column_that_one_language_lacks(newcomer: Newcomer) -> None:
    """A text whose surprise nobody judged is not asked for it."""
    body = b'id,text,anger,disgust,fear,joy,sadness\nafr_1,"Die bus was weer laat",1,0,0,0,0\n'
    with_flags(newcomer, body)
    done = newcomer.write().build()
    assert done.returncode == 1
    assert done.stderr == (
        "error: mine/train.csv:1: column 'surprise' is missing: 'id\\ttext\\tanger\\tdisgust\\tfear\\tjoy\\tsadness'; "
        "name the file's own columns in the builder, or correct its first line\n"
    )
    newcomer.module = newcomer.module.replace(EMOTIONS, 'self.meta.annotated("E-c", "train", "en")')
    left_out = '("anticipation", "love", "optimism", "pessimism", "surprise", "trust")'
    newcomer.change('domain="made up"', f'domain="made up", unannotated=(Unannotated(labels={left_out}),)')
    done = newcomer.write().build()
    assert done.returncode == 0, done.stderr
    (row, *_) = pq.read_table(newcomer.root / "out/data/E-c").to_pylist()
    assert "anger, disgust, fear, joy, sadness" in row["prompt"]
    assert not [label for label in ("surprise", "trust", "love") if label in row["prompt"].partition("Tweet:")[0]]


def test_every_other_corpus_works_beside_a_broken_one(newcomer: Newcomer) -> None:
    newcomer.change('license="mit"', 'licens="mit"').write()
    told = (
        "builder mine ('newcomer:Mine' of newcomer) cannot be used: unknown field 'licens'; did you mean license? "
        f"(line {newcomer.line('CorpusMetadata(')} of newcomer/__init__.py); mend, update or remove the package"
    )
    done = newcomer.run("corpora")
    assert (done.returncode, done.stderr) == (0, f"warning: {told}\n")
    assert "sample\t" in done.stdout
    for command in (
        ("corpora", "show", "mine"),
        ("build", "aaid", "--corpora", "mine", "--out", newcomer.root / "out"),
    ):
        done = newcomer.run(*command)
        assert (done.returncode, done.stderr) == (2, f"error: {told}\n")
    out = newcomer.root / "sample"
    done = newcomer.run("build", "aeb", "--corpora", "sample", "--tasks", "V-reg", "--out", out)
    assert done.returncode == 0, done.stderr
    assert (
        newcomer.run("evaluate", "--data", out, "--baseline", "mean", "--out", newcomer.root / "scores").returncode == 0
    )


def test_pin_as_contributing_says(newcomer: Newcomer) -> None:
    """Pin, fill in, pin again, build: with one folder for both commands."""
    newcomer.files = {"train.csv": b"id\ttext\tscore\n1\ta good day, really\t0.8\n"}
    newcomer.write()
    pin = ("corpora", "pin", "mine", "--from", newcomer.root / "raw", "--out", newcomer.table)
    newcomer.table.unlink()
    done = newcomer.run(*pin)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "new: train.csv\n")
    header, row = newcomer.table.read_text().splitlines()
    assert header == "path,sha256,bytes,rows,split,language,task,emotion,address"
    newcomer.table.write_text(f"{header}\n{row.removesuffix(',,,,,,')},1,train,en,V-reg,,\n")
    raw = newcomer.root / "raw/mine/train.csv"
    raw.write_bytes(raw.read_bytes() + b"2\tnothing worked\t0.1\n")
    assert newcomer.build().stderr.startswith("error: mine/train.csv: SHA-256 is not ")
    done = newcomer.run(*pin)
    assert (done.returncode, done.stderr) == (0, "changed: train.csv\n")
    assert newcomer.table.read_text().splitlines()[1].endswith(",1,train,en,V-reg,,")
    told = "error: mine/train.csv: 2 rows instead of 1; correct its rows in the table of files"
    assert newcomer.build().stderr.startswith(told)
    assert newcomer.run(*pin, "--count-rows").returncode == 0
    assert newcomer.table.read_text().splitlines()[1].endswith(",2,train,en,V-reg,,")
    assert newcomer.build().returncode == 0


WORDINGS = "wordings:\n  - \"Which of {labels}? Else '{nothing}'.\"\n  - \"Name all of {labels}, or '{nothing}'.\"\n"


def with_task(newcomer: Newcomer, task: str) -> Newcomer:
    """A task and wordings of one's own."""
    newcomer.change(
        "\n\nclass Mine", f"from emollms.tasks import MultiLabelTask, RegressionTask, add_task\n{task}\n\n\nclass Mine"
    )
    newcomer.change('tasks=("V-reg",)', 'tasks=("Mood",)').change('splits=("train",)', 'splits=("train", "test")')
    newcomer.files = {"test.csv": b"id\ttext\tscore\n1\tso it went\tcalm\n2\tthe end is near\ttense, sad\n"}
    newcomer.about = {"test.csv": {"split": "test", "language": "en"}}
    newcomer.change(
        ROWS,
        'yield Example("Mood", record.split, record["id"], record["text"], tuple(record["score"].split(", ")), "x")',
    )
    folder = newcomer.root / "site/newcomer/instructions/en"
    folder.mkdir(parents=True)
    (folder / "Mood.yaml").write_text(WORDINGS)
    return newcomer


MOOD = 'MultiLabelTask(name="Mood", about="which mood", cue="Mood:", labels=("calm", "sad", "tense"), nothing="none")'


def test_a_task_and_wordings_of_ones_own(newcomer: Newcomer) -> None:
    """Built, and scored by a command that loads no builder by itself."""
    with_task(newcomer, f'add_task({MOOD}, package="newcomer")').write()
    where = ("--from", newcomer.root / "raw", "--out", newcomer.root / "out")
    done = newcomer.run("build", "aeb", "--corpora", "mine", *where)
    assert done.returncode == 0, done.stderr
    prompts = pq.read_table(newcomer.root / "out/data/Mood")["prompt"].to_pylist()
    assert all("calm, sad, tense" in prompt and prompt.endswith(" Mood: ") for prompt in prompts)
    scored = ("evaluate", "--data", newcomer.root / "out", "--baseline", "majority", "--out", newcomer.root / "scores")
    done = newcomer.run(*scored)
    assert done.returncode == 0, done.stderr
    assert "Mood" in done.stdout
    (newcomer.root / "site/newcomer/instructions/en/Mood.yaml").write_text(WORDINGS.replace("labels", "label"))
    done = newcomer.run(
        "build", "aeb", "--corpora", "mine", "--from", newcomer.root / "raw", "--out", newcomer.root / "o"
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "Mood.yaml: wording 0: unknown placeholder '{label}'; did you mean {labels}?" in done.stderr


@pytest.mark.parametrize(
    ("task", "told"),
    [
        (MOOD.replace('"Mood"', '"E-c"'), "there is another task 'E-c'; choose another name"),
        (MOOD.replace('"Mood"', '"My/mood"'), "'My/mood' cannot name a task; take letters, digits, - and _"),
        ('"Mood"', "'Mood' is no task; give a RegressionTask, OrdinalTask or MultiLabelTask"),
        ('RegressionTask(name="Mood", about="", low=1, high=0)', "task Mood: low 1 is not below high 0"),
        (
            'RegressionTask(name="Mood", about="", low=0, high=1)',
            "task Mood: poles must say what both ends mean for ''",
        ),
    ],
)
def test_a_task_that_is_none(task: str, told: str, newcomer: Newcomer) -> None:
    done = with_task(newcomer, f'add_task({task}, package="newcomer")').write().run("corpora", "show", "mine")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert told in done.stderr
