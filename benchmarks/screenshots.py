"""A load test's pages as pictures for the docs: `make screenshots REPORT=folder`.

What is photographed is a report's folder as `scorewright loadtest --out` wrote it.
"""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from benchmarks.errors import BenchmarkError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

OUT = Path(__file__).parents[1] / "docs/loadtest"
_NAMES = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class _Shot:
    name: str
    width: int
    scheme: Literal["light", "dark"]
    whole: bool
    """The whole page, or what is seen of it without scrolling."""


_SHOTS = (
    _Shot("report.png", 1280, "light", whole=True),
    _Shot("report-dark.png", 1280, "dark", whole=False),
    _Shot("report-narrow.png", 420, "light", whole=False),
)


def chromium() -> str | None:
    """Where a Chromium is installed, if one is."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


@contextmanager
def browser() -> Iterator[Browser]:
    """A headless Chromium. Raises BenchmarkError if none is installed."""
    from playwright.sync_api import sync_playwright

    program = chromium()
    if program is None:
        raise BenchmarkError("No Chromium is installed; on Debian: apt-get install chromium.")
    with sync_playwright() as playwright:
        # A container's root may not have a sandbox, and the pages are our own.
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield started
        finally:
            started.close()


def shoot(started: Browser, report: Path, out: Path) -> list[Path]:
    """Photograph a report's page into a folder, and return the pictures. Raises BenchmarkError if there is none."""
    page_file = (report / "report.html").resolve()
    if not page_file.is_file():
        raise BenchmarkError(f"{report} has no report.html; name a folder that `scorewright loadtest --out` wrote.")
    out.mkdir(parents=True, exist_ok=True)
    for shot in _SHOTS:
        page = started.new_page(viewport={"width": shot.width, "height": 1400}, color_scheme=shot.scheme)
        page.goto(page_file.as_uri())
        page.screenshot(path=out / shot.name, full_page=shot.whole)
        page.close()
    return [out / shot.name for shot in _SHOTS]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Name a report's folder: make screenshots REPORT=FOLDER")
    try:
        with browser() as opened:
            print(*shoot(opened, Path(sys.argv[1]), OUT), sep="\n")
    except BenchmarkError as error:
        sys.exit(f"Error: {error}")
