"""The floor: what one row costs in the model itself, with no server around it.

`python -m benchmarks.floor FOLDER [BUNDLE]` loads the model (and the onnx bundle's), then answers each line of its
input with a line of JSON: the median milliseconds of a call, by name. It stays between rounds, so that floor and
servers are measured in the same minutes.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.cases import Rows
from benchmarks.errors import BenchmarkError
from benchmarks.servers import pinned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.cases import Case

SECONDS = 0.5
"""How long each way of calling the model is measured."""

WARM_UP_CALLS = 5

Call = tuple["Callable[[Any], Any]", "Sequence[Any]"]
"""A way to call the model, and one-row inputs for it."""


class Floor:
    """The process that holds the model."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self._log = log

    def measure(self) -> dict[str, float]:
        """The median milliseconds of one row, by the way it is called. Raises BenchmarkError if the process is gone."""
        reading, writing = self._process.stdout, self._process.stdin
        if reading is None or writing is None:
            raise BenchmarkError("The process that measures the model by itself has no pipes")
        try:
            writing.write("measure\n")
            writing.flush()
        except BrokenPipeError:
            line = ""
        else:
            line = reading.readline()
        if not line:
            told = f"ended with {self._process.wait()}; its words are in {self._log}"
            raise BenchmarkError(f"The process that measures the model by itself {told}")
        measured: dict[str, float] = json.loads(line)
        return measured


@contextmanager
def floor_of(case: Case, folder: Path, onnx_bundle: Path | None) -> Iterator[Floor]:
    """A process that holds the model until the block ends."""
    words = [sys.executable, "-m", "benchmarks.floor", str(folder), case.method]
    words += [] if onnx_bundle is None else [str(onnx_bundle)]
    pipe = subprocess.PIPE
    with (
        (folder / "floor.log").open("w") as log,
        subprocess.Popen(pinned(words), stdin=pipe, stdout=pipe, stderr=log, text=True) as process,
    ):
        try:
            yield Floor(process, folder / "floor.log")
        finally:
            process.kill()


def main(folder: Path, method: str, onnx_bundle: Path | None) -> None:
    """Load, and measure whenever a line comes in."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    rows = Rows.of(folder).rows
    calls = _network(folder, rows) if (folder / "model.keras").is_file() else _estimator(folder, rows, method)
    if onnx_bundle is not None:
        calls["onnx"] = _onnx(onnx_bundle, rows)
    for _ in sys.stdin:
        print(json.dumps({name: _median(*call) for name, call in calls.items()}), flush=True)


def _median(call: Callable[[Any], Any], inputs: Sequence[Any]) -> float:
    """The median milliseconds of a call."""
    # The first calls make what the later ones use.
    for value in inputs[:WARM_UP_CALLS]:
        call(value)
    times = []
    end = time.perf_counter() + SECONDS
    for value in itertools.cycle(inputs):
        begun = time.perf_counter()
        call(value)
        done = time.perf_counter()
        times.append(done - begun)
        if done > end:
            break
    return 1000 * statistics.median(times)


def _estimator(folder: Path, rows: list[Any], method: str) -> dict[str, Call]:
    import joblib
    import numpy as np
    import pandas as pd

    call = getattr(joblib.load(folder / "model.joblib"), method)
    inputs = [pd.DataFrame([row]) if isinstance(row, dict) else np.array([row]) for row in rows]
    return {f"native {method}": (call, inputs)}


def _network(folder: Path, rows: list[Any]) -> dict[str, Call]:
    import keras
    import numpy as np
    import tensorflow as tf

    network = keras.models.load_model(folder / "model.keras")
    compiled = tf.function(network, input_signature=[tf.TensorSpec([None, 32, 32, 3], "float32")])
    images = [np.array([row], dtype="float32") for row in rows]

    def predict(image: Any) -> Any:
        return network.predict(image, verbose=0)

    def call(image: Any) -> Any:
        return compiled(tf.constant(image)).numpy()

    predict(images[0])
    return {"native compiled function": (call, images), "native keras predict": (predict, images)}


def _onnx(bundle: Path, rows: list[Any]) -> Call:
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    (file,) = bundle.rglob("*.onnx")
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    wanted = session.get_inputs()[0]
    dtype = "float64" if "double" in wanted.type else "float32"
    inputs = [{wanted.name: np.array([row], dtype=dtype)} for row in rows]
    return (lambda value: session.run(None, value)), inputs


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]) if len(sys.argv) > 3 else None)
