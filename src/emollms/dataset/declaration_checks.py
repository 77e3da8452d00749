"""Checks of what a corpus declares: metadata, licence, files."""

import re

from emollms.corpora.fetch import state_of
from emollms.dataset.corpus_reading import CorpusReading
from emollms.dataset.corpus_report import CorpusCheck
from emollms.templates import code

NAMED = ("unknown", "other")
"""Licences that say nothing by their name."""
_LICENSE = re.compile(
    r"cc0-1\.0|cc-by(-nc)?(-nd|-sa)?-[1-4]\.[05]|mit|apache-2\.0|bsd-[23]-clause|odc-by|odbl|pddl|(a|l)?gpl-[23]\.0|isc|"
    r"unlicense|cdla-(permissive|sharing)-[12]\.0|other|unknown"
)


def metadata(reading: CorpusReading) -> CorpusCheck:
    """What the metadata says, and what is still to be filled in."""
    meta, wrong = reading.meta, []
    if not re.match(r"https?://\S+\.\S+", meta.homepage):
        wrong.append(f"homepage {code(meta.homepage)} is no address")
    if not re.match(r"@\w+\{", meta.citation.strip()):
        wrong.append("citation is no BibTeX entry")
    if not any(file.address for file in meta.files) and not (meta.by_hand or meta.bundled):
        how = "no file has an address: fill in the column `address`, or say in `by_hand` how to get them"
        return CorpusCheck("metadata", "failed" if wrong else "noted", (*wrong, how))
    found = wrong or [f"{len(meta.languages)} languages, {', '.join(meta.tasks)}, {', '.join(meta.splits)}"]
    return CorpusCheck("metadata", "failed" if wrong else "passed", tuple(found))


def license(reading: CorpusReading) -> CorpusCheck:
    """Whether the licence is one that the Hub knows, and what may be passed on follows from it."""
    meta = reading.meta
    told = f"{code(meta.license)}, may be passed on: {meta.redistribution}"
    if not _LICENSE.fullmatch(meta.license):
        return CorpusCheck("licence", "failed", (told, "no SPDX identifier as the Hub writes them; else `other`"))
    if meta.license in NAMED and not meta.terms:
        return CorpusCheck("licence", "failed", (told, "say in `terms` what the distributor asks of users"))
    if meta.license in NAMED and meta.redistribution == "text":
        return CorpusCheck("licence", "failed", (told, "texts are passed on only where a licence allows it"))
    return CorpusCheck("licence", "passed", (told,))


def hashes(reading: CorpusReading) -> CorpusCheck:
    """Whether each file is the pinned one."""
    states = [(file.path, state_of(file, reading.where)) for file in reading.meta.files]
    wrong = tuple(f"{code(path)}: {state}" for path, state in states if state != "ok")
    ok = f"{len(states)} files are the pinned ones, {sum(file.bytes for file in reading.meta.files):,} bytes"
    return CorpusCheck("hashes", "failed" if wrong else "passed", wrong[:5] or (ok,))
