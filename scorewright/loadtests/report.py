"""A load test's report: what was measured, what it was held to, and the files that tell of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

from scorewright.errors import LoadTestError
from scorewright.loadtests import folder, junit, markdown, page, summary
from scorewright.loadtests.measurements import Run

if TYPE_CHECKING:
    from pathlib import Path

    from scorewright.loadtests.slo import Slo, Verdict

SCHEMA_VERSION = 1
REPORT = "report.json"


@dataclass(frozen=True)
class Report:
    """A run and what is said of it."""

    run: Run
    slo: Slo | None
    verdicts: tuple[Verdict, ...]
    headline: str
    remarks: tuple[str, ...]

    @classmethod
    def of(cls, run: Run, slo: Slo | None = None) -> Self:
        """Judge a run and put it into words."""
        verdicts = slo.judge(run) if slo else ()
        return cls(run, slo, verdicts, summary.headline(run), tuple(summary.remarks(run, slo, verdicts)))

    def files(self) -> dict[str, str]:
        """The report's files by name: a page, JSON, Markdown for a pull request, JUnit XML for CI."""
        return {
            "report.html": page.of_report(self),
            REPORT: self.to_json(),
            "report.md": markdown.of_report(self),
            "junit.xml": junit.of_report(self),
        }

    def to_json(self) -> str:
        """All of it as JSON, of which `read` takes the measurements."""
        content = {
            "schema_version": SCHEMA_VERSION,
            "headline": self.headline,
            "remarks": self.remarks,
            "slo": self.slo.text if self.slo else None,
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
            "measurements": json.loads(self.run.to_json()),
        }
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    def write(self, target: Path, *, force: bool = False) -> None:
        """Write the files into a folder, all of them or none.

        Raises OutputExistsError if something is there (with `force`, something else than a report), LocationError if
        it cannot be written.
        """
        folder.write(target, self.files(), mark=REPORT, force=force)


def require_free(target: Path, *, force: bool) -> None:
    """Raise OutputExistsError if a report could not be written there, to be known before an hour's test."""
    folder.require_free(target, mark=REPORT, force=force)


def read(source: Path) -> Run:
    """The measurements of a report: its folder, or its JSON file. Raises LoadTestError if there are none."""
    file = source / REPORT if source.is_dir() else source
    hint = f"Name a report's folder, or the {REPORT} in it."
    try:
        content = json.loads(file.read_bytes())
    except OSError as error:
        raise LoadTestError(f"{file} cannot be read: {error.strerror}.", hint=hint) from None
    except ValueError:
        raise LoadTestError(f"{file} is not JSON.", hint=hint) from None
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION or "measurements" not in content:
        raise LoadTestError(
            f"{file} is no report of a load test in schema version {SCHEMA_VERSION}"
            + (f", but in {version}." if isinstance(version, int) and version != SCHEMA_VERSION else "."),
            hint=hint,
        )
    return Run.from_json(json.dumps(content["measurements"]), where=str(file))
