"""Sensitive text: what is found, what is left alone, and what masking keeps. All examples are made up."""

import re
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emollms.pii.detectors import DETECTORS
from emollms.pii.mask import KINDS, Count, count_sensitive, find_sensitive, mask, mask_column


def secret(*parts: str) -> str:
    """A made-up key, put together here so that scanners of this repository do not take it for a real one."""
    return "".join(parts)


SECRETS = {
    "hugging face": secret("hf", "_", "AbCdEfGhIjKlMnOpQrStUvWxYz01234567"),
    "openai": secret("sk", "-proj-", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4"),
    "anthropic": secret("sk", "-ant-api03-", "a1B2c3D4e5F6g7H8i9J0-k1L2m3N4"),
    "github": secret("gh", "p_", "0123456789abcdefghijABCDEFGHIJ012345"),
    "github, fine-grained": secret("github", "_pat_", "11ABCDEFG0abcdefghijkl_mnopqrstuvw"),
    "aws": secret("AK", "IA", "IOSFODNN7EXAMPL2"),
    "google": secret("AI", "za", "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q"),
    "slack": secret("xo", "xb-", "123456789012-abcdefGHIJKL"),
    "stripe": secret("sk", "_live_", "a1b2c3d4e5f6g7h8"),
    "json web token": secret("ey", "JhbGciOiJIUzI1NiJ9", ".ey", "JzdWIiOiIxMjM0In0", ".c2lnbmF0dXJl"),
    "telegram": secret("123456789", ":AA", "b1C2d3E4f5G6h7I8j9K0l1M2n3O4p5Q6r"),
    "address with a password": secret("postgres://", "ann:hunter2pass@db.example.org"),
    "private key": secret("-----BEGIN RSA ", "PRIVATE KEY-----\nMIIB\n-----END RSA ", "PRIVATE KEY-----"),
    "private key that is cut": secret("-----BEGIN OPENSSH ", "PRIVATE KEY-----\nb3BlbnNz"),
}
FOUND = {
    "user": [
        "@ann_lee", "@Ann", "@3alyoum", "@14121125", "@its.ann", "@__.mila.__", "＠ann", "@ann@example.social",
        "@人民日报",
        "u/ann-lee_1",
    ],
    "email": [
        "ann.lee@example.org", "ann+news@mail.example.co.uk", "müller@example.de", "ann (at) example.org",
        "ann[at]example.org",
        "ann.lee gmail.com",
    ],
    "phone": [
        "+254700123456", "+1 (202) 555-0142", "0044 20 7946 0958", "202-555-0142", "(202) 555.0142",
        "1-800-555-0199",
        "2025550142", "01632 960983", "070-1740605", "06 12 34 56 78", "06.12.34.56.78", "9811864231", "0590123412",
        "٠٥٩٠١٢٣٤١٢",
    ],
    "link": [
        "https://example.org/a?b=1#c", "http://example.org", "www.example.org", "bit.ly/x1Y",
        "pic.twitter.com/aB1cD2",
        "HTTPS://EXAMPLE.ORG/A", "htttps:///t.me/example", "https://example.org/@ann", "ftp://example.org/f",
    ],
    "secret": list(SECRETS.values()),
}  # fmt: skip
SOUND = [
    "3.14", "2018-En-01234", "24/7", "call 911", "$1,299.99", "1.500.000", "12,345,678 views", "10-3",
    "2-0 3-1 4-0 4-0 2-2",
    "2017-07-11 19:28:05", "11.07.2017 19:28", "07.05.18 20.30", "12/24/2019", "1939-1945", "call us 2018-2019",
    "open 15.30-17.30", "tel: open 15.30-17.30", "#2020vision #100daysofcode #12345678",
    ":-) <3 8-D <33333333333 (^_^)",
    "@ home", "@_@", "@.@", "l@s chic@s", "t@gged", "meet @5pm", "@11:22PM", "@3rd street", "don't @ me",
    "just @me",
    "[NAME] and [RELIGION]", "@user", "@USER", "@user1 u/user2", "@username", "@anonymous", "RT@anonymous",
    "@<username>",
    "http://url_removed", "https://URL", "##URL##", "[EMAIL1] [PHONE2] [LINK3] [SECRET4]", "Amazon.com and live.ly",
    "and/or", "w/u/me", "his/her", "u/o", "the secret is communication-and-understanding", "key: 1234567890123456",
    "token: sample-en-test-001", "risk-taking-adventures-everywhere", "ISBN 978-3-16-148410-0", "192.168.100.200",
    "1000000000 times", "9999999999", "0123456789", "I counted 1 2 3 4 5 6 7 8 9 10", "SHA-256 of the file",
    "loooooooooooooooooooooooooool", "ሰላም ለዓለም", "日本語のテキスト", '{"@type": "sc:Dataset", "@id": "x"}',
    "me@work", "",
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind in FOUND for value in FOUND[kind]])
@pytest.mark.parametrize("around", ["{}", "well, {} it is", "({}).", "😀{}\n😀", "说：{}。"])
def test_what_is_found(kind: str, value: str, around: str) -> None:
    text = around.format(value)
    if value.endswith("b3BlbnNz"):  # a key that is cut goes on to the end
        text = around[: around.index("{") + 2].format(value)
    found = [(find.kind, text[find.start : find.end]) for find in find_sensitive(text)]
    assert found == [(kind, value)]
    assert count_sensitive(pa.array([text]))[kind] == Count(texts=1, matches=1)


@pytest.mark.parametrize("text", SOUND)
def test_what_is_left_alone(text: str) -> None:
    assert find_sensitive(text) == []
    assert mask(text) == text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("call me 555-0134", "call me [PHONE1]"),
        ("the score was 555-0134", "the score was 555-0134"),
        ("whatsapp: 0700 1234", "whatsapp: [PHONE1]"),
        ("call me 12/24/2019", "call me 12/24/2019"),
        ("+254700123456 and 555-0134", "[PHONE1] and 555-0134"),
        ("Tel. 2508 1234 or 2508 1235.", "Tel. [PHONE1] or [PHONE2]."),
        ("api_key = 'a1B2c3D4e5F6g7H8'", "api_key = '[SECRET1]'"),
        ("Authorization: Bearer a1B2c3D4e5F6g7H8", "Authorization: Bearer [SECRET1]"),
        ('{"password": "q8Zr71LmX0pW44tY"}', '{"password": "[SECRET1]"}'),
    ],
)
def test_words_before_a_value_decide(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("@Ann and @bob, so @ann: hi", "@user1 and @user2, so @user1: hi"),
        ("thanks u/Bob, says @bob to /u/ann", "thanks u/user1, says @user1 to /u/user2"),
        ("Ann@example.org, ann@Example.org, bob@example.org", "[EMAIL1], [EMAIL1], [EMAIL2]"),
        ("202-555-0142 is (202) 555 0142", "[PHONE1] is [PHONE1]"),
        ("@user1 met @ann and @user", "@user1 met @user2 and @user"),
        ("[LINK1] is not http://example.org/a.", "[LINK1] is not [LINK2]."),
        (r"line\n@ann RT@bob .@eve", r"line\n@user1 RT@user2 .@user3"),
        ("see <http://example.org/a>, (www.example.org)!", "see <[LINK1]>, ([LINK2])!"),
    ],
)
def test_the_same_thing_has_the_same_placeholder(text: str, masked: str) -> None:
    assert mask(text) == masked


def test_a_link_is_as_grave_as_what_is_in_it() -> None:
    key = SECRETS["hugging face"]
    assert mask(f"see http://example.org/?token={key}&x=1 now") == "see [SECRET1] now"
    assert mask("see http://example.org/?to=ann@example.com now") == "see [EMAIL1] now"
    assert [find.kind for find in find_sensitive("https://example.org/@ann/2025550142")] == ["link"]


def test_a_find_that_hid_its_neighbour_is_masked_as_well() -> None:
    assert mask("2025550142@ann") == "[PHONE1]@user1"


def test_columns() -> None:
    texts = pa.array(["hi @ann @bob", None, "sound", "ann@example.org", "@eve"])
    counts = count_sensitive(texts)
    assert counts == {kind: Count() for kind in KINDS} | {"user": Count(2, 3), "email": Count(1, 1)}
    assert mask_column(texts).to_pylist() == ["hi @user1 @user2", None, "sound", "[EMAIL1]", "@user1"]
    chunked = pa.chunked_array([texts, texts])
    assert count_sensitive(chunked)["user"] == Count(4, 6)
    assert mask_column(chunked).to_pylist() == mask_column(texts).to_pylist() * 2
    large = texts.cast(pa.large_string())
    assert mask_column(large).equals(mask_column(texts).cast(pa.large_string()))


@pytest.mark.parametrize("texts", [pa.array([], pa.string()), pa.array([None], pa.string()), pa.array(["sound"])])
def test_columns_without_finds_come_back_as_they_are(texts: pa.StringArray) -> None:
    assert mask_column(texts).equals(texts)
    assert set(count_sensitive(texts).values()) == {Count()}


PIECES = [value for values in FOUND.values() for value in values] + SOUND
GLUE = [*" .,:;/@-_()[]0aé\n\\'\"", "RT", "\\n", "u/", "http://", "www.", "key=", "@user1", "[LINK1]", "call ", "tel:"]
texts = st.one_of(
    st.text(max_size=80),
    st.text(alphabet=st.sampled_from("@._-/:0159abuU[] +()\\n"), max_size=60),
    st.lists(st.sampled_from(PIECES + GLUE), max_size=8).map("".join),
    st.lists(st.sampled_from(PIECES + GLUE), max_size=8).map(" ".join),
)


@given(texts)
def test_nothing_is_found_in_a_masked_text(text: str) -> None:
    masked = mask(text)
    assert find_sensitive(masked) == []
    assert mask(masked) == masked


@given(texts)
def test_finds_are_apart_and_in_order(text: str) -> None:
    matches = find_sensitive(text)
    assert all(match.start < match.end for match in matches)
    assert all(one.end <= other.start for one, other in pairwise(matches))
    assert (mask(text) == text) == (not matches)


FORM = {"user": r"(?:@|u/)user\d+"} | {kind: rf"\[{kind.upper()}\d+\]" for kind in ("email", "phone", "link", "secret")}
KIND_OF = {value: kind for kind, values in FOUND.items() for value in values if "PRIVATE KEY" not in value}


@given(st.lists(st.sampled_from([*KIND_OF, *SOUND]), min_size=1, max_size=12))
def test_every_find_is_replaced_and_all_else_stays(lines: list[str]) -> None:
    masked = mask("\n".join(lines)).split("\n")
    assert len(masked) == len(lines)
    for before, after in zip(lines, masked, strict=True):
        if before in KIND_OF:
            assert re.fullmatch(FORM[KIND_OF[before]], after)
        else:
            assert after == before


@given(st.lists(st.one_of(st.none(), texts), max_size=6))
def test_columns_agree_with_single_texts(column: list[str | None]) -> None:
    array = pa.array(column, pa.string())
    assert mask_column(array).to_pylist() == [None if text is None else mask(text) for text in column]
    found = [{find.kind: find for find in find_sensitive(text)} for text in column if text is not None]
    for kind, count in count_sensitive(array).items():
        assert count.texts == sum(kind in kinds for kinds in found)


@given(texts)
def test_hints_and_marks_miss_nothing(text: str) -> None:
    for detector in DETECTORS:
        if any(detector.accept(match) for match in detector.pattern.finditer(text)):
            assert list(detector.spans(text, text.lower()))
            assert pc.match_substring_regex(pa.array([text]), detector.hint)[0].as_py(), detector.kind


@pytest.mark.parametrize(
    "piece", ["a", "a.", "a@", "@a", "1 ", "1.", "-a", "www.", "http://", "key=", "a@b.", "eyJ", "(1"]
)
def test_time_is_linear_in_the_length(piece: str) -> None:
    steps = 100_000 // len(piece)
    assert isinstance(find_sensitive(piece * steps), list)  # minutes, were it quadratic
