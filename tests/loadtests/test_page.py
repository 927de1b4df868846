"""The pages in a real browser: nothing asked of a network, nothing clipped, axes that say what they are."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.screenshots import browser, chromium, shoot
from scorewright.loadtests.compare import compare
from scorewright.loadtests.measurements import Histogram
from scorewright.loadtests.report import Report
from scorewright.loadtests.slo import Slo
from tests.loadtests.runs import LIMITED, bulk, mixed, nothing, ramped, run, scenario

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not chromium() and not os.environ.get("CI"), reason="no Chromium: apt-get install chromium"),
]

SLO = "p99<10ms,errors<0.1%,realtime.rps>500,bulk.rows/s>1e5,mixed.p99.9<20ms"
SIZES = pytest.mark.parametrize("width", [1280, 420])
PAGES = pytest.mark.parametrize("name", ["full", "short", "slow", "nothing", "compared"])

# Of each plot that is shown: its box, and its texts with theirs. An axis' arrow is not part of its title.
PLOTS = """() => [...document.querySelectorAll("svg.plot")].filter((plot) => plot.checkVisibility()).map((plot) => ({
    label: plot.getAttribute("aria-label"),
    box: plot.getBoundingClientRect().toJSON(),
    texts: [...plot.querySelectorAll("text")].map((text) => ({
        text: text.textContent, kind: text.getAttribute("class"), box: text.getBoundingClientRect().toJSON(),
        size: parseFloat(getComputedStyle(text).fontSize) * plot.getScreenCTM().a,
    })),
}))"""

# How much each text differs from what is behind it, as WCAG counts it.
CONTRASTS = """() => {
    const light = (colour) => {
        const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255)
            .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    };
    const behind = (element) => {
        for (; element; element = element.parentElement) {
            const colour = getComputedStyle(element).backgroundColor;
            if (!/, 0\\)$/.test(colour)) return colour;
        }
    };
    return [...document.querySelectorAll("h1, h2, h3, p, th, td, li, dt, dd, .badge, svg.plot text")].map((element) => {
        const style = getComputedStyle(element);
        const both = [light(element.closest("svg") ? style.fill : style.color), light(behind(element))];
        const ratio = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
        return [element.textContent.trim().slice(0, 40), ratio];
    });
}"""

# On a narrow page a table may be scrolled.
CUT_OFF = """() => [...document.querySelectorAll(".scroll, h1, p, td, th, dd")]
    .filter((one) => one.scrollWidth > one.clientWidth + 1 && (innerWidth > 500 || !one.closest(".scroll")))
    .map((one) => one.textContent.trim())"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of reports by their names, and of a comparison."""
    folder = tmp_path_factory.mktemp("pages")
    batched = scenario("client-batch", 100, failing={7: 31, 8: 12}, generator=LIMITED)
    full = run(ramped(), ramped(rate=True), scenario("client-batch", 10), batched, bulk(), mixed())
    short = run(scenario(seconds=3), scenario("client-batch", 1000, rps=3.2, p50=812.0, seconds=2), bulk(7))
    stalled = [
        replace(point, requests=0, p50_ms=None, p95_ms=None, p99_ms=None) if point.second % 4 else point
        for point in scenario().timeline
    ]
    slow = scenario(requests=3, latency=Histogram.of([0.004, 61_000.0, 59_000.0]), timeline=tuple(stalled))
    reports = {"full": full, "short": short, "slow": run(slow), "nothing": run(nothing())}
    for name, given in reports.items():
        Report.of(given, Slo.parse(SLO)).write(folder / name)
    (folder / "compared").mkdir()
    changed = run(scenario(p50=2.4, rps=800), scenario("client-batch", 100, users=32), bulk(seconds=1.6))
    both = compare(run(), changed, names=("reports/before", "reports/after"), allowed=0.1)
    both.write(folder / "compared")
    (folder / "compared/comparison.html").rename(folder / "compared/report.html")
    return folder


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as started:
        yield started


class Opened:
    """A page that was opened, and what the browser said meanwhile."""

    def __init__(self, page: Page, file: Path) -> None:
        self.page = page
        self.said: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(file.as_uri())


@pytest.fixture
def opened(chrome: Browser, pages: Path, name: str, width: int) -> Iterator[Opened]:
    page = chrome.new_page(viewport={"width": width, "height": 900})
    yield Opened(page, pages / name / "report.html")
    page.close()


def overlap(one: dict[str, float], other: dict[str, float]) -> bool:
    across = min(one["right"], other["right"]) - max(one["left"], other["left"])
    down = min(one["bottom"], other["bottom"]) - max(one["top"], other["top"])
    return across > 0.5 and down > 0.5


@SIZES
@PAGES
def test_a_page_is_whole_and_readable(opened: Opened, width: int, name: str) -> None:
    page = opened.page
    plots: list[dict[str, Any]] = page.evaluate(PLOTS)
    assert bool(plots) == (name != "nothing")
    for plot in plots:
        check_plot(plot, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not page.evaluate(CUT_OFF)
    assert not opened.said
    assert [url for url in opened.asked if url != "data:,"] == [page.url]


def check_plot(plot: dict[str, Any], width: int) -> None:
    """Its axes have titles with units, and no text is too small, touches another or leaves the plot."""
    titles = [text["text"] for text in plot["texts"] if text["kind"] == "axis-title"]
    # Bars have names instead of a second axis.
    wanted = 1 if any(text["kind"] == "bar-name" for text in plot["texts"]) else 2
    assert len(titles) == wanted, plot["label"]
    assert all(re.search(r"\w+ \((?:%|ms|s|1/s|users|rows/s|requests/s)[,)]", title) for title in titles), titles
    ticks = [text["text"] for text in plot["texts"] if text["kind"] == "tick"]
    assert len(ticks) >= 2 * wanted, plot["label"]
    for text in plot["texts"]:
        box, frame = text["box"], plot["box"]
        where = f"{plot['label']}: {text['text']}"
        assert text["size"] >= 11, where
        assert frame["left"] - 1 <= box["left"], where
        assert frame["top"] - 1 <= box["top"], where
        assert box["right"] <= min(frame["right"] + 1, width), where
        assert box["bottom"] <= frame["bottom"] + 1, where
    for one, other in combinations(plot["texts"], 2):
        assert not overlap(one["box"], other["box"]), f"{plot['label']}: {one['text']} and {other['text']}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["full", "compared"])
def test_text_stands_out_from_its_ground(chrome: Browser, pages: Path, name: str, scheme: Any) -> None:
    page = chrome.new_page(color_scheme=scheme)
    page.goto((pages / name / "report.html").as_uri())
    faint = [(text, ratio) for text, ratio in page.evaluate(CONTRASTS) if ratio < 4.5]
    page.close()
    assert not faint


@pytest.mark.parametrize(("name", "width"), [("full", 1280)])
def test_a_mark_tells_its_value(opened: Opened) -> None:
    page = opened.page
    mark = page.locator("svg.plot[aria-label^='Latency by percentile'] >> visible=true").locator(".mark").nth(20)
    mark.scroll_into_view_if_needed()
    mark.hover(force=True)
    tip = page.locator("#tip")
    assert tip.is_visible()
    assert re.fullmatch(r"real-time, .*\np99: [\d.]+ ms", tip.inner_text())
    page.mouse.move(2, 2)
    assert tip.is_hidden()
    assert not opened.said


def test_pictures_for_the_docs(chrome: Browser, pages: Path, tmp_path: Path) -> None:
    pictures = shoot(chrome, pages / "short", tmp_path / "docs")
    assert [picture.name for picture in pictures] == ["report.png", "report-dark.png", "report-narrow.png"]
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)
    with pytest.raises(BenchmarkError, match=r"has no report\.html"):
        shoot(chrome, tmp_path, tmp_path / "docs")


@pytest.mark.parametrize(("name", "width"), [("full", 1280)])
def test_no_other_script_is_run(opened: Opened) -> None:
    added = "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s);"
    opened.page.evaluate(f"() => {{ {added} }}")
    assert opened.page.evaluate("window.ran") is None
    assert "Content Security Policy" in opened.said[0]


@pytest.mark.parametrize(("name", "width"), [("full", 1280)])
def test_printed_it_is_light_and_whole(opened: Opened) -> None:
    page = opened.page
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 within its margins
    assert not page.evaluate(CUT_OFF)
    assert page.locator(".wide").first.is_visible()
    assert page.pdf(format="A4").startswith(b"%PDF")
