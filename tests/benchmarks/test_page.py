"""docs/benchmarks.md against the run it quotes."""

from __future__ import annotations

from pathlib import Path

from benchmarks.report import quoted, table
from benchmarks.results import Results
from benchmarks.targets import verdicts

DOCS = Path(__file__).parents[2] / "docs"
RUN = Results.model_validate_json((DOCS / "benchmarks/results.json").read_bytes())


def test_the_page_quotes_the_table() -> None:
    assert quoted(DOCS / "benchmarks.md") == (DOCS / "benchmarks/table.md").read_text()


def test_the_table_is_that_of_the_rounds() -> None:
    assert (DOCS / "benchmarks/table.md").read_text() == table(RUN), "run `make bench`"


def test_the_verdicts_are_those_of_the_rounds() -> None:
    assert verdicts(RUN) == RUN.verdicts
