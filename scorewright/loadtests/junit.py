"""A report as JUnit XML, as GitHub Actions and Azure Pipelines show it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from scorewright.loadtests import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorewright.loadtests.measurements import Scenario
    from scorewright.loadtests.report import Report

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def of_report(report: Report) -> str:
    """A test case for each verdict of the SLO, and one for each scenario: that all its answers are right."""
    run = report.run
    slo = [
        (
            f"{verdict.clause} ({verdict.scenario or 'no scenario'})",
            "" if verdict.met else f"wanted {verdict.wanted}, found {verdict.found}",
        )
        for verdict in report.verdicts
    ]
    answers = [(f"{words.title(one, run)}: answers are right", _wrong(one)) for one in run.scenarios]
    unchecked = {
        title
        for (title, fault), one in zip(answers, run.scenarios, strict=True)
        if not fault and not one.answers_checked
    }
    suites = Element("testsuites", {"name": "scorewright loadtest"})
    for name, cases in (("slo", slo), ("answers", answers)):
        if cases:
            _suite(suites, name, cases, unchecked, run.started)
    indent(suites)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(suites, encoding="unicode")}\n'


def _suite(suites: Element, name: str, cases: Sequence[tuple[str, str]], skipped: set[str], started: str) -> None:
    failed = sum(bool(fault) for _, fault in cases)
    passed_over = sum(title in skipped for title, _ in cases)
    counts = {
        "tests": str(len(cases)),
        "failures": str(failed),
        "errors": "0",
        "skipped": str(passed_over),
        "time": "0",
    }
    suite = SubElement(suites, "testsuite", {"name": f"loadtest.{name}", **counts, "timestamp": _clean(started)})
    for title, fault in cases:
        case = SubElement(suite, "testcase", {"classname": f"loadtest.{name}", "name": _clean(title), "time": "0"})
        if fault:
            SubElement(case, "failure", {"message": _clean(fault)}).text = _clean(fault)
        elif title in skipped:
            SubElement(case, "skipped", {"message": "The answers were not compared with the right ones."})


def _wrong(one: Scenario) -> str:
    if not one.requests:
        return "There were no requests."
    if one.wrong_answers:
        return f"{one.wrong_answers:,} of {one.requests:,} answers were wrong."
    return "" if one.requests > one.failed else "No request was answered."


def _clean(text: str) -> str:
    """Without the characters that XML cannot have, even escaped."""
    return _NOT_XML.sub("\ufffd", text)
