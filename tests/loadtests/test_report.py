"""A report: its sentences, its files, and how they are written. `SCOREWRIGHT_UPDATE_GOLDEN=1 pytest` writes the golden
files anew."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from scorewright.errors import LoadTestError, LocationError, OutputExistsError
from scorewright.loadtests import folder
from scorewright.loadtests.knee import knee
from scorewright.loadtests.measurements import Environment, Histogram
from scorewright.loadtests.report import Report, read, require_free
from scorewright.loadtests.slo import Slo
from tests.loadtests.runs import LIMITED, bulk, mixed, nothing, ramped, run, scenario

GOLDEN = Path(__file__).parent / "golden"
NASTY = "</script><img src=x onerror=alert(1)>\"'&|`*_[x](y)\n# z"


def report() -> Report:
    """A run with all there is: a ramp, failures, a generator at its limit, a job, and an SLO that is missed."""
    batched = scenario("client-batch", 100, failing={7: 31, 8: 12}, generator=LIMITED)
    given = run(ramped(), scenario("client-batch", 10), batched, bulk(), mixed())
    return Report.of(given, Slo.parse("p99<10ms,errors<0.1%,realtime.rps>500,bulk.rows/s>1e5"))


class Tags(HTMLParser):
    """The elements of a page, and the attributes they have."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("name", ["report.md", "junit.xml"])
def test_the_files_are_as_they_were(name: str) -> None:
    text = report().files()[name]
    if os.environ.get("SCOREWRIGHT_UPDATE_GOLDEN"):
        (GOLDEN / name).write_text(text, "utf-8")
    assert text == (GOLDEN / name).read_text("utf-8")


def test_the_headline_of_a_ramp_and_bulk() -> None:
    assert report().headline == (
        "Bulk scores 19x as many rows a second as real-time, requests of 100 rows 8.5x; "
        "a single row costs at most 4.75 ms at p99 up to 4,217 requests/s (8 users)."
    )


@pytest.mark.parametrize(
    ("scenarios", "said"),
    [
        ([scenario()], r"A single row costs 6\.78 ms at p99, at 929 requests/s\."),
        ([bulk()], r"Bulk scores 130,719 rows/s\."),
        ([scenario("client-batch", 10)], r"Client-batched scores 8,220 rows/s at p99 8\.11 ms\."),
        (
            [scenario(), scenario("client-batch", 100)],
            r"Requests of 100 rows score 65x as many rows a second as real-time; a single row costs .*",
        ),
        ([scenario(), bulk(7)], r"Bulk scores only 0\.0049x as many rows a second as real-time; .*"),
        ([ramped(rate=True)], r"A single row costs at most .* at p99 up to 800 requests/s\."),
        ([nothing()], r"Nothing was answered rightly, so nothing here tells how fast the server is\."),
        ([], r"Nothing was answered rightly.*"),
    ],
)
def test_headlines(scenarios: list[Any], said: str) -> None:
    given = replace(run(), scenarios=tuple(scenarios))
    assert re.fullmatch(said, Report.of(given).headline)


def test_what_was_held_to_a_rate_is_no_measure_of_what_bulk_gains() -> None:
    at_rate: dict[str, Any] = {"loop": "open", "users": 0, "rate": 100.0, "rps": 100.0}
    some = Report.of(run(scenario(**at_rate), scenario("client-batch", 100, **at_rate), bulk()))
    assert re.fullmatch(r"A single row costs .* ms at p99, at .* requests/s\.", some.headline)
    shown = some.files()["report.html"].partition("<h2>Rows a second</h2>")[2].partition("</section>")[0]
    assert shown.count(" (all that was asked)<") == 2 * 2  # wide and narrow
    assert not re.search(r"\([0-9.,]+x\)", shown)


def test_remarks() -> None:
    assert report().remarks == (
        "The SLO is missed in 3 of 11 demands.",
        "Real-time keeps the SLO up to 5,628 requests/s (16 users).",
        "The bulk job of 200,000 rows took 1.53 s, from its submission to its fetched result: 0.00765 ms a row.",
        "While a bulk job ran, p99 of real-time was 12 ms instead of 6.92 ms (1.7x).",
        "83 of 266,838 requests failed (0.0311 %).",
        "Client-batched, 100 rows a request: the load generator may have been the limit, not the server. "
        "Its busiest process used 98 % of a core.",
    )


def test_a_rate_that_was_not_kept_up_with_is_not_called_reached() -> None:
    remarks = Report.of(run(ramped(rate=True)), Slo.parse("p99<1s")).remarks
    assert "Real-time keeps the SLO up to 1,100 requests/s (of 1,600 asked for)." in remarks


def test_answers_are_called_right_only_if_they_were_looked_at() -> None:
    assert Report.of(run(scenario())).remarks[0].endswith("requests failed, and every answer was right.")
    unchecked = Report.of(run(scenario(answers_checked=False)))
    assert unchecked.remarks[0].endswith("requests failed; whether the answers are right was not looked at.")
    some = Report.of(run(scenario(), bulk()))
    assert some.remarks[1].endswith("and every answer was right that was looked at (not those of bulk).")
    (case,) = ElementTree.fromstring(unchecked.files()["junit.xml"]).iter("testcase")  # noqa: S314  # our own
    assert case.find("skipped") is not None


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (nothing(), "There were no requests."),
        (scenario(requests=100, failures={"wrong answer": 3}, wrong_answers=3), "3 of 100 answers were wrong."),
        (scenario(requests=9, failures={"HTTP 500": 9}, latency=Histogram()), "No request was answered."),
    ],
)
def test_junit_fails_a_scenario_without_right_answers(of: Any, said: str) -> None:
    document = ElementTree.fromstring(Report.of(run(of)).files()["junit.xml"])  # noqa: S314
    (failure,) = document.iter("failure")
    assert failure.text == said
    (suite,) = document.iter("testsuite")
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")


def test_json_keeps_the_run_and_the_verdicts(tmp_path: Path) -> None:
    whole = report()
    whole.write(tmp_path / "out")
    assert read(tmp_path / "out") == whole.run
    assert read(tmp_path / "out/report.json") == whole.run
    content = json.loads((tmp_path / "out/report.json").read_text("utf-8"))
    assert content["schema_version"] == 1
    assert [one["met"] for one in content["verdicts"]] == [one.met for one in whole.verdicts]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "junit.xml",
        "report.html",
        "report.json",
        "report.md",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file"),
        ("{", "is not JSON"),
        ("[]", "is no report of a load test in schema version 1."),
        ('{"schema_version": 9, "measurements": {}}', "in schema version 1, but in 9."),
        ('{"schema_version": 1, "measurements": {"url": 1}}', "holds no measurements of a load test"),
    ],
)
def test_what_is_no_report_is_refused(content: str | None, said: str, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(LoadTestError) as caught:
        read(file)
    assert said in caught.value.message
    assert str(file) in caught.value.message


def test_a_folder_that_exists_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    Report.of(run()).write(out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(OutputExistsError, match=re.escape(str(out))) as caught:
        report().write(out)
    assert "--force" in caught.value.hint
    with pytest.raises(OutputExistsError):
        require_free(out, force=False)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    report().write(out, force=True)
    assert read(out) == report().run


def test_force_replaces_reports_only(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputExistsError, match=r"has no report\.json"):
        report().write(tmp_path, force=True)
    assert (tmp_path / "thesis.tex").exists()


def test_an_empty_folder_is_free(tmp_path: Path) -> None:
    report().write(tmp_path)
    assert read(tmp_path) == report().run


def test_a_folder_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "some/where/out"
    with pytest.raises(LocationError, match=re.escape(str(out))):
        folder.write(out, {"a": "1", "no/such/b": "2"}, mark="a", force=False)
    assert not list(out.parent.iterdir())
    folder.write(out, {"a": "1"}, mark="a", force=False)
    with pytest.raises(LocationError):
        folder.write(out, {"a": "3", "no/such/b": "2"}, mark="a", force=True)
    assert (out / "a").read_text() == "1"
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LocationError, match="cannot be written: "):
        report().write(tmp_path / "file/out")


def test_nothing_given_becomes_markup() -> None:
    environment = Environment(versions={NASTY: NASTY}, machine={"system": NASTY}, server={"model": NASTY})
    failing = scenario(
        "client-batch", label=NASTY, requests=10, failures={NASTY: 2}, examples={NASTY: NASTY}, generator=LIMITED
    )
    given = run(
        failing,
        scenario("client-batch", 10),
        url=NASTY,
        started=NASTY,
        environment=environment,
        settings={NASTY: NASTY},
    )
    files = Report.of(given, Slo.parse("p99<1s")).files()
    page = Tags(files["report.html"])
    assert not [tag for tag, _ in page.found if tag == "img"]
    assert [tag for tag, _ in page.found].count("script") == 1
    assert not [name for _, attributes in page.found for name in attributes if name.startswith("on")]
    ElementTree.fromstring(files["junit.xml"])  # noqa: S314
    for line in files["report.md"].splitlines():
        outside = re.sub(r"(?<![\\`])(`+) ?.*?(?<!`)\1(?!`)", "", line)
        assert not re.search(r"(?<!\\)<|(?<!\\)\]\(", outside), line
        assert not line.startswith("# ")


def test_the_page_needs_nothing_but_itself() -> None:
    page = report().files()["report.html"]
    tags = Tags(page).found
    assert not [
        (tag, value) for tag, given in tags for key, value in given.items() if key in ("src", "style", "srcset")
    ]
    assert [given["href"] for _, given in tags if "href" in given] == ["data:,"]
    (policy,) = [given["content"] for _, given in tags if given.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "@import" not in page
    assert "url(" not in page


def test_control_characters_do_not_break_the_xml() -> None:
    files = Report.of(run(scenario(label="a\x00b\x1b"), scenario(label="c"))).files()
    names = [case.get("name") for case in ElementTree.fromstring(files["junit.xml"]).iter("testcase")]  # noqa: S314
    assert names == ["real-time, a\ufffdb\ufffd: answers are right", "real-time, c: answers are right"]


def test_a_report_of_nothing_is_a_report() -> None:
    for given in (run(nothing()), replace(run(), scenarios=())):
        files = Report.of(given, Slo.parse("p99<1s")).files()
        assert "There were no requests." in files["report.html"]
        assert "<svg" not in files["report.html"]


def test_the_knee_is_where_power_is_greatest() -> None:
    steps = ramped().ramp
    found = knee(steps)
    assert found is not None
    assert not found.last
    power = [step.requests_per_second / (step.latency.mean_ms or 1) for step in steps]
    assert steps.index(found.step) == power.index(max(power)) == 3


def test_a_ramp_without_enough_answers_has_no_knee() -> None:
    steps = ramped().ramp
    silent = tuple(replace(step, latency=Histogram(), failures=step.requests) for step in steps[2:])
    assert knee(steps[:2] + silent) is None
    assert knee(()) is None
    assert "No knee" in Report.of(run(replace(ramped(), ramp=steps[:2] + silent))).files()["report.html"]


def test_a_knee_at_the_end_may_lie_beyond() -> None:
    found = knee(ramped().ramp[:3])
    assert found is not None
    assert found.last
    page = Report.of(run(replace(ramped(), ramp=ramped().ramp[:3]))).files()["report.html"]
    assert "the true knee may lie beyond what was tried" in page
