"""Entry script for Azure ML: scores requests with image, a Keras Sequential model.

Made by scorewright VERSION. A server calls init() once at start and run() once a request.

    request  {"data": [[[[0.0, 0.0052, 0.0105], [0.0157, 0.0209, 0.0262], [0.0314, 0.0366, 0.0419], [0.0471 …
    answer   ...

"data" is one row or a list of rows.
{"input_data": {"columns": [...], "data": [...]}} is taken too.
"method" is one of METHODS, predict if it is left out.
A bad request is answered 400 with a message that says where it is wrong.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

try:
    import orjson
except ImportError:  # json does as well, more slowly
    orjson = None  # type: ignore[assignment]

MODEL_PATH = "model/model.keras"
VERSIONS = {...}
METHODS = ("predict",)
DEFAULT_METHOD = "predict"
# Each input: its type and the shape of one row (None: any size).
INPUTS: dict[str, tuple[str, tuple[int | None, ...]]] = {"keras_tensor": ("float32", (8, 8, 3))}
OUTPUTS = ("predict",)
BLOCK = 2  # rows a call is padded to a multiple of: so a row has one answer, to the last digit, in any company
ORJSON_LARGEST = 2.0**63  # from here on it reads a whole number as a fraction
DEEPEST = 32  # numpy's limit on dimensions, and more than any model has

Rows = dict[str, np.ndarray[Any, Any]]  # one array an input, the first dimension the row

logger = logging.getLogger(__name__)
model: Any = None


class BadRequest(ValueError):
    """A request the model cannot take; the message says where it is wrong and why."""


def init() -> None:
    """Load the model and score the sample once: the first call is the slow one, no caller should wait for it."""
    global model
    check_versions()
    path = find_model()
    model = load(path)
    logger.info("%s is loaded from %s", "image", path)
    sample = Path(__file__).with_name("sample_request.json")
    if sample.is_file():
        run(sample.read_text(encoding="utf-8"))
        warm_up(sample.read_text(encoding="utf-8"))


def check_versions() -> None:
    """Refuse to load the model with other library versions than those that made it."""
    if os.environ.get("SCOREWRIGHT_ALLOW_VERSION_SKEW") == "1":
        return
    for package, made_with in VERSIONS.items():
        here = installed_version(package)
        if here != made_with:
            raise RuntimeError(
                f"{package} {made_with} made the model, {here} is installed here: install {package}=={made_with}, "
                "or set SCOREWRIGHT_ALLOW_VERSION_SKEW=1 to go on at your own risk"
            )


def find_model() -> Path:
    """The model under AZUREML_MODEL_DIR, registered as a folder or a single file; without one, beside this script."""
    root = Path(os.environ.get("AZUREML_MODEL_DIR") or Path(__file__).parent)
    candidates = [root / MODEL_PATH, root / Path(MODEL_PATH).name]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    found = sorted(str(path.relative_to(root)) for path in root.rglob("*"))[:50] if root.is_dir() else []
    raise FileNotFoundError(
        f"The model is at none of {', '.join(map(str, candidates))}. {root} holds: {', '.join(found) or 'nothing'}"
    )


def installed_version(package: str) -> str:
    """The version of a library here."""
    return str({"keras": keras, "tensorflow": tf}[package].__version__)


def load(path: Path) -> Any:
    """The model as one compiled function: traced once for any number of rows, never again."""
    use_threads()
    loaded = keras.saving.load_model(path, compile=False)
    shapes = [tf.TensorSpec([None, *shape], dtype) for dtype, shape in INPUTS.values()]

    @tf.function(input_signature=[shapes])
    def predict(tensors: list[Any]) -> Any:
        results = loaded(tensors[0], training=False)
        return dict(zip(OUTPUTS, results if isinstance(results, list | tuple) else [results], strict=True))

    return predict


def use_threads() -> None:
    """Give TensorFlow as many threads as this process has cores for itself, beside the server's other workers."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = max(1, cores // int(os.environ.get("WORKER_COUNT") or 1))
    with suppress(RuntimeError):  # TensorFlow is at work already, as in a notebook, and keeps the threads it has
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)


def warm_up(raw_data: str) -> None:
    """Score a row of the sample in calls of 2, 4, … 64 rows: the first of each size is the slow one."""
    _, rows = parse(raw_data)
    for size in (2, 4, 8, 16, 32, 64):
        begun = time.perf_counter()
        call({name: array[:1].repeat(size, axis=0) for name, array in rows.items()})
        if time.perf_counter() - begun > 0.2:  # a large network: nobody should wait for its warming up
            break


def run(raw_data: str) -> Any:
    """Answer one request: {method: one item a row}, or a 400 that says what is wrong with it."""
    try:
        method, rows = parse(raw_data)
        return {method: answer(call(rows), 0, count(rows))}
    except BadRequest as error:
        return refusal(error)


def run_many(raw_requests: list[str]) -> list[Any]:
    """Answer many requests with one call of the model for all whose rows have the same shape.

    Each request keeps its own answer or its own refusal. scorewright calls this under load; Azure's server does not.
    """
    answers: list[Any] = [None] * len(raw_requests)
    waiting: dict[Any, list[tuple[int, str, Rows]]] = {}
    for position, raw_data in enumerate(raw_requests):
        try:
            method, rows = parse(raw_data)
        except BadRequest as error:
            answers[position] = refusal(error)
        else:
            shape = tuple(array.shape[1:] for array in rows.values())
            waiting.setdefault(shape, []).append((position, method, rows))
    for group in waiting.values():
        try:
            scored = call({name: np.concatenate([rows[name] for _, _, rows in group]) for name in INPUTS})
        except BadRequest:  # the model refuses a row of one of them: each is scored by itself
            for position, _, _ in group:
                answers[position] = run(raw_requests[position])
            continue
        start = 0
        for position, method, rows in group:
            answers[position] = {method: answer(scored, start, start + count(rows))}
            start += count(rows)
    return answers


def refusal(error: BadRequest) -> Any:
    """The answer 400 with the reason, where a server is there to send it; elsewhere the error itself."""
    try:
        from azureml_inference_server_http.api.aml_response import AMLResponse
    except ImportError:
        raise error from None
    return AMLResponse({"message": str(error)}, 400, json_str=True)


def count(rows: Rows) -> int:
    """How many rows there are."""
    return len(next(iter(rows.values())))


def call(rows: Rows) -> Rows:
    """One call of the model: an array an output. Raises BadRequest if the model refuses the values."""
    missing = -count(rows) % BLOCK
    if missing:
        padded = {name: np.concatenate([array, array[-1:].repeat(missing, axis=0)]) for name, array in rows.items()}
        return {name: array[:-missing] for name, array in call(padded).items()}
    try:
        results = model([tf.constant(rows[name], dtype=dtype) for name, (dtype, _) in INPUTS.items()])
    except tf.errors.InvalidArgumentError as error:  # an index outside an embedding, a size that does not fit
        logger.warning("the model refused its input", exc_info=True)
        lines = [line for line in error.message.splitlines() if line.strip() and "[[{{node" not in line]
        raise BadRequest(f"the model refuses the data: {lines[-1].rpartition('}} ')[2][:500]}") from error
    return {name: results[name].numpy() for name in OUTPUTS}


def answer(scored: Rows, start: int, stop: int) -> Any:
    """The answer to the request whose rows are start to stop: one item a row."""
    return plain(scored[OUTPUTS[0]][start:stop])


def plain(array: np.ndarray[Any, Any]) -> list[Any]:
    """An array as JSON carries it: NaN as null, infinities as "Infinity" and "-Infinity", bytes as text."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        named = array.astype(object)
        named[np.isnan(array)] = None
        named[np.isposinf(array)] = "Infinity"
        named[np.isneginf(array)] = "-Infinity"
        array = named
    return list(array.tolist())


def parse(raw_data: str) -> tuple[str, Rows]:
    """The method a request asks for and its rows, checked, an array an input. Raises BadRequest."""
    if orjson is not None:
        try:
            method, rows = understood(raw_data, orjson.loads)
            if all(array.dtype.kind != "f" or np.abs(array).max() < ORJSON_LARGEST for array in rows.values()):
                return method, rows
        except ValueError:
            pass  # json decides, which takes more (NaN, for one) and whose errors say where they are
    return understood(raw_data, json.loads)


def read(raw_data: str, loads: Callable[[str], Any]) -> tuple[str, dict[str, Any]]:
    """The method a request asks for, and the request. Raises BadRequest."""
    if not raw_data.strip():
        raise BadRequest('the request is empty, it must be an object: {"data": ...}')
    try:
        request = loads(raw_data)
    except RecursionError:
        raise BadRequest("the request is nested too deeply") from None
    except ValueError as error:
        raise BadRequest(f"the request is not JSON: {error}") from None
    if not isinstance(request, dict):
        raise BadRequest("the request is " + describe(request) + ', it must be an object: {"data": ...}')
    unknown = [key for key in request if key not in ("data", "input_data", "method")]
    if unknown:
        raise BadRequest(f"the request has {describe(unknown[0])}; it takes data or input_data, and method")
    if ("data" in request) == ("input_data" in request):
        raise BadRequest('the request must have "data" or "input_data", one of them')
    method = request.get("method", DEFAULT_METHOD)
    if method not in METHODS:
        raise BadRequest(f"method is {describe(method)}, the model has {listed(METHODS)}")
    return method, request


def split(data: Any) -> tuple[Any, str, Any]:
    """What "input_data" holds: its data, where that stands, and its columns. Raises BadRequest."""
    if not isinstance(data, dict):
        return data, "input_data", None
    unknown = [key for key in data if key not in ("columns", "index", "data")]
    if unknown or "data" not in data:
        state = f"has {describe(unknown[0])}" if unknown else "has no data"
        raise BadRequest(f"input_data {state}; it takes columns, index and data")
    return data["data"], "input_data.data", data.get("columns")


def understood(raw_data: str, loads: Callable[[str], Any]) -> tuple[str, Rows]:
    """The method a request asks for and its rows, checked, an array an input. Raises BadRequest."""
    method, request = read(raw_data, loads)
    if "data" in request:
        data, where, _ = request["data"], "data", None
    else:
        data, where, _ = split(request["input_data"])
    # One letter is found much faster than a word, in numbers by the thousand.
    if ("u" in raw_data and "true" in raw_data) or ("l" in raw_data and "false" in raw_data):
        refuse_booleans(data, where)
    return method, checked(data, where)


def refuse_booleans(value: Any, where: str) -> None:
    """Raise BadRequest where true or false stands for a number: among numbers, numpy would take it for 1 or 0."""
    waiting = [(value, where)]
    while waiting:
        value, where = waiting.pop()
        if isinstance(value, bool):
            raise BadRequest(f"{where} is {describe(value)}, it must be a number")
        if isinstance(value, list):
            waiting += [(item, f"{where}[{position}]") for position, item in enumerate(value)]
        elif isinstance(value, dict):
            waiting += [(item, f"{where}.{key}") for key, item in value.items()]


def checked(data: Any, where: str) -> Rows:
    """One row or rows as an array an input. Raises BadRequest."""
    name = next(iter(INPUTS))
    if isinstance(data, dict):
        if list(data) != [name]:
            raise BadRequest(f"{where} has {listed(tuple(data))}; the model's one input is {name}")
        data, where = data[name], f"{where}.{name}"
    return {name: tensor(data, name, where)}


def tensor(value: Any, name: str, where: str) -> np.ndarray[Any, Any]:
    """Nested lists as an array of rows for one input; a single row becomes one. Raises BadRequest."""
    dtype, shape = INPUTS[name]
    try:
        array = np.array(value)
    except (ValueError, OverflowError):
        raise BadRequest(ragged(value, where) or f"{where} is nested too deeply") from None
    if array.dtype.kind not in "iuf" or array.size == 0:
        raise BadRequest(odd_value(value, where, dtype) or f"{where} holds a number too large for {dtype}")
    given = " x ".join(map(str, array.shape)) or "that of a single value"
    if array.ndim == len(shape):
        array = array[np.newaxis]
    fits = array.ndim == len(shape) + 1 and all(
        want in (None, have) for want, have in zip(shape, array.shape[1:], strict=True)
    )
    if not fits:
        words = " x ".join("any" if size is None else str(size) for size in shape) or "that of a single value"
        raise BadRequest(f"{where} has the shape {given}; a row has the shape {words}, rows are a list of such")
    if not np.isfinite(array).all():
        raise BadRequest(f"{where} holds null, NaN or an infinity, which the model does not take")
    limits = np.iinfo(dtype) if dtype.startswith(("int", "uint")) else np.finfo(dtype)
    if (array < limits.min).any() or (array > limits.max).any():
        raise BadRequest(f"{where} holds a number that does not fit {dtype} ({limits.min} to {limits.max})")
    if dtype.startswith(("int", "uint")) and (array % 1).any():
        raise BadRequest(f"{where} holds fractions, the model takes whole numbers")
    return array.astype(dtype)


def ragged(value: Any, where: str) -> str:
    """Where nested lists first differ in length."""
    if not isinstance(value, list) or where.count("[") > DEEPEST:
        return ""
    lengths = [len(item) if isinstance(item, list) else None for item in value]
    for position, length in enumerate(lengths):
        if length != lengths[0]:
            have, first = ("no list" if size is None else f"{size} values" for size in (length, lengths[0]))
            return f"{where}[{position}] has {have}, {where}[0] has {first}"
    for position, item in enumerate(value):
        found = ragged(item, f"{where}[{position}]") if isinstance(item, list) else ""
        if found:
            return found
    return ""


def odd_value(value: Any, where: str, dtype: str) -> str:
    """Which value is of the wrong type."""
    if isinstance(value, list):
        if not value or where.count("[") > DEEPEST:
            return f"{where} is {'nested too deeply' if value else 'empty'}"
        for position, item in enumerate(value):
            found = odd_value(item, f"{where}[{position}]", dtype)
            if found:
                return found
        return ""
    words, kind = "a number", int | float
    right = isinstance(value, kind) and (dtype == "bool" or not isinstance(value, bool))
    return "" if right else f"{where} is {describe(value)}, it must be {words}"


def describe(value: Any) -> str:
    """A JSON value in few words, for an error message."""
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:40] + "…")
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int | float):
        return str(value)[:40]
    return "a list" if isinstance(value, list) else "an object"


def listed(values: tuple[Any, ...]) -> str:
    """The first values of many, for an error message."""
    return ", ".join(map(str, values[:20])) + (", …" if len(values) > 20 else "")
