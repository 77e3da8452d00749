"""Publishing AAID to a Hub on this machine: `emollms publish` against `Dataset.push_to_hub` of the `datasets` library.

    EMOLLMS_CORPORA=~/corpora python benchmarks/publish.py [--profile release] [--where one|each|end|scattered]

What is pushed: (a) AAID 1.0.0, (b) the same again, (c) AAID 1.1.0, which has 1 % more rows. The rows are the real ones
(`paper` by default, English, all wordings). Texts of SemEval-2018 may not be passed on, and `emollms publish` refuses
them; here the corpus is declared free in the processes that build and push, and the only Hub that its rows are pushed
to is the one of `tests/hub`: a process of this script on 127.0.0.1, which keeps all in memory and ends with it.

1.0.0 is 1.1.0 without a hundredth of its texts: a block in the middle of one of the ten tables (EI-reg, training), as
when a source file grows; or a block in the middle, or at the end, of each table; or texts scattered over all.

Bytes are the bodies of all requests as the server counts them. Seconds are of whole processes that import, plan or
load, and push; emollms also checks every cell, verifies, tags and loads back, so the seconds from the first request
that changes something to the last are given besides. Each side has caches and a repo of its own. The last line is one
JSON object.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

TESTS = Path(__file__).parents[1] / "tests"
SHARE = 100
"""One text in so many is new in the second version."""
PUSHES = {"first push": "1.0.0", "the same again": "1.0.0", "1 % more rows": "1.1.0"}
FILES = ("/v1/xorbs/", "/v2/shards", "/_lfs/", "/commit/")
"""Requests that bring content: chunks of files and which make up a file, whole files, and small files in a commit."""


def main() -> None:
    arguments = parse()
    if arguments.side:
        CHILDREN[arguments.side](*arguments.rest)
        return
    with tempfile.TemporaryDirectory(prefix="emollms-") as name:
        folder = Path(name)
        for version in dict.fromkeys(PUSHES.values()):
            child(os.environ, "build", folder / version, version, arguments.profile, arguments.where)
        figures = {way: pushes(folder, way == "Xet") for way in ("Xet", "LFS")}
    show(figures)
    print(json.dumps({"profile": arguments.profile, "where": arguments.where, **figures}))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", choices=["paper", "release"], default="paper", help="how AAID is built")
    parser.add_argument(
        "--where", choices=["one", "each", "end", "scattered"], default="one", help="where new rows are"
    )
    parser.add_argument("--side", choices=list(CHILDREN), help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs="*", help=argparse.SUPPRESS)
    return parser.parse_args()


def pushes(folder: Path, xet: bool) -> dict[str, object]:
    """All pushes of both sides, to a Hub of their own."""
    sys.path.insert(0, str(TESTS))
    from hub.client import Server

    found: dict[str, dict[str, dict[str, float]]] = {}
    hub_folder = folder / ("xet" if xet else "lfs")
    with Server(hub_folder) as server:
        for side in ("emollms", "datasets"):
            environment = server.environment(xet, "hf_write", hub_folder / side)
            environment["HF_HOME"] = str(hub_folder / side / "home")
            for push, version in PUSHES.items():
                before = len(server.ask("GET", "/_admin/log"))
                seconds = child(environment, side, folder / version, f"me/{side}")
                log = server.ask("GET", "/_admin/log")[before:]
                found.setdefault(side, {})[push] = {"seconds": seconds, **sent(log)}
    first, again, more = (found["emollms"][push] for push in PUSHES)
    peer_first, _, peer_more = (found["datasets"][push] for push in PUSHES)
    ratios = {
        "again_sends_no_file": again["files"] == 0,
        "more_of_first": more["bytes"] / first["bytes"],
        "more_of_first_datasets": peer_more["bytes"] / peer_first["bytes"],
        "first_of_datasets": first["bytes"] / peer_first["bytes"],
        "more_of_datasets": more["bytes"] / peer_more["bytes"],
    }
    return {**found, "ratios": ratios}


def sent(log: list[dict[str, object]]) -> dict[str, float]:
    """What the requests of a push brought: bytes, how many brought content, and seconds from first to last of them."""
    changing = [request for request in log if request["method"] not in ("GET", "HEAD")]
    content = [request for request in changing if any(part in request["path"] for part in FILES)]
    return {
        "bytes": sum(request["bytes"] for request in log),
        "files": len(content),
        "sending": changing[-1]["at"] - changing[0]["at"] if changing else 0.0,
    }


def child(environment: dict[str, str], side: str, *rest: object) -> float:
    """Run one side in a process of its own; gives its wall seconds."""
    command = [sys.executable, __file__, "--side", side, *map(str, rest)]
    start = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr}")
    return time.perf_counter() - start


def declare_free() -> None:
    """Let the texts of SemEval-2018 pass, in this process: no Hub but that of the tests is ever asked."""
    from emollms.builders.semeval2018_task1 import SemEval2018Task1

    SemEval2018Task1.meta = SemEval2018Task1.meta.model_copy(update={"redistribution": "text"})


def build_version(out: str, version: str, profile: str, where: str) -> None:
    """AAID, of texts that may be passed on; 1.0.0 lacks one in a hundred."""
    from emollms.builders.semeval2018_task1 import SemEval2018Task1
    from emollms.dataset.build import build_repo
    from emollms.dataset.specs import DATA_SETS, Settings

    declare_free()
    if version == "1.0.0":
        whole = SemEval2018Task1.examples
        SemEval2018Task1.examples = lambda *given: without(whole(*given), where)
    build_repo(Settings(DATA_SETS["aaid"], profile), Path(out), version, validate=False)


def without(examples: Iterable[object], where: str) -> Iterator[object]:
    """Examples without one in a hundred."""
    tables: dict[tuple[str, str], list[object]] = {}
    for example in examples:
        tables.setdefault((example.task, example.split), []).append(example)
    everything = sum(map(len, tables.values()))
    for name, table in tables.items():
        size = len(table)
        gone = {
            "one": range(size // 2, size // 2 + everything // SHARE) if name == ("EI-reg", "train") else range(0),
            "each": range(size // 2, size // 2 + size // SHARE),
            "end": range(size - size // SHARE, size),
            "scattered": range(0, size, SHARE),
        }[where]
        yield from (example for number, example in enumerate(table) if number not in gone)


def with_emollms(folder: str, repo: str) -> None:
    from emollms.cli import main as emollms

    declare_free()
    sys.argv = ["emollms", "publish", "dataset", folder, "--repo", repo, "--yes"]
    emollms()


def with_datasets(folder: str, repo: str) -> None:
    from datasets import get_dataset_config_names, load_dataset

    for config in get_dataset_config_names(folder):
        if config != "default":
            load_dataset(folder, config).push_to_hub(repo, config_name=config, private=True)


def show(figures: dict[str, dict[str, object]]) -> None:
    table = Table("way", "push", "side", "bytes sent", "of the first", "requests with content", "seconds", "sending")
    for way, found in figures.items():
        for push in PUSHES:
            for side in ("emollms", "datasets"):
                run = found[side][push]
                share = run["bytes"] / found[side]["first push"]["bytes"]
                times = (f"{run['seconds']:.1f}", f"{run['sending']:.1f}")
                table.add_row(way, push, side, f"{run['bytes']:,}", f"{share:.1%}", str(run["files"]), *times)
    Console(width=120).print(table)


CHILDREN = {"build": build_version, "emollms": with_emollms, "datasets": with_datasets}

if __name__ == "__main__":
    main()
