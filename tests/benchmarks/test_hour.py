"""The hour's worth of requests to a Keras bundle with several scorers, a small part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import hour

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.keras
def test_every_answer_of_several_keras_scorers_is_right(tmp_path: Path) -> None:
    done = hour.run(tmp_path, 400, 2)
    assert done.wrong == []
    assert (done.right, done.replaced) == (400, 0)
