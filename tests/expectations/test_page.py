"""The page of a check, as a browser shows it, and what it must not do."""

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from browser import Opened, browse, luminance

from emollms.expectations.page import render_page, write_page
from emollms.expectations.report import Check, Distribution, GateReport, Row, Subject

EVIL = '<script>alert("x")</script><img src=http://evil.example/x.png> & "more"'
SUBJECT = Subject("aaid", f"Data {EVIL}", "1.2.3", "release", True, {}, {})
CHECKS = (
    Check("ids-unique", "No id stands twice.", "expect_column_values_to_be_unique", "all", "passed", 1_234),
    Check(
        "no-html-entities", "No text has an HTML entity.", "expect_x", "all", "failed", 1_234, 2,
        (Row("tiny/V-reg/a/-/0", EVIL), Row("tiny/V-reg/b/-/0", "you &amp; me")),
    ),
    Check("class-shares", "Shares.", "expect_y", "TDT/train", "failed", 0, 1, (), "1 has 0.900, not 0.2 to 0.3"),
    Check("class-shares", "Shares.", "expect_y", "TDT/test", "passed", 0, 0, (), "1 0.250"),
    Check("no-row-twice", "No row twice.", "expect_z", "all", "known", 9, 1, (Row("r", "v"),), note="so it is"),
    Check("split-sizes", "Sizes.", "expect_z", "all", "not applicable", note="other corpora"),
)  # fmt: skip
SHARES = (
    Distribution("TDT", "class", {"train": {"-1": 0.2, "0": 0.5, "1": 0.3}, "test": {"-1": 0.25, "0": 0.5, "1": 0.25}}),
    Distribution("E-c", "label", {"train": {"anger": 0.4, "anticipation": 0.1}}),
)
REPORT = GateReport(SUBJECT, CHECKS, SHARES)


def test_it_fetches_nothing_and_runs_nothing() -> None:
    page = render_page(REPORT)
    assert "<script" not in page
    assert not re.search(
        r"@import|url\(|<link(?! rel=\"icon\" href=\"data:,\")|\bsrc=|\bon\w+=", page.replace("src=http", "")
    )
    addresses = set(re.findall(r"https?://[^\s\"<>&]+", page))
    assert addresses == {"http://www.w3.org/2000/svg", "http://evil.example/x.png"}


def test_everything_is_escaped() -> None:
    page = render_page(REPORT)
    assert EVIL not in page
    assert page.count("&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;") == 3  # title, heading, example
    assert "you &amp;amp; me" in page


def test_pictures_follow_the_colours_of_the_page() -> None:
    page = render_page(REPORT)
    assert page.count("<svg") == 2
    assert 'fill="var(--train)"' in page
    assert 'fill="var(--test)"' in page
    assert not re.search(r'(?:fill|stroke)="#', page)
    assert 'aria-label="TDT: share of texts by class, train and test"' in page


def test_what_a_build_left_out_is_listed_in_its_order() -> None:
    left_out = ("106 texts: near the benchmark", f"7 raw rows of mine: {EVIL}", "84,685 raw rows of mine: no gold")
    page = render_page(replace(REPORT, subject=replace(SUBJECT, left_out=left_out)))
    shown = re.findall(r"<li>(.*?)</li>", page[page.index('id="left-out"') :])[:3]
    assert [html.unescape(one) for one in shown] == list(left_out)
    assert 'id="left-out"' not in render_page(REPORT)


def test_a_report_without_pictures_has_a_page(tmp_path: Path) -> None:
    write_page(GateReport(SUBJECT, CHECKS[:1]), tmp_path / "new" / "page.html")
    assert "It is what its suite says." in (tmp_path / "new" / "page.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """The page in headless Chromium, and what it asked for or complained about."""
    folder = tmp_path_factory.mktemp("page")
    write_page(REPORT, folder / "page.html")
    with browse(folder / "page.html", folder / "profile") as shown:
        yield shown


def test_a_browser_shows_verdict_checks_and_rows(opened: Opened) -> None:
    page, _ = opened
    assert page.title().endswith("1.2.3: failed")
    assert page.inner_text("h1") == f"Data {EVIL}"
    assert page.inner_text("#verdict strong") == "It fails its suite."
    first = page.locator("details").first
    assert "No text has an HTML entity." in first.inner_text()
    assert first.locator(".rows td").nth(1).inner_text() == EVIL
    assert [one.get_attribute("id") for one in page.locator("details[open]").all()] == [
        "no-html-entities",
        "class-shares",
    ]
    page.click("#no-row-twice summary")
    assert "so it is" in page.inner_text("#no-row-twice")
    assert (
        page.locator("#ids-unique").inner_text().replace("\n", " ").startswith("passed No id stands twice. 1,234 rows")
    )


def test_a_browser_draws_the_bars(opened: Opened) -> None:
    page, _ = opened
    bars = page.locator('figure svg [aria-roledescription="bar"]')
    assert bars.count() == 8
    assert bars.first.bounding_box()["height"] > 10
    assert bars.first.get_attribute("aria-label") == "-1, train: 20.0% of texts"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_in_both_schemes(scheme: str, opened: Opened) -> None:
    page, _ = opened
    page.emulate_media(color_scheme=scheme)
    names = ("ink", "muted", "passed", "failed", "known", "paper", "card")
    values = page.evaluate(
        "names => names.map(n => getComputedStyle(document.documentElement).getPropertyValue('--' + n).trim())",
        list(names),
    )
    colours = dict(zip(names, map(luminance, values), strict=True))
    for ink in names[:5]:
        for ground in names[5:]:
            low, high = sorted((colours[ink], colours[ground]))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (scheme, ink, ground)


def test_a_browser_asks_for_nothing_and_has_no_complaint(opened: Opened) -> None:
    _, told = opened
    assert told == []


def test_it_fits_a_telephone(opened: Opened) -> None:
    page, _ = opened
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
