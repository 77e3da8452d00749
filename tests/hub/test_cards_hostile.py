"""Cards of which a corpus, a run or a score says what would break out of its place: it shows as it stands."""

import re
from collections.abc import Iterator

import pytest
from markdown_it import MarkdownIt
from tiny_corpus import Tiny, settings, write_corpus

from emollms.corpora import registry
from emollms.dataset.build import build_repo
from emollms.evaluation.scores import Scores
from emollms.hub.card_checks import metadata_in
from emollms.hub.card_merge import merge_card, split_card
from emollms.hub.ids import write_ids
from emollms.hub.model_card import render_model_card
from emollms.hub.space import render_space_card
from emollms.templates import cell, code, fenced, link, prose
from hub.made_up_model import CALIBRATION, CARD, made_up_run, scores_json

HOSTILE = (
    "Tiny</details><script>alert(1)</script> | **bold** [click](javascript:alert(1)) `tick` <img src=x onerror=y>\n"
    "\n---\n\n# A heading\n- an item\n1. another\n<!-- /emollms: sources -->\n<!-- emollms: about -->\n```\n"
    "~~~\n&lt;b&gt; end"
)
OURS = re.compile(r"<!-- /?emollms: [a-z-]+ -->|</?details>|<summary>[^<]*</summary>")
"""The HTML that our templates have."""
TEXT = "A text with | a bar, ``` ticks, </details> <script>x</script> and [a](javascript:b), # not a heading"


def tokens(card: str) -> Iterator[object]:
    """What a page would show of a card."""
    _, text = split_card(card)
    for token in MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text):
        yield token
        yield from token.children or ()


def html(card: str) -> str:
    return "".join(token.content for token in tokens(card) if token.type in ("html_block", "html_inline"))


def shape(card: str) -> tuple[list[str], int]:
    """The headings after the first, and the number of tables."""
    every = list(tokens(card))
    headings = [every[n + 1].content for n, token in enumerate(every) if token.type == "heading_open"]
    return headings[1:], sum(token.type == "table_open" for token in every)


def check(card: str, sound: str) -> None:
    """Nothing of a card is HTML, a heading, a table or a link that the sound one has not."""
    assert OURS.sub("", html(card)).strip() == ""
    assert shape(card) == shape(sound)
    addresses = [token.attrs["href"] for token in tokens(card) if token.type == "link_open"]
    assert [one for one in addresses if not str(one).startswith(("https://", "http://", "#"))] == []
    assert merge_card(card, card) == card
    assert metadata_in(card, "README.md").keys() == metadata_in(sound, "README.md").keys()


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[str, str]]]:
    """Cards of a data set and of its ids, whose corpus says `Tiny`, or what would break out."""
    folder, found = tmp_path_factory.mktemp("hostile"), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_from_other_packages", registry._from_other_packages)
        rows = [(f"{n}|`<b>", f"{word * 5} {TEXT}", "0.5") for n, word in enumerate(("rain ", "sun ", "fog ", "ice "))]
        root = write_corpus(folder / "corpora", {"test": rows})
        for name, said in {"sound": "Tiny", "hostile": HOSTILE}.items():
            about = {"title": said, "description": said, "terms": said, "domain": said, "version": said}
            about |= {
                "citation": f"@misc{{tiny, note={{{said}}}}}",
            }
            about |= {"homepage": "https://example.org/a)b|c <d>" if name == "hostile" else "https://example.org"}
            Tiny.meta = Tiny.meta.model_copy(update=about)
            build_repo(settings("aeb", "tiny", tasks=("V-reg",)), folder / name, root=root, validate=False)
            write_ids(folder / name, folder / f"{name} ids")
            found[name] = tuple((folder / f"{name}{form}" / "README.md").read_text() for form in ("", " ids"))
        yield found
    registry.corpora.cache_clear()


@pytest.mark.parametrize("form", [0, 1])
def test_a_corpus_that_would_break_out_of_the_card(form: int, cards: dict[str, tuple[str, str]]) -> None:
    card = cards["hostile"][form]
    check(card, cards["sound"][form])
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in card
    assert "(https://example.org/a%29b%7Cc%20%3Cd%3E)" in card
    blocks = [token.content for token in tokens(card) if token.type == "fence" and token.info == "bibtex"]
    assert len(blocks) == 1
    assert "@misc{tiny, note={Tiny</details><script>" in blocks[0]


def test_rows_that_would_break_out_of_their_block(cards: dict[str, tuple[str, str]]) -> None:
    rows = [token.content for token in tokens(cards["hostile"][0]) if token.type == "fence" and token.info == "json"]
    assert any(TEXT in row for row in rows)


def test_a_run_that_would_break_out_of_the_card() -> None:
    def card(said: str) -> str:
        run = made_up_run(
            recipe={"name": said, "overrides": [f"learning_rate={said}"], "values": {"model_name_or_path": said}},
            data={"title": said, "version": said, "data_set": said, "profile": said,
                  "sources": [{"corpus": said, "license": said, "redistribution": "text"}]},
            model={"name": said, "repository": None, "revision": said, "family": said},
            hardware={"device": said, "precision": said, "attention": said, "kernels": [said]},
            versions={said: said},
            objective=said,
            started=said,
            command=["emollms", "train", said],
            made_with=said,
        )  # fmt: skip
        scores = scores_json()
        scores["run"]["data"] |= {"title": said, "version": said, "profile": said}
        scores["run"]["command"] = ["emollms", said]
        fitted = {**CALIBRATION["tasks"]["E-c"], "thresholds": {said: 0.5}}
        calibration = {**CALIBRATION, "data": said, "tasks": {"E-c": fitted}}
        return render_model_card(run, [Scores.model_validate(scores)], **{**CARD, "calibration": calibration})

    check(card(HOSTILE), card("tiny"))


def test_a_space_that_would_break_out_of_its_card() -> None:
    hostile = render_space_card("me/emo", "v1.0.0", HOSTILE, "mit")
    check(hostile, render_space_card("me/emo", "v1.0.0", "Tiny", "mit"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("semeval2018_task1 and _this_", r"semeval2018_task1 and \_this\_"),
        ("1. first", r"1\. first"),
        ("--- rule", r"\--- rule"),
        ("= under", r"\= under"),
        ("1.5 of 2", "1.5 of 2"),
        ("a\u2028b\x00c\nd", "a b c d"),
        ("AT&T &copy;", "AT&T &amp;copy;"),
    ],
)
def test_prose(text: str, shown: str) -> None:
    assert prose(text) == shown
    page = MarkdownIt().render(prose(text))
    assert page.startswith("<p>")
    assert page.count("<") == 2


def test_parts_of_cards() -> None:
    assert cell("a | b") == r"a \| b"
    assert code("a `b` | c") == r"``a `b` \| c``"
    assert code("`a`") == "`` `a` ``"
    assert code("") == ""
    assert link("a]b", "https://example.org/a b(c)") == r"[a\]b](https://example.org/a%20b%28c%29)"
    assert link("a", "https://example.org/%20?q=1&r=ä#x") == "[a](https://example.org/%20?q=1&r=%C3%A4#x)"
    for address in ("javascript:alert(1)", "data:text/html,x", "", "https://", "//example.org", "http://[", "x"):
        assert link("a", address) == "a"
    assert fenced("```\n<!-- /emollms: about -->\n", "x") == "````x\n```\n<! -- /emollms: about -->\n````"
