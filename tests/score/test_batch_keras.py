"""batch_score.py of a Keras model answers a file of rows, or an image, as score.py answers requests."""

from __future__ import annotations

import io
import json
import re
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from scorewright.score.batch_file import batch_rows
from tests.keras_models import MODELS
from tests.score.scripts import Scripts, ask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.keras

SETTINGS = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


def tabular() -> tuple[Any, Any]:
    return MODELS["tabular"](), pd.DataFrame([[1.0, 2.0, 3.0, 4.0]], columns=["a", "b", "c", "d"])


def image() -> tuple[Any, Any]:
    return MODELS["image"](), None


def several() -> tuple[Any, Any]:
    return MODELS["several"](), None


def sequence() -> tuple[Any, Any]:
    return MODELS["sequence"](), None


def steps() -> tuple[Any, Any]:
    """As many answers as there are steps."""
    import keras

    inputs = keras.Input((None, 2), name="steps")
    return keras.Model(inputs, keras.layers.LSTM(3, return_sequences=True)(inputs)), None


def texts() -> tuple[Any, Any]:
    return MODELS["texts"](), {"text": np.array([["good"], ["bad"]]), "flag": np.array([[True], [False]])}


def words() -> tuple[Any, Any]:
    import keras

    text = keras.Input((1,), dtype="string", name="text")
    counted = keras.layers.TextVectorization(max_tokens=20, output_sequence_length=4)
    counted.adapt(["good bad fine", "fine good"])
    return keras.Model(text, keras.layers.Dense(2)(keras.ops.cast(counted(text), "float32"))), np.array([["good"]])


def ids() -> tuple[Any, Any]:
    import keras

    return keras.Sequential(
        [keras.Input((2,), dtype="int32", name="ids"), keras.layers.Embedding(10, 3), keras.layers.Flatten()]
    ), None


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Scripts:
    return Scripts(tmp_path_factory.mktemp("scripts"))


def expected(online: Any, row: Any) -> list[Any]:
    """The answers and the error that a row must get, by what a request with it is answered."""
    status, body = ask(online, {"data": [row]})
    if status == 200:
        return [*batch_rows(body)[0], None]
    return [None, re.sub(r"^data(\[0\])?", "row", body["message"])]


def found(frame: Any) -> list[list[Any]]:
    rows = frame.iloc[:, 2:].astype(object).to_numpy().tolist()
    return [[None, row[-1]] if isinstance(row[-1], str) else [*row[:-1], None] for row in rows]


NUMBERS = st.floats(-100, 100, width=32) | st.sampled_from([1e300, None, 0.1, 7])
ODD = st.sampled_from([True, "x", [1.0], [[1.0]], {}, 5])


def vectors(width: int, numbers: Any = NUMBERS) -> Any:
    return st.lists(numbers, min_size=width, max_size=width)


ROWS = {
    tabular: vectors(4) | ODD | st.fixed_dictionaries(dict.fromkeys("abcd", NUMBERS)),
    several: st.fixed_dictionaries({"numbers": vectors(3), "ids": vectors(2, st.integers(-1, 11) | NUMBERS)}) | ODD,
    sequence: st.lists(vectors(3), min_size=1, max_size=3) | ODD,
    texts: st.fixed_dictionaries({"text": st.sampled_from([["good"], ["fine bad"], [5]]), "flag": vectors(1, ODD)}),
    words: st.sampled_from([["good"], ["ü fine"], "bad", 5, [None]]),
}


@pytest.mark.parametrize("build", ROWS, ids=lambda build: build.__name__)
def test_lines_of_json_are_answered_as_requests(build: Any, scripts: Scripts, tmp_path: Path) -> None:
    with scripts(build) as online, scripts(build, "batch_score.py") as batch:

        @SETTINGS
        @given(st.lists(ROWS[build], min_size=1, max_size=6))
        def holds(rows: list[Any]) -> None:
            path = tmp_path / "rows.jsonl"
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
            frame = batch.run([str(path)])
            assert found(frame) == [expected(online, row) for row in rows]
            parts = [
                batch.run.__globals__["run_part"](io.BytesIO(line), ".jsonl", path.name, place)
                for place, line in enumerate(path.read_bytes().splitlines())
            ]
            pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), frame)

        holds()


@pytest.mark.parametrize("build", [tabular, ids], ids=lambda build: build.__name__)
def test_tables_are_answered_as_requests(build: Any, scripts: Scripts, tmp_path: Path) -> None:
    names = list("abcd") if build is tabular else ["one", "two"]
    field = st.sampled_from(["1", "0", "3", "2.5", "", "x", "1e39", "11", "-1"])

    with scripts(build) as online, scripts(build, "batch_score.py") as batch:

        @SETTINGS
        @given(st.lists(st.lists(field, min_size=len(names), max_size=len(names)), min_size=1, max_size=6))
        def holds(rows: list[list[str]]) -> None:
            (tmp_path / "rows.csv").write_text("\n".join(map(",".join, [names, *rows])))
            values = [
                [{"": None, "x": "x"}.get(text, json.loads(text or "0") if text != "x" else 0) for text in row]
                for row in rows
            ]
            frame = batch.run([str(tmp_path / "rows.csv")])
            assert found(frame) == [expected(online, row) for row in values]
            numbers = np.array([[np.nan if isinstance(v, str | None) else v for v in row] for row in values])
            pd.DataFrame(numbers, columns=names).to_parquet(tmp_path / "rows.parquet")
            np.save(tmp_path / "rows.npy", numbers)
            rows_there = [[None if np.isnan(value) else value for value in row] for row in numbers.tolist()]
            wanted = [expected(online, row) for row in rows_there]
            for name in ("rows.parquet", "rows.npy"):
                got = found(batch.run([str(tmp_path / name)]))
                assert [row[0] for row in got] == [row[0] for row in wanted]
                assert [row[-1] is None for row in got] == [row[-1] is None for row in wanted]

        holds()


def test_arrays_of_several_inputs(scripts: Scripts, tmp_path: Path) -> None:
    np.savez(
        tmp_path / "rows.npz", numbers=np.arange(900.0).reshape(300, 3) / 100, ids=np.arange(600).reshape(300, 2) % 12
    )
    with scripts(several) as online, scripts(several, "batch_score.py") as batch:
        frame = batch.run([str(tmp_path / "rows.npz")])
        rows = [
            {"numbers": numbers, "ids": ids}
            for numbers, ids in zip(
                np.load(tmp_path / "rows.npz")["numbers"].tolist(),
                np.load(tmp_path / "rows.npz")["ids"].tolist(),
                strict=True,
            )
        ]
        wanted = [expected(online, row) for row in rows]
        assert [row[:-1] for row in found(frame) if row[-1] is None] == [row[:-1] for row in wanted if row[-1] is None]
        assert frame["error"].notna().tolist() == [row[-1] is not None for row in wanted]
        assert list(frame) == ["file", "row", "price_0", "kind_0", "kind_1", "kind_2", "error"]
        np.savez(tmp_path / "other.npz", numbers=np.ones((2, 3)))
        with pytest.raises(ValueError, match=r"other\.npz: it has the arrays numbers; the model takes numbers, ids"):
            batch.run([str(tmp_path / "other.npz")])
        np.savez(tmp_path / "uneven.npz", numbers=np.ones((2, 3)), ids=np.ones((1, 2)))
        with pytest.raises(ValueError, match="it has different numbers of rows"):
            batch.run([str(tmp_path / "uneven.npz")])
        (tmp_path / "no.npz").write_bytes(b"no zip")
        with pytest.raises(ValueError, match=r"no\.npz: File is not a zip file"):
            batch.run([str(tmp_path / "no.npz")])
        with pytest.raises(ValueError, match="the model does not take tables"):
            batch.run(pd.DataFrame({"a": [1]}))


def test_texts_one_a_line(scripts: Scripts, tmp_path: Path) -> None:
    (tmp_path / "rows.txt").write_bytes(b"good\r\nfine bad\n\xff\n")
    pd.DataFrame({"text": ["good", "fine bad"]}).to_csv(tmp_path / "rows.csv", index=False)
    with scripts(words) as online, scripts(words, "batch_score.py") as batch:
        frame = batch.run([str(tmp_path / "rows.txt"), str(tmp_path / "rows.csv")])
        wanted = [expected(online, ["good"]), expected(online, ["fine bad"])]
    assert found(frame) == [*wanted, [None, "row is not UTF-8"], *wanted]


def test_answers_of_any_size_are_json(scripts: Scripts, tmp_path: Path) -> None:
    rows = [[[0.1, 0.2]], [[0.3, 0.4], [0.5, 0.6]]]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with scripts(steps) as online, scripts(steps, "batch_score.py") as batch:
        frame = batch.run([str(tmp_path / "rows.jsonl")])
        answers = [ask(online, {"data": [row]})[1]["predict"][0] for row in rows]
    assert [json.loads(text) for text in frame.iloc[:, 2]] == answers


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.ones((2, 32, 32)), "it has an array of the shape 2 x 32 x 32; a row of .* has the shape 32 x 32 x 3"),
        (np.ones((0, 32, 32, 1)), "it has an array of the shape 0 x 32 x 32 x 1"),
        (np.ones((1, 32, 32, 3), dtype=bool), "it holds bool, .* takes numbers"),
    ],
)
def test_an_array_of_other_rows_is_refused(array: Any, words: str, scripts: Scripts, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", array)
    with scripts(image, "batch_score.py") as batch, pytest.raises(ValueError, match=rf"rows\.npy: {words}"):
        batch.run([str(tmp_path / "rows.npy")])


PIXELS = np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)


@pytest.fixture
def batch(scripts: Scripts) -> Iterator[Any]:
    with scripts(image, "batch_score.py") as script:
        yield script


def test_images_are_answered_as_their_pixels(scripts: Scripts, tmp_path: Path) -> None:
    picture = Image.fromarray(PIXELS).crop((0, 0, 32, 32))
    for suffix in ("png", "bmp"):
        picture.save(tmp_path / f"picture.{suffix}")
    picture.save(tmp_path / "picture.jpg", quality=90)
    picture.quantize(32).save(tmp_path / "picture.gif", save_all=True, append_images=[picture.rotate(90)])
    picture.convert("RGBA").save(tmp_path / "clear.PNG")
    Image.fromarray(PIXELS).save(tmp_path / "large.png")
    names = ["picture.png", "picture.bmp", "picture.jpg", "picture.gif", "clear.PNG", "large.png"]
    with scripts(image) as online, scripts(image, "batch_score.py") as batch:
        frame = batch.run([str(tmp_path / name) for name in names])
        assert frame["file"].tolist() == names
        assert frame["row"].tolist() == [0] * len(names)
        for name, got in zip(names, found(frame), strict=True):
            with Image.open(tmp_path / name) as picture:
                shown = picture.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)
            assert got == expected(online, np.asarray(shown).tolist()), name


def test_an_image_that_cannot_be_read_does_not_spoil_the_others(batch: Any, tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:300])
    (tmp_path / "none.jpg").write_bytes(b"no image")
    np.save(tmp_path / "rows.npy", PIXELS[np.newaxis, :32, :32])
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(batch.run.__globals__, "READ", 2)
        frame = batch.run(
            [str(tmp_path / name) for name in ("whole.png", "cut.png", "rows.npy", "none.jpg", "whole.png")]
        )
    assert frame["file"].tolist() == ["whole.png", "cut.png", "rows.npy", "none.jpg", "whole.png"]
    assert frame["error"].notna().tolist() == [False, True, False, True, False]
    assert frame["error"].dropna().str.startswith("row is no image that can be read: ").all()
    with pytest.raises(FileNotFoundError, match="gone"):
        batch.run([str(tmp_path / "gone.png")])


def test_pixels_may_be_scaled(scripts: Scripts, tmp_path: Path) -> None:
    Image.fromarray(PIXELS[:32, :32]).save(tmp_path / "picture.png")
    np.save(tmp_path / "rows.npy", (PIXELS[np.newaxis, :32, :32] / 255).astype("float32"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["batch_score.py", "--scale", "255"])
        with scripts(image, "batch_score.py") as script:
            first, second = found(script.run([str(tmp_path / "picture.png"), str(tmp_path / "rows.npy")]))
    assert first == second


def test_images_may_have_their_answers_written(batch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "picture.png")
    monkeypatch.setenv("SCOREWRIGHT_BATCH_OUTPUT", "csv")
    monkeypatch.setenv("AZUREML_BI_OUTPUT_PATH", str(tmp_path))
    (line,) = batch.run([str(tmp_path / "picture.png")])
    assert len(pd.read_csv(tmp_path / line.rpartition(" ")[2])) == 1
