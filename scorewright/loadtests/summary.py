"""What a run found, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.loadtests import words
from scorewright.loadtests.knee import knee

if TYPE_CHECKING:
    from scorewright.loadtests.measurements import Run, Scenario, Step
    from scorewright.loadtests.slo import Slo, Verdict


def headline(run: Run) -> str:
    """The answer in a sentence or two: how much faster which way is, and what a single row costs."""
    if not any(scenario.latency.total for scenario in run.scenarios):
        return "Nothing was answered rightly, so nothing here tells how fast the server is."
    parts = [part for part in (_ways(run), _single_row(run)) if part] or [_fastest(run)]
    told = "; ".join(parts)
    return f"{words.capital(told)}."


def remarks(run: Run, slo: Slo | None, verdicts: tuple[Verdict, ...]) -> list[str]:
    """The sentences after it: the SLO, what a bulk job took and costs real-time, failures, the generator's limit."""
    found = []
    if verdicts:
        missed = sum(not verdict.met for verdict in verdicts)
        found.append(f"The SLO is missed in {missed} of {len(verdicts)} demands." if missed else "The SLO is kept.")
    if slo:
        found += [_held(slo, scenario, run) for scenario in run.scenarios if scenario.ramp and slo.concerns(scenario)]
    found += [sentence for scenario in run.scenarios if (sentence := _job(scenario))]
    found += [sentence for scenario in run.scenarios if (sentence := _cost(scenario))]
    found.append(_failures(run))
    found += [
        f"{words.capital(words.title(one, run))}: the load generator may have been the limit, not the server. "
        f"{one.generator.words}"
        for one in run.scenarios
        if one.generator.limited
    ]
    return found


def _ways(run: Run) -> str:
    """How many times the rows of real-time the others score; nothing of those that only did what they were asked."""
    known = [one for one in run.scenarios if one.peak_rows_per_second and not one.held_back]
    base = next((one for one in known if one.name == "realtime"), None)
    others = [one for one in known if one.name in ("client-batch", "bulk")]
    if base is None or not others:
        return ""
    best = {one.name: one for one in sorted(others, key=lambda one: one.peak_rows_per_second)}
    ratios = {name: _times(one.peak_rows_per_second / base.peak_rows_per_second) for name, one in best.items()}
    of_many = f"requests of {best['client-batch'].rows_per_request:,} rows" if "client-batch" in best else ""
    if "bulk" not in best:
        return f"{of_many} score {ratios['client-batch']} as many rows a second as real-time"
    told = f"bulk scores {ratios['bulk']} as many rows a second as real-time"
    return f"{told}, {of_many} {ratios['client-batch']}" if of_many else told


def _times(ratio: float) -> str:
    return f"only {words.times(ratio)}" if ratio < 1 else words.times(ratio)


def _single_row(run: Run) -> str:
    scenario = next((one for one in run.scenarios if one.name == "realtime" and one.latency.total), None)
    if scenario is None:
        return ""
    what = "a single row" if scenario.rows_per_request == 1 else f"a request of {scenario.rows_per_request:,} rows"
    bend = knee(scenario.ramp)
    if bend is None:
        p99 = words.latency(scenario.latency.percentile(99))
        return f"{what} costs {p99} at p99, at {_answered(scenario)}"
    until = scenario.ramp[: scenario.ramp.index(bend.step) + 1]
    worst = max(step.latency.percentile(99) or 0.0 for step in until)
    return f"{what} costs at most {words.latency(worst)} at p99 up to {_speed(bend.step)}"


def _fastest(run: Run) -> str:
    one = max(run.scenarios, key=lambda one: one.peak_rows_per_second)
    told = f"{words.title(one, run)} scores {words.number(one.peak_rows_per_second)} rows/s"
    return told if one.name == "bulk" else f"{told} at p99 {words.latency(one.latency.percentile(99))}"


def _held(slo: Slo, scenario: Scenario, run: Run) -> str:
    step = slo.held_step(scenario)
    name = words.capital(words.title(scenario, run))
    if step is None:
        return f"{name} keeps the SLO at no step of the ramp."
    return f"{name} keeps the SLO up to {_speed(step)}."


def _speed(step: Step) -> str:
    """What was answered a second, and by what load."""
    return f"{_answered(step)} ({words.load(step)})" if step.rate is None else _answered(step)


def _answered(of: Scenario | Step) -> str:
    answered = f"{words.number(of.requests_per_second)} requests/s"
    kept_up = of.rate is None or of.requests_per_second > 0.97 * of.rate
    return answered if kept_up or of.rate is None else f"{answered} (of {words.number(of.rate)} asked for)"


def _job(scenario: Scenario) -> str:
    if scenario.name != "bulk" or not scenario.rows_per_second:
        return ""
    return (
        f"The bulk job of {scenario.rows:,} rows took {words.latency(scenario.latency.greatest_ms)}, from its "
        f"submission to its fetched result: {words.latency(1000 / scenario.rows_per_second)} a row."
    )


def _cost(scenario: Scenario) -> str:
    if scenario.cost_to_p99 is None or scenario.idle_latency is None:
        return ""
    before, during = scenario.idle_latency.percentile(99), scenario.latency.percentile(99)
    return (
        f"While a bulk job ran, p99 of real-time was {words.latency(during)} instead of {words.latency(before)} "
        f"({words.times(scenario.cost_to_p99)})."
    )


def _compared(run: Run) -> str:
    unchecked = [words.title(scenario, run) for scenario in run.scenarios if not scenario.answers_checked]
    if not unchecked:
        return ", and every answer was right"
    if len(unchecked) == len(run.scenarios):
        return "; whether the answers are right was not looked at"
    return f", and every answer was right that was looked at (not those of {', '.join(unchecked)})"


def _failures(run: Run) -> str:
    requests = sum(scenario.requests for scenario in run.scenarios)
    failed = sum(scenario.failed for scenario in run.scenarios)
    wrong = sum(scenario.wrong_answers for scenario in run.scenarios)
    if not requests:
        return "There were no requests."
    if not failed:
        return f"None of {requests:,} requests failed{_compared(run)}."
    told = f"{failed:,} of {requests:,} requests failed ({words.share(failed / requests)})"
    return f"{told}, {wrong:,} of them by a wrong answer." if wrong else f"{told}."
