"""Results as a table, a page and a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.plot import plot
from benchmarks.report import BEGIN, END, quote, quoted, table
from benchmarks.results import Phase, Row, Start
from benchmarks.targets import verdicts
from tests.benchmarks.results import results, row, tree

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.results import Results


def small() -> Results:
    """Three rounds of (a): one server that is fine, one with a wrong round, one that did not start."""
    ours = row("scorewright", (1, [2000.4, 2100, 1900]), (128, [9000, 10000, 11000]), p50=0.38)
    peer = row("azmlinfsrv", (1, [1000, 1000, 1000]), (128, [1000, 1000, 1000]))
    peer.phases[1] = Phase(round=1, connections=1, fault="row 7 is answered 500: a | b\nc")
    absent = Row(key="mlserver", title="mlserver", failed="ended with 1 at its start")
    start = Start(key="scorewright", title="scorewright", processes=2, seconds=[1.2], memory_bytes=[140_000_000])
    run = results(tree(ours, peer, absent), starts=[start])
    return run.model_copy(update={"verdicts": verdicts(run)})


def test_the_table() -> None:
    lines = table(small()).splitlines()
    assert lines[0].startswith(
        "2026-11-21 12:00 UTC, `python -m benchmarks`: 3 rounds of 2 s each. A processor, 2 of 4"
    )
    assert "| scorewright | 1 | 2,000 | 1,900 – 2,100 | 1.95x | 0.38 | 3 | 4 | 9 |" in lines
    assert "| scorewright | 128 | 10,000 | 9,000 – 11,000 | 10x | 0.38 | 3 | 4 | 9 |" in lines
    assert "- azmlinfsrv, 1 connections: 1 of 3 rounds not counted: row 7 is answered 500: a \\| b c" in lines
    assert "- mlserver did not take part: ended with 1 at its start" in lines
    assert "- One row in the model itself: native predict_proba 0.1 ms." in lines
    assert "| scorewright | 2 | 1.20 | 1.20 – 1.20 | 140 |" in lines
    assert "| cold start to ready, (a) | at most 2.5 s | 1.2 s (1.2 – 1.2) | yes |" in lines
    assert "| (d) requests/s at 128 connections | at least 10x azmlinfsrv | not measured | – |" in lines
    assert "- Scorewright: python 3.11.7, numpy 2.4.6" in lines


def test_the_table_is_the_same_after_json() -> None:
    run = small()
    assert table(type(run).model_validate_json(run.model_dump_json())) == table(run)


def test_a_server_of_which_nothing_counts_is_named() -> None:
    run = small()
    for phase in run.cases[0].rows[0].phases:
        phase.load, phase.fault = None, "wrong"
    assert "| scorewright | 128 | not counted | | | | | | |" in table(run)


def test_a_page_quotes_the_newest_table(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Speed\n\n{BEGIN}\n{END}\n\nThe end.\n")
    quote(page, "old\n")
    quote(page, "new\n")
    assert quoted(page) == "new\n"
    assert page.read_text() == f"# Speed\n\n{BEGIN}\n\nnew\n\n{END}\n\nThe end.\n"


def test_a_page_without_the_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Speed\n")
    with pytest.raises(BenchmarkError, match="has no lines"):
        quote(page, "new\n")
    assert page.read_text() == "# Speed\n"


def test_the_picture_names_what_it_shows(tmp_path: Path) -> None:
    plot(small(), tmp_path / "a.svg")
    picture = ElementTree.parse(tmp_path / "a.svg")  # noqa: S314  # our own
    texts = ["".join(element.itertext()).strip() for element in picture.iter()]
    for text in ("(a) tree", "scorewright", "10,000", "not measured"):
        assert text in texts
    assert any("requests per second at 128 connections" in text for text in texts)


def test_the_same_figures_make_the_same_picture(tmp_path: Path) -> None:
    plot(small(), tmp_path / "a.svg")
    plot(small(), tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
