"""Azure's batch contract: scripts as their authors wrote them for Azure, and each way in which one can go wrong."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier

from scorewright.errors import BatchError, LocationError, ScriptError
from scorewright.service.batch.job import Job, Summary, run
from scorewright.service.batch.settings import BatchSettings
from scorewright.service.batch.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.service.batch.cluster import DaskCluster

SCRIPTS = Path(__file__).parent / "scripts"


class Folders:
    """A test's own: input, output, what its script leaves behind."""

    def __init__(self, root: Path, scheduler: str) -> None:
        self.input, self.output, self.seen = root / "in", root / "out", root / "seen"
        self.input.mkdir()
        self.seen.mkdir()
        self._scheduler = scheduler

    def tell(self, **words: str) -> None:
        """Files by name, each with its word for told.py."""
        for name, word in words.items():
            (self.input / f"{name}.txt").write_text(word)

    def score(
        self, script: str, *arguments: str, model_dir: Path | None = None, resume: bool = False, **settings: Any
    ) -> Summary:
        """Run a script of the folder `scripts` on the cluster."""
        source = Source(
            entry_script=SCRIPTS / script, model_dir=None if model_dir is None else str(model_dir), arguments=arguments
        )
        told = BatchSettings.of(**settings)
        return run(Job(source, str(self.input), str(self.output), told, scheduler=self._scheduler, resume=resume))

    @property
    def lines(self) -> list[str]:
        """What predictions.csv says."""
        return (self.output / "predictions.csv").read_text().splitlines()


@pytest.fixture
def folders(tmp_path: Path, cluster: DaskCluster) -> Folders:
    return Folders(tmp_path, cluster.address)


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, pd.DataFrame]:
    """A registered model's folder as Azure mounts it, the model, and rows."""
    root = tmp_path_factory.mktemp("registered")
    data = load_breast_cancer(as_frame=True).data
    model = RandomForestClassifier(5, random_state=0).fit(data, load_breast_cancer().target)
    (root / "model").mkdir()
    joblib.dump(model, root / "model" / "model.joblib")
    return root, model, data


def write_csvs(folder: Path, data: pd.DataFrame, count: int) -> None:
    for number, rows in enumerate(np.array_split(np.arange(len(data)), count)):
        data.iloc[rows].to_csv(folder / f"part{number:02d}.csv", index=False)


def test_a_csv_driver_appends_rows_as_azure_writes_them(
    folders: Folders, forest: tuple[Path, Any, pd.DataFrame]
) -> None:
    root, model, data = forest
    write_csvs(folders.input, data, 12)
    summary = folders.score("csv_rows.py", model_dir=root)
    assert (summary.progress.mini_batches_total, summary.progress.items_done) == (2, 12)
    found = pd.read_csv(folders.output / "predictions.csv", header=None, sep=" ")
    assert found.shape == (569, 32)
    assert np.array_equal(found.iloc[:, :30].to_numpy(), data.to_numpy())
    assert np.array_equal(found[30].to_numpy(), model.predict(data))
    assert found[31].tolist() == sorted(found[31])


def test_a_driver_that_writes_its_own_files(folders: Folders, forest: tuple[Path, Any, pd.DataFrame]) -> None:
    root, model, data = forest
    write_csvs(folders.input, data, 5)
    settings: dict[str, Any] = {"output_action": "summary_only", "mini_batch_size": 2}
    summary = folders.score("parquet_outputs.py", "--threshold", "0.7", model_dir=root, **settings)
    assert [Path(result).name for result in summary.results] == [f"part{number:02d}.parquet" for number in range(5)]
    found = pd.concat([pd.read_parquet(result) for result in summary.results])
    assert np.array_equal(found["prediction"].to_numpy(), model.predict_proba(data)[:, 1] > 0.7)
    assert sorted(path.name for path in folders.output.iterdir()) == [
        "_scorewright",
        *(f"part{number:02d}.parquet" for number in range(5)),
    ]


@pytest.mark.keras
def test_a_driver_of_images(folders: Folders, tmp_path: Path) -> None:
    import keras
    from PIL import Image

    keras.utils.set_random_seed(0)
    layers = [keras.layers.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(4)]
    model = keras.Sequential(layers)
    (tmp_path / "models" / "model").mkdir(parents=True)
    model.save(tmp_path / "models" / "model" / "cnn.keras")
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (7, 8, 8, 3), dtype=np.uint8)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folders.input / f"image{number}.png")
    summary = folders.score("keras_images.py", model_dir=tmp_path / "models", mini_batch_size=5, timeout=120)
    assert summary.progress.items_done == 7
    found = [line.split() for line in folders.lines]
    assert [row[0] for row in found] == [f"image{number}.png" for number in range(7)]
    wanted = np.argmax(model.predict(images / 255.0, verbose=0), axis=-1)
    assert [int(row[2]) for row in found] == wanted.tolist()


def test_every_item_counts_and_the_order_is_that_of_the_paths(folders: Folders) -> None:
    folders.tell(**{f"f{number:02d}": "ok" for number in reversed(range(25))})
    summary = folders.score("told.py", str(folders.seen))
    assert folders.lines == [f"f{number:02d}.txt ok" for number in range(25)]
    assert (summary.progress.mini_batches_total, summary.progress.items_done, summary.progress.items_failed) == (
        3,
        25,
        0,
    )


@pytest.mark.parametrize(
    ("word", "failed", "said"),
    [
        ("raise", 2, "run() raised ValueError: b.txt is bad (told.py, line 25: raise ValueError"),
        ("none", 2, "run() returned None for 2 files; it must return a list or a DataFrame"),
        ("text", 2, "run() returned str for 2 files; it must return a list or a DataFrame"),
        ("leave out", 1, "run() returned 1 items for 2 files: 1 of them have failed."),
        ("exit", 2, "The process that ran the script ended: it exited with code 7."),
        ("segv", 2, "The process that ran the script ended: it was killed by SIGSEGV.\nIts last words:\n"),
        ("hang", 2, "run() took longer than the timeout of 1 s and was ended: give it more time, or less"),
    ],
)
def test_what_is_not_scored_is_counted_and_said(folders: Folders, word: str, failed: int, said: str) -> None:
    folders.tell(a="ok", b=word, c="ok", d="ok")
    summary = folders.score("told.py", str(folders.seen), mini_batch_size=2, max_retries=1, timeout=1)
    assert (summary.progress.items_failed, summary.progress.items_done) == (failed, 4 - failed)
    error = summary.progress.errors[0]
    assert error.message.startswith(said), error.message
    assert error.file == "a.txt and 1 more"
    kept = ["a.txt ok"] if word == "leave out" else []
    assert folders.lines == [*kept, "c.txt ok", "d.txt ok"]


@pytest.mark.parametrize("word", ["raise once", "hang once", "segv once"])
def test_a_mini_batch_is_tried_again(folders: Folders, word: str) -> None:
    folders.tell(a="ok", b=word)
    summary = folders.score("told.py", str(folders.seen), max_retries=1, timeout=2)
    assert (summary.progress.items_done, summary.progress.retries) == (2, 1)
    assert folders.lines == ["a.txt ok", f"b.txt {word}"]


def test_one_failure_too_many_ends_the_job(folders: Folders) -> None:
    folders.tell(a="raise", b="raise", c="ok")
    settings: dict[str, Any] = {"mini_batch_size": 1, "max_retries": 0}
    with pytest.raises(BatchError, match="2 items have failed, and error_threshold is 1") as caught:
        folders.score("told.py", str(folders.seen), error_threshold=1, **settings)
    assert "--resume" in caught.value.hint
    assert not (folders.output / "predictions.csv").exists()
    summary = folders.score("told.py", str(folders.seen), error_threshold=2, resume=True, **settings)
    assert (summary.progress.items_failed, folders.lines) == (2, ["c.txt ok"])


def test_a_job_of_which_nothing_was_scored_has_failed(folders: Folders) -> None:
    folders.tell(a="raise", b="none")
    with pytest.raises(BatchError, match="Nothing was scored: all 2 items failed"):
        folders.score("told.py", str(folders.seen), mini_batch_size=1, max_retries=0)
    assert not (folders.output / "predictions.csv").exists()


def test_an_init_that_fails_ends_the_job_with_its_traceback(folders: Folders) -> None:
    folders.tell(a="ok")
    with pytest.raises(ScriptError, match="ZeroDivisionError"):
        folders.score("told.py", str(folders.seen), "--init", "1/0")
    # Nothing is scored, and nothing is in the way of the mended one.
    assert folders.score("told.py", str(folders.seen)).progress.items_done == 1


def test_two_mini_batches_that_write_one_file(folders: Folders) -> None:
    folders.tell(a="same name", b="same name")
    with pytest.raises(BatchError, match=r"Two mini-batches wrote result\.txt") as caught:
        folders.score("told.py", str(folders.seen), mini_batch_size=1)
    assert "name each file after what is in it" in caught.value.hint
    kept = sorted((folders.output / "_scorewright" / "files").rglob("result.txt"))
    assert [path.read_text() for path in kept] == ["a.txt", "b.txt"]


def test_a_table_that_parquet_does_not_take(folders: Folders) -> None:
    folders.tell(a="same columns")
    words = "What run\\(\\) returned cannot be written as parquet: Duplicate column names found"
    with pytest.raises(BatchError, match=words):
        folders.score("told.py", str(folders.seen), output_format="parquet", max_retries=0)


@pytest.mark.parametrize("name", ["predictions.csv", "predictions.csv/mine", "_scorewright/report.json"])
def test_a_script_that_writes_what_is_the_jobs(folders: Folders, name: str) -> None:
    folders.tell(a=f"write {name}", b="ok")
    with pytest.raises(BatchError, match=f"The script wrote {name}, which is the job's own") as caught:
        folders.score("told.py", str(folders.seen))
    assert "--output-file-name" in caught.value.hint
    kept = folders.output / "_scorewright" / "files" / "0000000" / name
    assert kept.read_text() == "a.txt"


def test_a_file_and_a_folder_of_one_name(folders: Folders) -> None:
    folders.tell(a="write one", b="write one/two")
    with pytest.raises(BatchError, match="One mini-batch wrote a file one, and another one one/two"):
        folders.score("told.py", str(folders.seen), mini_batch_size=1)


@pytest.mark.parametrize(("word", "retries"), [("fork", 0), ("fork, exit", 1)])
def test_what_a_script_forks_ends_with_it_and_holds_nothing_up(folders: Folders, word: str, retries: int) -> None:
    folders.tell(a=word)
    summary = folders.score("told.py", str(folders.seen), max_retries=1, timeout=600)
    assert (summary.progress.items_done, summary.progress.retries) == (1, retries)
    child = Path("/proc", (folders.seen / "child").read_text())
    while child.exists() and "Z" not in (child / "stat").read_text().rpartition(")")[2].split()[0]:
        time.sleep(0.05)


def test_another_model_does_not_go_on_with_it(folders: Folders, tmp_path: Path) -> None:
    folders.tell(a="ok")
    weights = tmp_path / "models" / "digits" / "weights"
    weights.parent.mkdir(parents=True)
    weights.write_text("1")
    folders.score("told.py", str(folders.seen), model_dir=tmp_path / "models")
    folders.score("told.py", str(folders.seen), model_dir=tmp_path / "models", resume=True)
    weights.write_text("2")
    with pytest.raises(LocationError, match="its script differ"):
        folders.score("told.py", str(folders.seen), model_dir=tmp_path / "models", resume=True)


def test_nobody_elses_output_is_touched(folders: Folders) -> None:
    folders.tell(a="ok")
    folders.output.mkdir()
    (folders.output / "mine.txt").write_text("mine")
    with pytest.raises(LocationError, match="is not empty"):
        folders.score("told.py", str(folders.seen))
    assert [path.name for path in folders.output.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("below", ["", "scored/november"])
def test_an_output_within_the_input(folders: Folders, below: str) -> None:
    folders.tell(a="ok")
    folders.output = folders.input / below
    with pytest.raises(LocationError, match="is within the input"):
        folders.score("told.py", str(folders.seen))
    assert [path.name for path in folders.input.iterdir()] == ["a.txt"]


def test_another_job_does_not_go_on_with_it(folders: Folders) -> None:
    folders.tell(a="ok", b="ok")
    folders.score("told.py", str(folders.seen))
    assert folders.score("told.py", str(folders.seen), resume=True).progress.items_done == 2
    (folders.input / "b.txt").write_text("changed")
    with pytest.raises(LocationError, match="its input differ"):
        folders.score("told.py", str(folders.seen), resume=True)
    assert folders.lines == ["a.txt ok", "b.txt ok"]


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda folder: folder.rmdir(), "There is no file or folder"),
        (lambda folder: None, "has no files in it"),
    ],
    ids=["missing", "empty"],
)
def test_an_input_that_is_none(folders: Folders, prepare: Callable[[Path], object], words: str) -> None:
    prepare(folders.input)
    with pytest.raises(LocationError, match=words):
        folders.score("told.py", str(folders.seen))
    assert not folders.output.exists()


def test_tables_by_rows_and_by_keys(folders: Folders, tmp_path: Path) -> None:
    frame = pd.DataFrame({"value": range(10), "region": list("abcab") * 2, "year": [1, 2] * 5})
    frame.iloc[:6].to_csv(folders.input / "a.csv", index=False)
    frame.iloc[6:].to_csv(folders.input / "b.csv", index=False)
    rows = folders.score("tables.py", "fail-first", input_kind="tabular", mini_batch_size=4, output_format="csv")
    found = pd.read_csv(folders.output / "predictions.csv")
    assert found["doubled"].tolist() == [2 * value for value in range(10)]
    assert found["index"].tolist() == [0] * 4 + [1] * 2 + [2] * 4
    assert rows.progress.retries in (1, 2)  # as many as there are processes
    shutil.rmtree(folders.output)
    keys: dict[str, Any] = {"partition_keys": ("region", "year"), "output_format": "csv"}
    folders.score("tables.py", input_kind="tabular", **keys)
    found = pd.read_csv(folders.output / "predictions.csv")
    groups = frame.sort_values(["region", "year"], kind="stable")
    assert found["doubled"].tolist() == (groups["value"] * 2).tolist()
    wanted = [
        repr([("region", region), ("year", year)])
        for region, year in zip(groups["region"], groups["year"], strict=True)
    ]
    assert found["key"].tolist() == wanted


def test_files_by_keys(folders: Folders) -> None:
    for region, name in [("b", "1"), ("a", "2"), ("a", "1")]:
        (folders.input / f"region={region}").mkdir(exist_ok=True)
        (folders.input / f"region={region}" / f"{name}.txt").write_text(f"of {region}")
    summary = folders.score("told.py", str(folders.seen), partition_keys=("region",))
    assert summary.progress.mini_batches_total == 2
    assert folders.lines == ["1.txt of a", "2.txt of a", "1.txt of b"]
