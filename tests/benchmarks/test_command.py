"""`python -m benchmarks` with what it does not take, and what its parts leave for each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import contenders
from benchmarks.__main__ import main
from benchmarks.cases import CASES, Rows
from benchmarks.floor import floor_of
from benchmarks.progress import clock
from benchmarks.run import Options, train

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--models", "a,x"], "there is no model x; there are a, b, c, d, e"),
        (["--rounds", "0"], "0 is less than 1"),
        (["--connections", "1,no"], "invalid"),
    ],
)
def test_what_it_does_not_take(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_without_wrk_it_ends_with_a_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert main([]) == 1
    assert capsys.readouterr().err.startswith("Error: wrk, which makes the load, is not installed.")


def test_every_phase_and_start_is_a_step() -> None:
    options = Options(rounds=2, seconds=1, connections=(1, 32, 128))
    assert options.steps(CASES[1:2]) == 2 * 3 * 5
    assert options.steps(CASES[:1]) == 2 * (3 * 5 + 3)
    assert clock(187) == "03:07"


def test_a_model_is_trained_and_its_floor_measured(tmp_path: Path) -> None:
    case = CASES[0]
    train(case, tmp_path / "tree")
    rows = Rows.of(tmp_path / "tree")
    assert len({tuple(row) for row in rows.rows}) == len(rows.rows) == 200
    assert {len(answers) for answers in rows.answers.values()} == {200}
    with floor_of(case, tmp_path / "tree", contenders.onnx_bundle(case, tmp_path / "tree")) as floor:
        for _ in range(2):
            measured = floor.measure()
            assert list(measured) == ["native predict_proba"]
            assert measured["native predict_proba"] > 0


def test_mlserver_is_told_to_batch(tmp_path: Path) -> None:
    contenders.prepare("mlserver", CASES[0], tmp_path)
    text = (tmp_path / "mlserver/tree/model-settings.json").read_text()
    assert '"max_batch_size": 128, "max_batch_time": 0.001' in text
