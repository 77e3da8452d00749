"""A README of ours into one that is there."""

import math
import re

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emollms.errors import EmollmsError
from emollms.hub.card_merge import STALE, merge_card, split_card
from emollms.hub.model_card import render_model_card
from hub.made_up_model import CARD, made_up_run, made_up_scores

KEYS = st.sampled_from(["license", "tags", "language", "thumbnail", "contact", "extra", "no", "1.10", "license_name"])
SCALARS = st.one_of(st.text(max_size=12), st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False))
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(st.text(max_size=5), SCALARS, max_size=2))
METADATA = st.dictionaries(KEYS, VALUES, max_size=5)
LINES = st.lists(
    st.one_of(
        st.sampled_from(["# Title", "## Licence", "---", "```", "", "  ", "- item", "<!-- note -->", "| a |"]),
        st.text(alphabet=st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), max_size=20),
    ),
    max_size=6,
)  # fmt: skip
NAMES = st.lists(st.sampled_from(["about", "use", "scores", "limits"]), unique=True, max_size=4)
CALM = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


def card(metadata: dict[str, object], sections: list[str], text: str) -> str:
    parts = [f"<!-- emollms: {name} -->\n## {name}\n\n{text}\n<!-- /emollms: {name} -->" for name in sections]
    body = "\n\n".join(parts)
    return f"---\n{yaml.safe_dump(metadata, sort_keys=False)}---\n\n{body}\n"


def theirs(text: str) -> list[str]:
    """The lines of a README that are not ours, but for blank ones."""
    own = re.sub(r"^<!-- emollms: ([a-z-]+) -->$.*?^<!-- /emollms: \1 -->$", "", text, flags=re.DOTALL | re.MULTILINE)
    return [line for line in own.split("\n") if line.strip()]


OWN = {"license": "mit", "tags": ["emotion"]}
OURS = st.builds(
    card,
    st.sampled_from([OWN, {**OWN, "datasets": ["me/aaid"]}]),
    NAMES,
    st.sampled_from(["one", "two\n\n## Not a section", "```\n# code\n```"]),
)  # fmt: skip


@CALM
@given(metadata=METADATA, lines=LINES, ours=OURS)
def test_into_a_page_of_somebody_else(metadata: dict[str, object], lines: list[str], ours: str) -> None:
    body = "\n".join(lines)
    existing = f"---\n{yaml.safe_dump(metadata, sort_keys=False)}---\n{body}"
    merged = merge_card(existing, ours)
    assert merge_card(merged, ours) == merged
    _, text = split_card(merged)
    assert theirs(text) == theirs(body)
    found, own = yaml.safe_load(split_card(merged)[0]), yaml.safe_load(split_card(ours)[0])
    assert {key: value for key, value in found.items() if key in own and key != "tags"} == {
        key: value for key, value in own.items() if key != "tags"
    }
    assert {key: value for key, value in found.items() if key not in own} == {
        key: value for key, value in metadata.items() if key not in own and key not in STALE
    }
    assert [key for key in found if key in metadata] == [key for key in metadata if key in found]


@CALM
@given(between=st.lists(LINES, min_size=5, max_size=5), first=OURS, second=OURS)
def test_the_next_version_replaces_ours_and_moves_nothing_else(
    between: list[list[str]], first: str, second: str
) -> None:
    """Somebody wrote between our sections, and our next card has other ones."""
    parts = re.findall(r"<!-- emollms: ([a-z-]+) -->\n.*?<!-- /emollms: \1 -->", first, flags=re.DOTALL)
    _, text = split_card(first)
    pieces = re.split(r"(?<=-->)\n\n(?=<!-- emollms)", text.strip()) if parts else []
    mixed = "\n\n".join(
        "\n".join(filter(None, ["\n".join(other), own])) for other, own in zip(between, [*pieces, ""], strict=False)
    )
    merged = merge_card(f"---\ncontact: me\n---\n{mixed}", second)
    assert theirs(split_card(merged)[1]) == theirs(mixed)
    wanted = re.findall(r"<!-- emollms: ([a-z-]+) -->\n", second)
    found = re.findall(r"<!-- emollms: ([a-z-]+) -->\n", merged)
    assert sorted(found) == sorted(wanted)
    assert merge_card(merged, second) == merged
    for name in wanted:
        section = re.search(rf"<!-- emollms: {name} -->.*?<!-- /emollms: {name} -->", second, flags=re.DOTALL)
        assert section
        assert section[0] in merged


OUR_CARD = card(OWN, ["about", "limits"], "ours")


@pytest.mark.parametrize("existing", [None, "", " \n\n"])
def test_where_there_is_nothing_ours_is_all(existing: str | None) -> None:
    assert merge_card(existing, OUR_CARD) == OUR_CARD


def test_the_real_card_comes_back_as_it_is() -> None:
    ours = render_model_card(made_up_run(), [made_up_scores()], **CARD)
    assert merge_card(ours, ours) == ours


def test_a_paragraph_between_our_sections_stays_there() -> None:
    existing = OUR_CARD.replace("<!-- emollms: limits", "We use it **daily**.\n\n\n\nYes.\n\n<!-- emollms: limits")
    newer = card(OWN, ["about", "scores", "limits"], "newer")
    assert split_card(merge_card(existing, newer))[1] == split_card(newer)[1].replace(
        "<!-- emollms: limits", "We use it **daily**.\n\n\n\nYes.\n\n<!-- emollms: limits"
    )


def test_comments_and_numbers_of_their_metadata_stay_as_they_were_written() -> None:
    metadata = "# mine\nversion: 1.10 # not 1.1\nlicense: apache-2.0\nlicense_name: x\nno: 'on'\nlist: [a,\n  b]\n"
    merged = merge_card(f"---\n{metadata}---\nHello\n", OUR_CARD)
    assert split_card(merged)[0] == (
        "# mine\nversion: 1.10 # not 1.1\nlicense: mit\nno: 'on'\nlist: [a,\n  b]\ntags:\n- emotion\n"
    )


def test_metadata_that_refer_to_each_other() -> None:
    """A line that only makes sense beside another one, which goes: then values are written out."""
    merged = merge_card("---\nlicense: &it apache-2.0\ndoc: *it\nnan: .nan\n---\nHello\n", OUR_CARD)
    metadata = yaml.safe_load(split_card(merged)[0])
    assert (metadata["license"], metadata["doc"]) == ("mit", "apache-2.0")
    assert math.isnan(metadata["nan"])


def test_line_ends_and_byte_order_marks_of_other_systems() -> None:
    existing = "\ufeff---\r\nlicense: mit\r\n---\r\n\r\n# Theirs\r\n\r\nText.\r\n"
    merged = merge_card(existing, OUR_CARD)
    assert merged.endswith("<!-- /emollms: limits -->\n\n# Theirs\n\nText.\n")
    assert "\r" not in merged


BROKEN = {
    "metadata that are no YAML": ("---\nlicense: ]\n---\n", r"README\.md: the metadata is no YAML \(.*\); mend it"),
    "metadata that are a list": ("---\n- a\n---\n", r"README\.md: the metadata is no mapping of keys to values"),
    "a section without its end": (
        "<!-- emollms: about -->\n# Mine\n",
        r"section about of ours has no end; put a line <!-- /emollms: about --> there, or take it out",
    ),
    "a section in a section": (
        "<!-- emollms: about -->\n<!-- emollms: use -->\n<!-- /emollms: use -->\n<!-- /emollms: about -->\n",
        "section about of ours has no end",
    ),
}


@pytest.mark.parametrize(("existing", "message"), BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_merged_is_refused(existing: str, message: str) -> None:
    with pytest.raises(EmollmsError, match=message):
        merge_card(existing, OUR_CARD)
