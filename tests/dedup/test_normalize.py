from itertools import chain

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emollms.dedup.normalize import normalize
from emollms.text_repair import fix_mojibake

CHARACTERS = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]

ROUGH = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from("<>&;#@\\_-./: ÃÂâãðŸœšžƒˆ©™¦…”“\u200d\ufe0f\u0301\u0302\u0308\u00ad℃ẗßςİRTrtnbu0x"),
    ),
    max_size=40,
)
WORDS = st.lists(
    st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyzäöüßéñжщюяאבג今日雨ไทยहिंदीعرب"), min_size=1, max_size=8),
    min_size=1,
    max_size=10,
).filter(lambda words: words[0] != "rt")


def one(text: str) -> str:
    return normalize([text]).to_pylist()[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RT @you: I'm SO happy!! #Joy http://t.co/abc", "i m so happy joy"),
        ("read this www.example.org/a?b=c now pic.twitter.com/xYz", "read this now"),
        ("and/or 24/7, e.g. this.", "and or 24 7 e g this"),
        ("Tom &amp;amp; Jerry &lt;3 &#128512; &quot;ok&quot;", "tom jerry 3 😀 ok"),
        ("<b>bold</b><br/>and <a href='http://x.y/z'>a link</a> 1<2", "bold and a link 1 2"),
        (r"one\ntwo\tthree it\u2019s \ud83d\ude00 caf\xe9 \uD83D alone", "one two three it s 😀 café alone"),
        ("-LRB- aside -rrb- and -LSB-", "aside and"),
        ("cafÃ© donâ€™t ðŸ˜Š Ð¿Ñ€Ð¸Ð²ÐµÑ‚", "café don t 😊 привет"),
        ("na\u00c3\u00afve Ren\u00c3\u0089", "naïve rené"),
        ("CAFÉ… “MANH\u00c3” TÉŽ GÅ…", "café manhã též gå"),
        ("❤️ 👍🏽 👨\u200d👩\u200d👧", "❤ 👍 👨👩👧"),
        ("ｆｕｌｌ ①② ﬁne ™", "full 12 fine tm"),
        ("Straße STRASSE ΛΌΓΟΣ λόγος", "strasse strasse λόγοσ λόγοσ"),
        ("snake_case #two_words @user_name gone", "snake case two words gone"),
        ("会议,很好。今天 नमस्ते, दुनिया! สวัสดี", "会议 很好 今天 नमस्ते दुनिया สวัสดี"),
        ("RT", "rt"),
        (" :-) ", ":-)"),
        ("@user <a long remark, in brackets>", "a long remark in brackets"),
        ("rt rt smart art", "smart art"),
        ("", ""),
    ],
)
def test_known_texts(text: str, expected: str) -> None:
    assert one(text) == expected


def test_nulls_and_chunks_and_slices() -> None:
    column = pa.chunked_array([["Ä b", None], [], ["C"]], pa.string())
    assert normalize(column).to_pylist() == ["ä b", "", "c"]
    assert normalize(pa.array(["x", "Y!", "Z"]).slice(1)).to_pylist() == ["y", "z"]
    assert normalize(pa.array([], pa.string())).to_pylist() == []


def test_parts_are_put_together_in_order() -> None:
    texts = [f"Row {number}!" for number in range(70_000)]
    assert normalize(texts, threads=2).to_pylist() == [f"row {number}" for number in range(70_000)]


def test_every_character_is_stable() -> None:
    once = normalize(CHARACTERS)
    assert normalize(once).equals(once)


def test_every_character_compares_equal_to_its_upper_case() -> None:
    lower, upper = normalize(CHARACTERS).to_pylist(), normalize([text.upper() for text in CHARACTERS]).to_pylist()
    differ = [text for text, one_, other in zip(CHARACTERS, lower, upper, strict=True) if one_ != other]
    assert differ == ["ı"]  # the dotless i of Turkish has I as its upper case, which is that of i


@given(ROUGH)
def test_normalizing_twice_changes_nothing(text: str) -> None:
    assert one(one(text)) == one(text)


@given(ROUGH)
def test_what_is_left_is_words(text: str) -> None:
    plain = one(text)
    if plain == text.strip().lower():  # it stands for itself: nothing else was left of it
        return
    assert plain == " ".join(plain.split(" ")).strip()
    assert not set(plain) & set("&<>#@\\_:/\t\n")
    assert "  " not in plain


@given(WORDS, st.integers(0, 9), st.sampled_from(["upper", "title", "swapcase"]))
def test_case_makes_no_difference(words: list[str], at: int, case: str) -> None:
    changed = [getattr(word, case)() if index <= at else word for index, word in enumerate(words)]
    assert one(" ".join(changed)) == one(" ".join(words))


@given(
    WORDS,
    st.integers(0, 9),
    st.sampled_from(
        ["https://t.co/Ab3", "http://example.org/?q=1&r=2#x", "www.a.com", "bit.ly/2xY", "@somebody", "@Some_One99",
         "!!!", " – ", "…", "&nbsp;", "<br>", "\\n", "-LRB-", "\ufe0f", "\t", "「", "。"]
    ),
)  # fmt: skip
def test_what_is_taken_out_makes_no_difference(words: list[str], at: int, extra: str) -> None:
    at = min(at, len(words))
    assert one(" ".join([*words[:at], extra, *words[at:]])) == one(" ".join(words))


@given(WORDS, st.integers(0, 9))
def test_hashtags_keep_their_word(words: list[str], at: int) -> None:
    changed = ["#" + word if index == at else word for index, word in enumerate(words)]
    assert one(" ".join(changed)) == one(" ".join(words))


@given(WORDS)
def test_retweets_compare_equal(words: list[str]) -> None:
    text = " ".join(words)
    assert one("RT @someone: " + text) == one(text)


@given(WORDS)
def test_escaped_and_spelled_out_characters_compare_equal(words: list[str]) -> None:
    text = " ".join(words)
    assert one("".join(rf"\u{ord(character):04x}" for character in text)) == one(text)
    assert one("".join(f"&#{ord(character)};" for character in text)) == one(text)


@given(
    st.lists(st.text(st.sampled_from("äöüßéñÀÉжщюяЖЩЮЯ今日雨ไทยअआ"), min_size=2, max_size=8), min_size=1, max_size=5)
)
def test_mojibake_is_undone(words: list[str]) -> None:
    text = " ".join(words)
    for _ in range(2):
        broken = text.encode().decode("latin-1")
        assert one(broken) == one(text)
        text = broken


_WORDS = st.text(st.sampled_from("abcxyzÄÖÜäöüßéÉжщюя今日"), min_size=1, max_size=6)
_BETWEEN = st.sampled_from([" ", ", ", ". ", "! ", "? ", " – ", " “", "” ", "” “", "’"])


@given(st.lists(st.tuples(_WORDS, _BETWEEN), max_size=8))
def test_sound_text_is_not_repaired(parts: list[tuple[str, str]]) -> None:
    """Quotes stand at the ends of words: within one, as in `É”a`, nobody could tell them from a misread byte."""
    text = "".join(chain.from_iterable(parts))
    assert fix_mojibake(text) == text
