"""Results as a picture: requests a second of every server, one panel a model, each with a scale of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.results import Spread

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from benchmarks.cases import Key
    from benchmarks.results import CaseResult, Results

_COLOURS: dict[Key, str] = {
    "scorewright": "#1b6e4b",
    "scorewright-onnx": "#4fa77f",
    "azmlinfsrv": "#b4541f",
    "azmlinfsrv-generated": "#dd9a6d",
    "mlserver": "#5a6f9e",
    "hello": "#9a9a9a",
}


def plot(results: Results, file: Path) -> None:
    """Draw medians with their least and greatest, at the most connections that were tried, into an svg."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    connections = max(results.connections)
    heights = [1 + len(case.rows) for case in results.cases]
    # Text stays text, and the same figures make the same file.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "bench", "font.family": "sans-serif", "font.size": 10}):
        figure = Figure(figsize=(9, 0.42 * sum(heights) + 1), layout="constrained")
        panels = figure.subplots(len(heights), height_ratios=heights, squeeze=False)[:, 0]
        for panel, case in zip(panels, results.cases, strict=True):
            _draw(panel, case, connections)
        panels[-1].set_xlabel(f"requests per second at {connections} connections (median; line: min – max)")
        figure.savefig(file, format="svg", metadata={"Date": None})


def _draw(panel: Axes, case: CaseResult, connections: int) -> None:
    panel.set_title(f"({case.key}) {case.title}", loc="left", fontsize=10)
    panel.spines[["top", "right"]].set_visible(False)
    panel.xaxis.set_major_formatter("{x:,.0f}")
    for place, row in enumerate(case.rows):
        speed = Spread.of(row.values(connections, "requests_per_second").values())
        if speed is None:
            panel.text(0.01, place, "not measured", transform=panel.get_yaxis_transform(), va="center")
            continue
        whisker = [[speed.median - speed.low], [speed.high - speed.median]]
        panel.barh(place, speed.median, xerr=whisker, color=_COLOURS[row.key], ecolor="#333333", capsize=3)
        panel.annotate(
            f"{speed.median:,.0f}", (speed.high, place), xytext=(6, 0), textcoords="offset points", va="center"
        )
    panel.set_yticks(range(len(case.rows)), [row.title for row in case.rows])
    panel.invert_yaxis()
    panel.margins(x=0.15)
