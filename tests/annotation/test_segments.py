from hypothesis import given
from hypothesis import strategies as st

from emollms.annotation.segments import segments

TEXTS = st.text(st.sampled_from("ab .!?\n。…😀\u202eא"), max_size=300)


@given(TEXTS, st.integers(1, 40))
def test_joined_the_parts_are_the_text(text: str, longest: int) -> None:
    parts = segments(text, longest=longest)
    assert "".join(parts) == text
    assert all(len(part) <= longest for part in parts)


@given(TEXTS, st.integers(2, 30))
def test_every_part_fits_the_model(text: str, room: int) -> None:
    parts = segments(text, lambda part: len(part.encode()) <= max(4, room))
    assert "".join(parts) == text
    assert all(len(part.encode()) <= max(4, room) for part in parts)


def test_cuts_are_between_sentences_where_there_are_some() -> None:
    text = "It was a good day. We went out! Did it rain? No."
    assert segments(text, longest=32) == ["It was a good day. We went out! ", "Did it rain? No."]


def test_a_text_without_spaces_is_cut_anywhere() -> None:
    assert [len(part) for part in segments("x" * 50_000)] == [2000] * 25
