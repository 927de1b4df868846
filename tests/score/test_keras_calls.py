"""A network is traced once and its process does not grow, however many calls of however many rows there are."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from scorewright.score.generator import generate
from tests.keras_models import MODELS
from tests.scripts import loaded

pytestmark = pytest.mark.keras

CALLS = int(os.environ.get("SCOREWRIGHT_CALLS", "3000"))
MOST_GROWTH = 8_000_000


def resident() -> int:
    """The bytes of memory this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("kind", ["tabular", "image", "sequence"])
def test_calls_neither_trace_anew_nor_leave_memory(kind: str, tmp_path: Path) -> None:
    bundle = generate(MODELS[kind](), name="net", out=tmp_path / "net")
    random = np.random.default_rng(0)
    with loaded(bundle) as script:
        (spec,) = bundle.manifest.signature.inputs
        sizes = [1, 2, 3, 5, 8, 16]
        bodies = [
            json.dumps({"data": random.normal(size=[rows, *(size or 2 + rows for size in spec.shape[1:])]).tolist()})
            for rows in sizes
        ]
        assert script.run_many is not None
        for _ in range(100):
            script.run_many(bodies)
            script.run(bodies[0])
        before = resident()
        for number in range(CALLS):
            if number % 10:
                script.run(bodies[number % len(bodies)])
            else:
                script.run_many(bodies[: 1 + number // 10 % len(bodies)])
        assert script.module.model.experimental_get_tracing_count() == 1
        assert resident() - before < MOST_GROWTH
