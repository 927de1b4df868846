"""Every fault once, amid constant load: each request is accounted for. `python -m benchmarks.faults` does more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import faults
from benchmarks.injected import DIED, FAULTS, Fault

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_request_beside_a_fault_is_accounted_for(fault: Fault, tmp_path: Path) -> None:
    outcome = faults.run(fault, tmp_path, [faults.amid_requests])
    assert outcome.own == ([fault.answer] if fault.do else [])
    assert outcome.lost == 0
    assert outcome.answered + sum(outcome.failed.values()) + outcome.cut == outcome.sent
    assert outcome.cut == 0 or fault.cuts
    # Scored by itself when its scorer was killed: one at most.
    assert sum(outcome.failed.values()) <= (1 if fault.replaced and fault.victims else 0)
    assert all(DIED in said for said in outcome.failed)


def test_without_its_main_process_all_ends_and_a_new_one_has_its_place(tmp_path: Path) -> None:
    outcome = faults.run_without_the_main_process(tmp_path)
    assert (outcome.lost, outcome.failed) == (0, {})
    assert outcome.answered >= 500
    assert outcome.cut <= 8
    assert outcome.answered + outcome.cut == outcome.sent
