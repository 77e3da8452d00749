"""Repairs of source texts: known values; once is enough; sound texts stay as they are."""

import html

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from emollms.text_repair import BRACKETS, ENTITIES, LINE_BREAKS, MOJIBAKE, OUTER_SPACE, SLASHES, Repair

ALL = (BRACKETS, ENTITIES, MOJIBAKE, LINE_BREAKS, OUTER_SPACE, SLASHES)
KNOWN = [
    (MOJIBAKE, "cafÃ©", "café"),
    (MOJIBAKE, "â\x80\x9cquotedâ\x80\x9d", "“quoted”"),
    (MOJIBAKE, "ð\x9f\x98\x80", "😀"),
    (MOJIBAKE, "donâ€™t, a cafÃ© and ðŸ˜Š", "don’t, a café and 😊"),
    (MOJIBAKE, "some broken: cafÃ©, some not: 日本", "some broken: café, some not: 日本"),
    (MOJIBAKE, "I\x92ve", "I’ve"),
    (BRACKETS, "-LRB- aside -RRB-", "( aside )"),
    (BRACKETS, "-LSB-x-RSB- -LCB-y-RCB-", "[x] {y}"),
    (ENTITIES, "Tom &amp; Ann &lt;3", "Tom & Ann <3"),
    (ENTITIES, "twice &amp;amp; &amp;gt;", "twice & >"),
    (ENTITIES, "&#39;&quot;&#x1F600;", "'\"😀"),
    (LINE_BREAKS, r"one\ntwo", "one\ntwo"),
    (LINE_BREAKS, r"one \r\n two", "one\ntwo"),
    (LINE_BREAKS, r"one\n\ntwo", "one\n\ntwo"),
    (OUTER_SPACE, " \tone two\u00a0 ", "one two"),
    (SLASHES, r"1\/2 and\/or", "1/2 and/or"),
]
SOUND = [
    "", "plain", "café", "naïve “quotes” — 😀", "MÃE", "Ã", "São Paulo", "Tom & Ann", "AT&T;", "R&D", "a < b && c > d",
    "(aside)", "-LR-", "lrb", "C:\\temp", "and/or", "two\nlines", "فرح", "日本語",
]  # fmt: skip
texts = st.one_of(
    st.text(),
    st.text(alphabet=st.sampled_from("aé Ãâ©\x80\x9c&amp;lt#39\\nr/-LRBSC \t")),
    st.lists(st.sampled_from([text for _, before, after in KNOWN for text in (before, after)] + SOUND)).map(" ".join),
)


@pytest.mark.parametrize(("repair", "broken", "sound"), KNOWN)
def test_known_values(repair: Repair, broken: str, sound: str) -> None:
    assert repair.apply(broken) == sound


@pytest.mark.parametrize("repair", ALL, ids=lambda repair: repair.name)
@pytest.mark.parametrize("text", SOUND)
def test_sound_texts_stay(repair: Repair, text: str) -> None:
    assert repair.apply(text) == text


@pytest.mark.parametrize("repair", ALL, ids=lambda repair: repair.name)
@pytest.mark.parametrize("text", [after for _, _, after in KNOWN])
def test_repaired_texts_stay(repair: Repair, text: str) -> None:
    assert repair.apply(text) == text


@pytest.mark.parametrize("repair", ALL, ids=lambda repair: repair.name)
@given(text=texts)
@example(text="--LRB-LRB--")
@example(text=r"\\r\nn")
@example(text="\\\\//")
def test_once_is_enough(repair: Repair, text: str) -> None:
    once = repair.apply(text)
    assert repair.apply(once) == once


@given(
    st.lists(st.text(st.sampled_from("äöüßéñжщюяЖЩЮЯ今日雨ไทยअआ"), min_size=2, max_size=8), min_size=1, max_size=5),
    st.integers(1, 2),
)
def test_text_read_as_latin_1_comes_back(words: list[str], times: int) -> None:
    text = misread = " ".join(words)
    for _ in range(times):
        misread = misread.encode().decode("latin-1")
    assert MOJIBAKE.apply(misread) == text


@pytest.mark.parametrize("text", ["café “MANHÃ” TÉŽ GÅ…", "l’été, «CAFÉ»", "Ñandú ± 5 ×", "привет “мир”", "GRÖßE…"])
def test_accents_beside_signs_are_not_misread(text: str) -> None:
    assert MOJIBAKE.apply(text) == text


@given(st.text().map(lambda text: text.replace("&", "")), st.integers(0, 3))
def test_escaped_text_comes_back(text: str, times: int) -> None:
    escaped = text
    for _ in range(times):
        escaped = html.escape(escaped)
    assert ENTITIES.apply(escaped) == text


def test_names_are_told_apart() -> None:
    assert len({repair.name for repair in ALL}) == len(ALL)
