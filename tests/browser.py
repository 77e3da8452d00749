"""A page in headless Chromium, and what it asked for or complained about."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
Opened = tuple[Any, list[str]]


@contextmanager
def browse(path: Path | str, profile: Path) -> Iterator[Opened]:
    """Open the page at `path`; the test is skipped where there is no Chromium.

    Args:
        path: the page, as a file or an address.
        profile: a new folder for the browser.

    Yields:
        Playwright's page, and its console messages, errors, dialogs and requests but the one for itself.
    """
    if CHROMIUM is None:
        pytest.skip("no chromium is installed")
    api = pytest.importorskip("playwright.sync_api")
    told: list[str] = []
    with api.sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(profile), executable_path=CHROMIUM, headless=True, args=list(FLAGS)
        )
        page = context.new_page()
        page.on("console", lambda message: told.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: told.append(f"error: {error}"))
        page.on("request", lambda request: told.append(f"request: {request.url}"))
        page.on("dialog", lambda dialog: told.append(f"dialog: {dialog.message}"))
        address = path if isinstance(path, str) else path.as_uri()
        page.goto(address)
        told.remove(f"request: {address}")
        yield page, told
        context.close()


def luminance(colour: str) -> float:
    """Relative luminance of `#rgb` or `#rrggbb`, as WCAG defines it."""
    digits = colour.lstrip("#")
    digits = digits if len(digits) == 6 else "".join(digit * 2 for digit in digits)
    parts = [int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
