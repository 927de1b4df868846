"""Reports as pages: one file each, with everything in it, that asks nothing of any network."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from scorewright.loadtests import chart, plots, words
from scorewright.loadtests.knee import DEFINITION

if TYPE_CHECKING:
    from scorewright.loadtests.compare import Comparison
    from scorewright.loadtests.plots import Curve
    from scorewright.loadtests.report import Report


def of_report(report: Report) -> str:
    """The page of a load test, as HTML."""
    run = report.run
    curves = plots.curves(run)
    return _render(
        "report.html.j2",
        report=report,
        run=run,
        titles=[words.title(scenario, run) for scenario in run.scenarios],
        curves=curves,
        distribution=plots.distribution(curves),
        over_time=plots.over_time(run),
        ramps=plots.ramps(run),
        rows_per_second=plots.rows_per_second(run),
        knee_definition=DEFINITION,
    )


def of_comparison(comparison: Comparison) -> str:
    """The page of two load tests side by side, as HTML."""
    return _render(
        "compare.html.j2",
        comparison=comparison,
        drawn=[
            (pair.title, curves, plots.distribution(curves)) for pair in comparison.pairs if (curves := pair.curves())
        ],
    )


def _render(template: str, **values: Any) -> str:
    style, script = _asset("style.css"), _asset("hover.js")
    return (
        _environment()
        .get_template(template)
        .render(
            style=Markup(style),  # noqa: S704  # our own file, as is the script
            script=Markup(script),  # noqa: S704
            # What the page itself brings is named by its hash; nothing else is run, loaded or sent anywhere.
            policy=f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:; "
            "base-uri 'none'; form-action 'none'",
            **values,
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("scorewright.loadtests"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(
        when=words.when,
        capital=words.capital,
        number=words.number,
        latency=words.latency,
        share=words.share,
        load=words.load,
        asked=words.asked,
        times=words.times,
    )
    environment.globals["swatch"] = _swatch
    environment.filters["svg"] = Markup
    return environment


def _swatch(curve: Curve) -> Markup:
    return Markup(chart.swatch(curve.series, faint=curve.faint, dots=curve.dots))  # noqa: S704  # ElementTree escapes


def _asset(name: str) -> str:
    return files("scorewright.loadtests").joinpath("templates", name).read_text("utf-8").strip()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
