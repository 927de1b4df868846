"""Hostile inputs and badly behaved clients, as docs/limits.md tells of them, and a real bundle's limits.

SCOREWRIGHT_SOAK_SECONDS and SCOREWRIGHT_FUZZ_INPUTS make them longer.
"""

from __future__ import annotations

import json
import os
from random import Random
from typing import TYPE_CHECKING

import httpx
import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.hostile import inputs
from benchmarks.hostile.fuzz import fuzz
from benchmarks.hostile.process import Held, Service, make_bundle
from benchmarks.hostile.soak import Seen, soak
from tests.service.servers import WAIT_SECONDS, Server, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INPUTS = int(os.environ.get("SCOREWRIGHT_FUZZ_INPUTS") or 50_000)
SOAK_SECONDS = float(os.environ.get("SCOREWRIGHT_SOAK_SECONDS") or 30)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    make_bundle(folder / "bundle")
    return folder


@pytest.fixture(scope="module")
def limited(folder: Path) -> Iterator[Server]:
    with serving() as serve:
        yield serve(
            str(folder / "bundle"),
            SCOREWRIGHT_MAX_ROWS="3",
            SCOREWRIGHT_MAX_JSON_DEPTH="10",
            SCOREWRIGHT_MAX_BODY_BYTES="10000",
        ).ready()


def test_a_bundle_stands_them(folder: Path) -> None:
    assert "bundle: " in fuzz(folder / "served", folder / "bundle", INPUTS * 7 // 10, 1)


def test_an_entry_script_stands_them(folder: Path) -> None:
    assert "script: " in fuzz(folder / "script", None, INPUTS - INPUTS * 7 // 10, 1)


def test_nothing_is_left_of_clients_that_behave_badly(folder: Path) -> None:
    lines = soak(folder, SOAK_SECONDS)
    assert len(lines) == 2
    assert all(kind in line for kind in ("right", "leaves", "slowly", "bad") for line in lines)


def test_the_same_seed_makes_the_same_inputs() -> None:
    def made(seed: int) -> list[object]:
        random = Random(seed)  # noqa: S311 - the same each time
        return [(inputs.raw(random), inputs.json_body(random), inputs.inference(random)) for _ in range(50)]

    assert made(1) == made(1)
    assert made(1) != made(2)


def test_a_fault_in_the_log_is_found(tmp_path: Path) -> None:
    log = tmp_path / "log"
    asked = "2026-01-01T00:00:00.000Z ERROR [1] run() was interrupted, its 5 ms are over; it was here:\n"
    over = "Traceback (most recent call last):\n  File\na.BadRequest: b\n\nTraceback (most recent call last):\n  File\n"
    log.write_text(asked + over + "scorewright.service.deadline.ScoringTimeoutError: it is over\n")
    served = Service(process=None, host="", port=0, log=log)  # type: ignore[arg-type]
    assert served.faults() == []
    with log.open("a") as more:
        more.write("2026-01-01T00:00:00.000Z ERROR [1] oh\nTraceback (most recent call last):\n  File\nValueError: b\n")
    assert served.faults() == ["ValueError"]


def test_a_leak_is_a_slope() -> None:
    def seen(megabytes_an_hour: float) -> Seen:
        held = [(at * 10.0, Held(100 + megabytes_an_hour * at / 360, 1, 1, 1, 1)) for at in range(100)]
        return Seen(samples=held)

    assert seen(50).slope()[0] == pytest.approx(50)
    assert seen(0).slope() == (0, 0)


def test_a_bundle_that_is_not_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    (tmp_path / "nothing" / "sample_request.json").write_text("{}")
    with pytest.raises(BenchmarkError, match="did not start"):
        fuzz(tmp_path / "served", tmp_path / "nothing", 1, 1)


ROW = [13.2, 25.3, 84.1, 537.9]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"data": [ROW] * 3}, 200, None),
        ({"data": [ROW] * 4}, 413, "The request has 4 rows, more than 3, the service's limit."),
        ({"data": ROW}, 200, None),
        ({"data": [[[[[[[[[[1]]]]]]]]]]}, 400, "The request is nested too deep: more than 10 lists and objects."),
    ],
)
def test_limits_of_a_request_to_score(limited: Server, body: object, status: int, message: str | None) -> None:
    told = httpx.post(limited.url + "/score", json=body, timeout=WAIT_SECONDS)
    assert told.status_code == status
    if message is not None:
        assert told.json() == {"message": message}


def test_a_hundred_thousand_brackets_are_a_400_whatever_the_limit(folder: Path) -> None:
    with serving() as serve:
        server = serve(str(folder / "bundle"), SCOREWRIGHT_MAX_JSON_DEPTH="1000").ready()
        for path in ("/score", "/v2/models/bundle/infer"):
            for body in (b"[" * 100_000, b'{"data":' + b"[" * 999 + b"]" * 999 + b"}", b'{"inputs":' * 500 + b"NaN"):
                told = httpx.post(server.url + path, content=body, timeout=WAIT_SECONDS)
                assert told.status_code == 400, told.text[:200]
        assert "Traceback" not in server.log


@pytest.mark.parametrize("rows", [3, 4])
def test_limits_of_an_inference_request(limited: Server, rows: int) -> None:
    given = {"name": "data", "shape": [rows, 4], "datatype": "FP64", "data": ROW * rows}
    names = httpx.get(limited.url + "/v2/models/bundle", timeout=WAIT_SECONDS).json()["inputs"]
    columns = [
        {"name": spec["name"], "shape": [rows], "datatype": "FP64", "data": [value] * rows}
        for spec, value in zip(names, ROW, strict=len(names) > 1)
    ]
    body = {"inputs": columns if len(names) > 1 else [{**given, "name": names[0]["name"]}]}
    told = httpx.post(limited.url + "/v2/models/bundle/infer", content=json.dumps(body), timeout=WAIT_SECONDS)
    if rows <= 3:
        assert told.status_code == 200
    else:
        assert told.status_code == 413
        assert told.json() == {"error": "The request has 4 rows, more than 3, the service's limit."}
