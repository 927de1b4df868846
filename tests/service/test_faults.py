"""Every fault once, amid constant load: each request is accounted for. `python -m benchmarks.faults` does more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import faults

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("fault", faults.FAULTS, ids=lambda fault: fault.name)
def test_every_request_beside_a_fault_is_accounted_for(fault: faults.Fault, tmp_path: Path) -> None:
    outcome = faults.run(fault, tmp_path, [faults.amid_requests])
    assert outcome.own == ([fault.answer] if fault.do else [])
    assert outcome.lost == 0
    assert outcome.answered + sum(outcome.failed.values()) + outcome.cut == outcome.sent
    assert outcome.cut == 0 or fault.cuts
    # Scored by itself when its scorer was killed: one at most.
    assert sum(outcome.failed.values()) <= (1 if fault.replaced and fault.victims else 0)
    assert all(faults.DIED in said for said in outcome.failed)
