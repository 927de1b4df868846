"""Files given to a generated script: one that it cannot read spoils no other, and each has its name below the input."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from scorewright.contract.batch_script import BatchScript
from scorewright.service.batch.location import Location
from scorewright.service.batch.mini_batch import MiniBatch
from scorewright.service.batch.order import Order
from scorewright.service.batch.scores import Scores

GIVEN: list[list[str]] = []


def answers(mini_batch: list[str]) -> pd.DataFrame:
    """As a generated script has them: a row a line, of an image one row; any other file is not read."""
    GIVEN.append([Path(path).name for path in mini_batch])
    rows = []
    for path in map(Path, mini_batch):
        if path.suffix not in (".csv", ".png"):
            raise ValueError(f"{path}: {path.suffix} is not read")
        lines = path.read_text().splitlines()
        rows += [(path.name, row, "it is bad" if line == "bad" else None) for row, line in enumerate(lines)]
    return pd.DataFrame(rows, columns=["file", "row", "error"]).astype({"file": "string", "error": "string"})


def scored(folder: Path, **files: str) -> tuple[dict[str, object], list[str]]:
    """The note of a mini-batch of these files, and the lines of its piece."""
    GIVEN.clear()
    for name in ("in", "output", "inputs"):
        (folder / name).mkdir()
    for name, content in files.items():
        path = folder / "in" / name.replace("_", "/").replace("DOT", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    found = tuple(Location.of(str(folder / "in")).files())
    script = BatchScript(folder, lambda: None, answers, None, False, None, (), "error")
    work = folder / "work"
    order = Order("", None, (), None, "", False, "files", str(work), True, "csv", "info", str(folder))
    note = Scores(script, order, folder / "output", folder / "inputs").score(MiniBatch(0, len(found), files=found))
    return note, (work / "results" / "0000000.piece").read_text().splitlines()


def test_a_file_that_is_not_read_spoils_no_other(tmp_path: Path) -> None:
    note, lines = scored(tmp_path, x_aDOTcsv="1\nbad", y_aDOTcsv="1\nbad", notesDOTmd="# notes")
    assert lines == ["x/a.csv,0,", "x/a.csv,1,it is bad", "y/a.csv,0,", "y/a.csv,1,it is bad"]
    assert (note["items"], note["failed"]) == (3, 3)
    assert note["errors"] == [
        {"file": "notes.md", "row": None, "message": f"{tmp_path}/in/notes.md: .md is not read"},
        {"file": "x/a.csv", "row": 1, "message": "it is bad"},
        {"file": "y/a.csv", "row": 1, "message": "it is bad"},
    ]


def test_images_are_scored_together_under_their_own_names(tmp_path: Path) -> None:
    note, lines = scored(tmp_path, cat_1DOTpng="1", dog_1DOTpng="bad", dog_2DOTcsv="1\n2")
    assert GIVEN == [["1.png", "1.png"], ["2.csv"]]
    assert lines == ["cat/1.png,0,", "dog/1.png,0,it is bad", "dog/2.csv,0,", "dog/2.csv,1,"]
    assert note["failed"] == 1


def test_files_of_which_none_is_read_have_failed_together(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not read"):
        scored(tmp_path, aDOTmd="1", bDOTmd="2")
