"""A README of ours into one that is on the Hub: ours replaced, what other people wrote kept to the letter.

A section is ours where it is between the two comments that every section of our cards has; the page does not show
them. A heading would not do: other people write `## Citation` too, and put a paragraph of their own under ours. So all
that is outside the comments is other people's, also under the same heading, and is never touched.

A new section goes behind the one that it follows in our card; one that our card no longer has goes away. A README
without any section of ours is set behind ours. Of the metadata, the keys that our card has are replaced in
place (tags are joined), the others are kept with their order, and their comments.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

from emollms.dataset.manifest import README
from emollms.errors import EmollmsError
from emollms.hub.release import LocalFile, Release, made_file
from emollms.templates import dump_metadata

BEGIN = re.compile(r"<!-- emollms: ([a-z-]+) -->")
END = "<!-- /emollms: {} -->"
STALE = ("license_name", "license_link", "model-index")
"""Keys that our cards have at times, and that would contradict the others if an old one stayed."""
_METADATA = re.compile(r"\s*---[ \t]*\n((?:.*\n)*?)---[ \t]*(?:\n|$)")


@dataclass(frozen=True)
class Part:
    """A part of the text of a README.

    Args:
        section: the name of the section, if it is ours; else None.
        text: all its lines, the two comments included.
    """

    section: str | None
    text: str


def with_sections_of(release: Release, existing: str | None) -> Release:
    """A release whose README keeps what other people wrote into the one on the Hub: see `merged_files`."""
    return replace(release, files=merged_files(release.files, existing))


def merged_files(files: Mapping[str, LocalFile], existing: str | None) -> Mapping[str, LocalFile]:
    """The files of a release with a README that keeps the sections of other people.

    Args:
        files: what is to be published.
        existing: the README that is on the Hub; None if there is none.

    Raises:
        EmollmsError: the README on the Hub cannot be merged.
    """
    if existing is None or README not in files:
        return files
    readme = made_file(README, merge_card(existing, files[README].read().decode("utf-8")).encode("utf-8"))
    return {**files, README: readme}


def merge_card(existing: str | None, ours: str) -> str:
    """Our card with what other people wrote into the existing one; merging it again gives the same.

    Args:
        existing: the README that is there; None where there is none.
        ours: our card, with its comments around each section.

    Raises:
        EmollmsError: the README has metadata that cannot be read, or a section of ours without its end.
    """
    if existing is None or not existing.strip():
        return ours
    old_metadata, old_text = split_card(existing.removeprefix("\ufeff").replace("\r\n", "\n"))
    new_metadata, new_text = split_card(ours)
    parts = _merge_parts(list(_parts(old_text)), list(_parts(new_text)))
    text = "\n\n".join(part.text for part in parts)
    return f"---\n{_merge_metadata(old_metadata, new_metadata)}---\n\n{text}\n"


def split_card(card: str) -> tuple[str, str]:
    """The YAML metadata of a README, and its text; the metadata is empty where there is none."""
    found = _METADATA.match(card)
    return (found[1], card[found.end() :]) if found else ("", card)


def _parts(text: str) -> Iterator[Part]:
    """Our sections, and what is between them without the blank lines around it."""
    inside: str | None = None
    lines: list[str] = []
    for line in text.split("\n"):
        begins = BEGIN.fullmatch(line.rstrip())
        if begins and inside is None:
            yield from _other(lines)
            inside, lines = begins[1], []
        lines.append(line)
        if begins and inside != begins[1]:
            break
        if inside and line.rstrip() == END.format(inside):
            yield Part(inside, "\n".join(lines))
            inside, lines = None, []
    if inside:
        raise EmollmsError(
            f"README.md: section {inside} of ours has no end; put a line {END.format(inside)} there, or take it out"
        )
    yield from _other(lines)


def _other(lines: list[str]) -> Iterator[Part]:
    kept = list(lines)
    while kept and not kept[-1].strip():
        kept.pop()
    while kept and not kept[0].strip():
        kept.pop(0)
    if kept:
        yield Part(None, "\n".join(kept))


def _merge_parts(old: list[Part], new: list[Part]) -> list[Part]:
    ours = {part.section: part for part in new if part.section}
    merged: list[Part] = []
    for part in old:
        if part.section is None:
            merged.append(part)
        elif part.section in ours and ours[part.section] not in merged:
            merged.append(ours[part.section])
    at = -1
    for part in ours.values():
        if part not in merged:
            merged.insert(at + 1, part)
        at = merged.index(part)
    return merged


def _merge_metadata(old: str, new: str) -> str:
    """The lines of the merged metadata."""
    before, ours = _mapping(old), _mapping(new)
    if "tags" in ours:
        theirs = before.get("tags")
        tags = theirs if isinstance(theirs, list) else [theirs] if isinstance(theirs, str) else []
        ours["tags"] += [tag for tag in tags if tag not in ours["tags"]]
    kept = {key: value for key, value in before.items() if key in ours or key not in STALE}
    above, lines = _lines_by_key(old)
    texts = [
        lines[key] if key not in ours and key in lines else _dump({key: ours.get(key, value)})
        for key, value in kept.items()
    ]
    merged = "".join([above, *texts, _dump({key: ours[key] for key in ours if key not in kept})])
    wanted = kept | ours
    # Lines cannot be kept where they share anchors, or are of another style: then their comments are lost.
    return merged if _reads_as(merged, wanted) else _dump(wanted)


def _mapping(text: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text) if text.strip() else {}
    except yaml.YAMLError as error:
        raise EmollmsError(f"README.md: the metadata is no YAML ({' '.join(str(error).split())}); mend it") from None
    if not isinstance(found, dict | None):
        raise EmollmsError("README.md: the metadata is no mapping of keys to values; mend it")
    return found or {}


def _lines_by_key(text: str) -> tuple[str, dict[Any, str]]:
    """The lines above the first key, and those of each key at the top, with the comments below it."""
    loader = yaml.SafeLoader(text)
    node = loader.get_single_node()
    if not isinstance(node, yaml.MappingNode) or node.flow_style:
        return "", {}
    lines = text.splitlines(keepends=True)
    starts = [(loader.construct_object(key, deep=True), key.start_mark.line) for key, _ in node.value]
    ends = [start for _, start in starts[1:]] + [len(lines)]
    found = {key: "".join(lines[start:end]) for (key, start), end in zip(starts, ends, strict=True)}
    return "".join(lines[: starts[0][1]]) if starts else text, found


def _reads_as(text: str, wanted: Mapping[str, Any]) -> bool:
    try:
        return bool(yaml.safe_load(text) == wanted)
    except yaml.YAMLError:
        return False


def _dump(values: Mapping[str, Any]) -> str:
    return dump_metadata(values) if values else ""
