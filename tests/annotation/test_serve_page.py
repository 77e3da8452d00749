"""The page of `emollms serve`, in headless Chromium."""

from collections.abc import Iterator
from typing import Any

import pytest
from browser import browse, luminance

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

from annotation.serving import Opinions, Served, opinionated, serving

SIZES = {"telephone": (390, 844), "desktop": (1280, 900)}
SAID = "I can't stop smiling, <b>she</b> said yes!"
# Waits for the bars. Playwright's own way to wait for a function asks again by eval(), which the page's policy forbids.
GROWN = """() => new Promise((done) => {
  const look = () => document.querySelectorAll('.score .fill')[2].getBoundingClientRect().width > 50
    ? done() : requestAnimationFrame(look);
  look();
})"""


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    asked = ("valence", "anger", "joy", "emotions", "sentiment", "TDT")
    with serving(opinionated(Opinions(), *asked)) as running:
        yield running


@pytest.fixture(scope="module")
def opened(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with browse(f"{served.url}/", tmp_path_factory.mktemp("profile")) as shown:
        yield shown


@pytest.fixture(params=SIZES)
def page(request: pytest.FixtureRequest, opened: Any, served: Served) -> Any:
    shown, told = opened
    width, height = SIZES[request.param]
    shown.set_viewport_size({"width": width, "height": height})
    shown.emulate_media(color_scheme="light", reduced_motion="reduce")
    shown.goto(f"{served.url}/")
    shown.wait_for_selector("#state.ready")
    told.clear()
    return shown


def annotate(page: Any, text: str = SAID) -> None:
    page.fill("#text", text)
    page.click("#go")
    page.wait_for_selector("article")


def test_a_text_goes_in_and_bars_with_intervals_come_out(page: Any, opened: Any, served: Served) -> None:
    annotate(page)
    page.evaluate(GROWN)
    joy = page.locator(".score", has_text="joy")
    assert "0.80 to 1.00 · 83 % sure" in joy.inner_text()
    assert joy.locator("output").inner_text() == "0.91"
    track, band, fill = (joy.locator(f".{name}").bounding_box() for name in ("track", "band", "fill"))
    assert fill["width"] / track["width"] == pytest.approx(0.91, abs=0.01)
    assert (band["x"] - track["x"]) / track["width"] == pytest.approx(0.8, abs=0.01)
    assert band["width"] / track["width"] == pytest.approx(0.2, abs=0.01)
    # Valence has two sides: its bar begins in the middle.
    fill = page.locator(".score.both .fill").bounding_box()
    assert (fill["x"] - track["x"]) / track["width"] == pytest.approx(0.5, abs=0.01)
    assert fill["width"] / track["width"] == pytest.approx(0.38, abs=0.01)
    emotions = page.locator("article", has_text="Emotions").locator(".bars li")
    assert [emotions.nth(place).locator(".name").inner_text().split()[0] for place in range(2)] == ["joy", "optimism"]
    assert "certain" in emotions.nth(0).inner_text()
    assert "possible" in emotions.nth(2).inner_text()
    assert page.locator("article", has_text="Sentiment").locator(".said").inner_text() == "positive"
    assert page.locator("#spoken").inner_text().startswith("valence: 0.88; anger: 0.06")
    assert page.locator("#models").inner_text() == "opinions"
    own = f"request: {served.url}/"
    assert [line for line in opened[1] if not line.startswith(own)] == []  # nothing from elsewhere, and no complaint


def test_it_is_no_wider_than_the_screen(page: Any) -> None:
    for text in (SAID, "x" * 3000):
        annotate(page, text)
        page.click("summary")
        assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    page.locator(".bars output").evaluate_all("all => all.forEach((one) => one.textContent = '100 %')")
    heights = page.locator(".bars output").evaluate_all("all => all.map((one) => one.offsetHeight)")
    assert max(heights) < 30  # on one line


def test_it_works_from_the_keyboard(page: Any) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "text"
    page.keyboard.type("good")
    page.keyboard.press("Tab")
    page.keyboard.type("food")
    page.keyboard.press("Shift+Tab")
    with page.expect_request("**/annotate") as asked:
        page.keyboard.press("Control+Enter")
    assert asked.value.post_data_json == {"texts": [{"text": "good", "target": "food"}]}
    page.wait_for_selector("article")
    seen = set()
    for _ in range(12):
        page.keyboard.press("Tab")
        outline = "document.activeElement.tagName + ' ' + getComputedStyle(document.activeElement).outlineStyle"
        seen.add(page.evaluate(outline))
    seen.discard("BODY none")  # between the last and the first
    assert {"BUTTON solid", "SUMMARY solid", "A solid"} <= seen
    assert all(one.endswith(" solid") for one in seen)


def test_everything_has_a_name(page: Any) -> None:
    annotate(page)
    assert page.locator("html").get_attribute("lang") == "en"
    for field in page.locator("textarea, input").all():
        assert page.locator(f"label[for={field.get_attribute('id')}]").inner_text()
    for button in page.locator("button").all():
        assert button.inner_text().strip()
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))
    assert page.locator("h1").count() == 1
    assert page.evaluate("[...document.querySelectorAll('.track')].every((one) => one.ariaHidden === 'true')")


def test_what_goes_wrong_is_said(page: Any, served: Served) -> None:
    page.click("#go")
    assert "Write a text first." in page.locator("[role=alert]").inner_text()
    page.route("**/annotate", lambda route: route.fulfill(status=429, json={"detail": "the queue is full"}))
    page.fill("#text", "good")
    page.click("#go")
    page.wait_for_selector("[role=alert]:has-text('the queue is full (429)')")
    page.unroute("**/annotate")
    page.route("**/annotate", lambda route: route.abort())
    page.click("#go")
    page.wait_for_selector("[role=alert]:has-text('cannot be reached')")
    page.unroute("**/annotate")
    page.click("#go")
    page.wait_for_selector("article")
    assert page.locator("[role=alert]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_marks_have_contrast(scheme: str, page: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    annotate(page)
    script = "names => names.map(n => getComputedStyle(document.documentElement).getPropertyValue('--' + n).trim())"
    names = ["paper", "card", "ink", "muted", "warn", "bad", "good", "accent", "on-accent"]
    light = dict(zip(names, map(luminance, page.evaluate(script, names)), strict=True))
    pairs = [(name, ground) for name in names[2:6] for ground in names[:2]] + [("on-accent", "accent")]
    for name, ground in pairs:
        assert contrast(light[name], light[ground]) >= 4.5, (name, ground)
    for shown in page.evaluate(_COLOURS):  # what bars are filled with, as pixels
        assert contrast(luminance("".join(f"{part:02x}" for part in shown)), light["card"]) >= 3, shown


_COLOURS = """() => [...document.querySelectorAll('.score .fill, .bars li.on .fill')].map((one) => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d');
  canvas.fillStyle = getComputedStyle(one).backgroundColor;
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
})"""


def contrast(one: float, other: float) -> float:
    low, high = sorted((one, other))
    return (high + 0.05) / (low + 0.05)
