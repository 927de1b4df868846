"""`python -m benchmarks.batch`: batch scoring beside a plain loop, and beside posting the same rows one by one.

Writes batch.json and batch.md. Rows are made at random between those that the model was fitted on; the answers of both
are compared. A whole process is timed each time, from its start to its end.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import memory
from benchmarks.contenders import ROOT
from benchmarks.machine import machine, own_versions

if TYPE_CHECKING:
    from collections.abc import Iterator

WORK = ROOT / ".cache/bench/batch"
WORKERS = 2
POST_SECONDS = 10.0
CHUNK = 500_000


@dataclass
class Measured:
    """One input: seconds of each round, and each worker's memory in bytes."""

    name: str
    items: int
    ours: list[float] = field(default_factory=list)
    loop: list[float] = field(default_factory=list)
    posted_a_second: float = 0.0
    worker_peak: int = 0
    worker_idle: int = 0

    @property
    def ratio(self) -> float:
        """How many times as fast as the loop: the median over the rounds."""
        return statistics.median(loop / ours for loop, ours in zip(self.loop, self.ours, strict=True))

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the largest of these."""
        ratios = [loop / ours for loop, ours in zip(self.loop, self.ours, strict=True)]
        return min(ratios), max(ratios)

    @property
    def posting_ratio(self) -> float:
        """How many times as many items a second as when each is posted by itself."""
        return self.items / statistics.median(self.ours) / self.posted_a_second


def main(arguments: list[str]) -> int:
    """Run the benchmark; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks"))
    told = parser.parse_args(arguments)
    results: list[Measured] = []
    if told.rows:
        bundle, model = _forest()
        for suffix in (".parquet", ".csv"):
            source = _rows(told.rows, suffix)
            results.append(_measured(suffix[1:], told.rows, bundle, model, source, told.rounds))
    if told.images:
        bundle, model = _network()
        results.append(_measured("images, npy", told.images, bundle, model, _images(told.images), told.rounds))
    told.out.mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = {
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": shlex.join(["python", "-m", "benchmarks.batch", *arguments]),
        "machine": machine().model_dump(),
        "versions": own_versions(),
        "results": [asdict(result) for result in results],
    }
    (told.out / "batch.json").write_text(json.dumps(content, indent=2) + "\n")
    (told.out / "batch.md").write_text(_table(results))
    return 0


def _measured(name: str, items: int, bundle: Path, model: Path, source: Path, rounds: int) -> Measured:
    result = Measured(name, items)
    output, other = WORK / "out", WORK / "loop.parquet"
    for number in range(rounds):
        shutil.rmtree(output, ignore_errors=True)
        seconds, peak = _run(_command(bundle, source, output))
        result.ours.append(seconds)
        result.worker_peak = max(result.worker_peak, peak)
        seconds, _ = _run([sys.executable, "-m", "benchmarks.plain_loop", str(model), str(source), str(other)])
        result.loop.append(seconds)
        _compare(output / "predictions.parquet", other)
        print(f"{name}, round {number + 1}: {result.ours[-1]:.1f} s, the loop {result.loop[-1]:.1f} s", flush=True)
    result.worker_idle = _idle(bundle)
    result.posted_a_second = _posted(bundle)
    print(f"{name}: {result.ratio:.2f} times the loop, {result.posting_ratio:.0f} times posting", flush=True)
    return result


def _command(bundle: Path, source: Path, output: Path) -> list[str]:
    words = [sys.executable, "-m", "scorewright", "batch", "run", str(bundle), "--input", str(source)]
    return [*words, "--output", str(output), "--max-concurrency", str(WORKERS), "--timeout", "120"]


def _run(command: list[str]) -> tuple[float, int]:
    """Its seconds, and the largest memory in bytes that one process with the script had."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    with _watched(process.pid) as peaks:
        code = process.wait()
    if code:
        raise SystemExit(f"{shlex.join(command)} ended with {code}")
    return time.perf_counter() - started, max(peaks.values(), default=0)


@contextmanager
def _watched(root: int) -> Iterator[dict[int, int]]:
    peaks: dict[int, int] = {}
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.2):
            for pid in memory.tree(root):
                try:
                    words = Path(f"/proc/{pid}/cmdline").read_bytes()
                    status = Path(f"/proc/{pid}/status").read_text()
                except OSError:
                    continue
                found = re.search(r"VmHWM:\s+(\d+) kB", status)
                if b"script_process" in words and found:
                    peaks[pid] = 1024 * int(found[1])

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peaks
    finally:
        ended.set()
        thread.join()


def _idle(bundle: Path) -> int:
    """The same of a job with the bundle's sample: what the libraries and the model take."""
    import pandas as pd

    source, output = WORK / "few", WORK / "few-out"
    for folder in (source, output):
        shutil.rmtree(folder, ignore_errors=True)
    source.mkdir()
    request = json.loads((bundle / "sample_request.json").read_text())
    manifest = json.loads((bundle / "bundle.json").read_text())
    if manifest["framework"] == "keras":
        np.save(source / "few.npy", np.array(request["data"], dtype="float32"))
    else:
        pd.DataFrame(request["data"], columns=manifest["signature"]["features"]).to_csv(source / "few.csv", index=False)
    return _run(_command(bundle, source, output))[1]


def _posted(bundle: Path) -> float:
    """Rows a second, each posted by itself over one connection, once the one before is answered."""
    port = 5317
    words = [sys.executable, "-m", "scorewright", "serve", str(bundle), "--port", str(port)]
    service = subprocess.Popen(words, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        connection = _connected(port)
        request = json.loads((bundle / "sample_request.json").read_text())
        bodies = [json.dumps({"data": [row]}) for row in request["data"]]
        count, until = 0, time.perf_counter() + POST_SECONDS
        while time.perf_counter() < until:
            connection.request("POST", "/score", bodies[count % len(bodies)], {"content-type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise SystemExit(f"/score answered {answer.status}")
            count += 1
        return count / POST_SECONDS
    finally:
        service.terminate()
        service.wait()


def _connected(port: int) -> http.client.HTTPConnection:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                return connection
        except OSError:
            pass
        connection.close()
        time.sleep(0.1)
    raise SystemExit("the service does not start")


def _compare(ours: Path, loop: Path) -> None:
    """Both answer the same, but for what single precision and the order of sums make of it."""
    import pandas as pd

    found, wanted = pd.read_parquet(ours), pd.read_parquet(loop)
    answers = found.drop(columns=["file", "row", "error"])
    if len(found) != len(wanted) or not np.allclose(answers.to_numpy(), wanted.to_numpy(), atol=1e-5):
        raise SystemExit(f"{ours} and {loop} have different answers")


def _forest() -> tuple[Path, Path]:
    import joblib
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    WORK.mkdir(parents=True, exist_ok=True)
    cancer = load_breast_cancer(as_frame=True)
    model = make_pipeline(StandardScaler(), RandomForestClassifier(n_estimators=100, random_state=0))
    path = WORK / "forest.joblib"
    joblib.dump(model.fit(cancer.data, cancer.target), path)
    cancer.data.head(50).to_csv(WORK / "forest.csv", index=False)
    return _generated(path, WORK / "forest.csv"), path


def _network() -> tuple[Path, Path]:
    import keras

    WORK.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((32, 32, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    path = WORK / "network.keras"
    model.save(path)
    np.save(WORK / "network.npy", np.random.default_rng(1).integers(0, 256, (20, 32, 32, 3)).astype("float32"))
    return _generated(path, WORK / "network.npy"), path


def _generated(model: Path, sample: Path) -> Path:
    bundle = WORK / model.stem
    words = ["generate", str(model), "--sample", str(sample), "--out", str(bundle), "--force"]
    subprocess.run([sys.executable, "-m", "scorewright", *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return bundle


def _rows(count: int, suffix: str) -> Path:
    """A folder with one file of rows between pairs of the fitted ones, with all their digits."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq
    from sklearn.datasets import load_breast_cancer

    folder = WORK / f"{count}{suffix}"
    path = folder / f"rows{suffix}"
    if path.exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    cancer = load_breast_cancer(as_frame=True).data
    random = np.random.default_rng(0)
    schema = pa.schema([(name, pa.float64()) for name in cancer.columns])
    part = folder / ".part"
    make = pq.ParquetWriter if suffix == ".parquet" else pyarrow.csv.CSVWriter
    with make(part, schema) as writer:
        for start in range(0, count, CHUNK):
            size = min(CHUNK, count - start)
            pairs = cancer.to_numpy()[random.integers(0, len(cancer), (2, size))]
            rows = pairs[0] + random.random((size, 1)) * (pairs[1] - pairs[0])
            writer.write_table(pa.Table.from_arrays(list(map(pa.array, rows.T)), schema=schema))
    part.rename(path)
    return folder


def _images(count: int) -> Path:
    folder = WORK / f"{count}.npy"
    if not (folder / "images.npy").exists():
        folder.mkdir(parents=True, exist_ok=True)
        images = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype="uint8")
        np.save(folder / "images.npy", images.astype("float32"))
    return folder


def _table(results: list[Measured]) -> str:
    lines = [
        "| Input | Items a second | Beside a loop | Beside posting one by one | A worker's memory: few items, these |",
        "|---|---|---|---|---|",
    ]
    for result in results:
        low, high = result.spread
        rate = result.items / statistics.median(result.ours)
        memory_words = f"{result.worker_idle / 1e6:.0f} MB, {result.worker_peak / 1e6:.0f} MB"
        lines.append(
            f"| {result.items:,} from {result.name} | {rate:,.0f} | {result.ratio:.2f}x ({low:.2f}–{high:.2f}) "
            f"| {result.posting_ratio:.0f}x | {memory_words} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
