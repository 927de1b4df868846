"""Who serves: Scorewright, azmlinfsrv twice, MLServer, and the bare route."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.errors import ContenderError
from benchmarks.servers import Launch, free_port

if TYPE_CHECKING:
    from benchmarks.bodies import Form
    from benchmarks.cases import Case, Key

ROOT = Path(__file__).parent.parent
SCRIPTS = Path(__file__).parent / "scripts"
JUDGE = ROOT / ".cache/judge/bin"
MLSERVER = ROOT / ".cache/mlserver/bin"
SERVE = ROOT / ".cache/serve/bin/python"
"""An environment with what the image of a plain scikit-learn or ONNX model has: no pandas, no TensorFlow."""

PEER_WORKERS = 2
"""What azmlinfsrv and MLServer are given; Scorewright has a front and one scorer."""

BATCH_SIZE = 128
"""MLServer's max_batch_size: what Scorewright takes at most, too."""

BATCH_SECONDS = 0.001
"""MLServer's max_batch_time, for which it lets every request wait for company: the best of 1, 5 and 20 ms for it."""

TITLES: dict[Key, str] = {
    "scorewright": "Scorewright",
    "scorewright-onnx": "Scorewright, onnx",
    "azmlinfsrv": "azmlinfsrv",
    "azmlinfsrv-generated": "azmlinfsrv with Scorewright's score.py",
    "mlserver": "MLServer, adaptive batching",
    "hello": "bare route (ceiling)",
}


def form(key: Key) -> Form:
    """How the server is asked."""
    return "v2" if key == "mlserver" else "azure"


def onnx_bundle(case: Case, folder: Path) -> Path | None:
    """The case's bundle with the onnx runtime, if it has been made."""
    bundle = folder / "bundle-onnx"
    return bundle if "scorewright-onnx" in case.contenders and bundle.is_dir() else None


def prepare(key: Key, case: Case, folder: Path) -> None:
    """Make what this server serves, from what training left in the folder. Raises ContenderError with the reason."""
    if key == "scorewright" and case.bundled:
        _generate(case, folder, folder / "bundle")
    elif key == "scorewright-onnx":
        _generate(case, folder, folder / "bundle-onnx", "--runtime", "onnx")
    elif key == "azmlinfsrv-generated":
        if not (folder / "bundle").is_dir():
            raise ContenderError("there is no generated score.py")
    elif key == "mlserver":
        _write_mlserver(case, folder)


def launch(key: Key, case: Case, folder: Path) -> Launch:
    """How the server is started, on a free port."""
    port = free_port()
    script = SCRIPTS / case.script
    match key:
        case "scorewright" | "scorewright-onnx":
            served = [str(folder / ("bundle-onnx" if key == "scorewright-onnx" else "bundle"))]
            if not case.bundled:
                served = ["--entry-script", str(script), "--model-dir", str(folder), "--host", "127.0.0.1"]
            words = [str(_python(key, case)), "-m", "scorewright", "serve", *served, "--port", str(port)]
            return Launch(words, port, "/score", "/", folder=folder, environment={"PYTHONPATH": str(ROOT)})
        case "azmlinfsrv" | "azmlinfsrv-generated":
            bundle = folder / "bundle"
            script, model_dir = (script, folder) if key == "azmlinfsrv" else (bundle / "score.py", bundle)
            words = [str(JUDGE / "azmlinfsrv"), "--entry_script", str(script), "--model_dir", str(model_dir)]
            words += ["--port", str(port), "--worker_count", str(PEER_WORKERS)]
            loaded = ("init has completed successfully", PEER_WORKERS)
            quiet = {"TF_CPP_MIN_LOG_LEVEL": "3"}
            return Launch(words, port, "/score", "/", loaded, folder, quiet, without=("PYTHONPATH",))
        case "mlserver":
            name = case.model
            words = [str(MLSERVER / "mlserver"), "start", str(folder / "mlserver" / name)]
            ports = {
                "MLSERVER_HTTP_PORT": str(port),
                "MLSERVER_GRPC_PORT": str(free_port()),
                "MLSERVER_METRICS_PORT": str(free_port()),
            }
            score, ready = f"/v2/models/{name}/infer", f"/v2/models/{name}/ready"
            return Launch(words, port, score, ready, folder=folder, environment=ports, without=("PYTHONPATH",))
        case "hello":
            words = [sys.executable, "-m", "benchmarks.hello", str(port)]
            return Launch(words, port, "/", "/", folder=ROOT, environment={"PYTHONPATH": str(ROOT)})


def _python(key: Key, case: Case) -> Path:
    """The environment that the model's image would have, as near as the tests' own comes to it."""
    plain = case.file.endswith(".joblib") and case.sample.endswith(".npy")
    return SERVE if plain or key == "scorewright-onnx" else Path(sys.executable)


def _generate(case: Case, folder: Path, bundle: Path, *more: str) -> None:
    shutil.rmtree(bundle, ignore_errors=True)
    words = [sys.executable, "-m", "scorewright", "generate", str(folder / case.file)]
    words += ["--sample", str(folder / case.sample), "--name", case.model, "--out", str(bundle), *more]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        told = next((line for line in lines if line.startswith("Error:")), lines[-1] if lines else "no words")
        raise ContenderError(f"`scorewright generate {' '.join(more)}` ended with {done.returncode}: {told}")


def _write_mlserver(case: Case, folder: Path) -> None:
    home = folder / "mlserver" / case.model
    home.mkdir(parents=True, exist_ok=True)
    settings = {"debug": False, "host": "127.0.0.1", "parallel_workers": PEER_WORKERS}
    model = {
        "name": case.model,
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(folder / case.file)},
        "max_batch_size": BATCH_SIZE,
        "max_batch_time": BATCH_SECONDS,
    }
    (home / "settings.json").write_text(json.dumps(settings))
    (home / "model-settings.json").write_text(json.dumps(model))
