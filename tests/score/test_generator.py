"""Where a bundle is written: the folders above it are made, and not left behind when nothing comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sklearn.linear_model import LinearRegression

from scorewright.errors import BundleError, CheckFailedError
from scorewright.score import render
from scorewright.score.generator import generate

if TYPE_CHECKING:
    from pathlib import Path

LINE = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])


def test_the_folders_above_are_made(tmp_path: Path) -> None:
    bundle = generate(LINE, out=tmp_path / "deep" / "er" / "line")
    assert bundle.root == tmp_path / "deep" / "er" / "line"


def test_a_script_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "entry_script", lambda *_: "raise OSError('no such luck')\n")
    with pytest.raises(CheckFailedError, match="The generated script fails at init"):
        generate(LINE, out=tmp_path / "deep" / "er" / "line")
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_a_folder_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BundleError, match=r"cannot be written: (File exists|Not a directory)"):
        generate(LINE, out=tmp_path / "file" / "line")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
