"""Entry script for Azure ML: scores requests with text, a Pipeline(TfidfVectorizer, LogisticRegression).

Made by scorewright VERSION. A server calls init() once at start and run() once a request.

    request  {"data": ["good", "very good", "bad"]}
    answer   ...

"data" is a text or a list of texts.
"method" is one of METHODS, predict_proba if it is left out.
A bad request is answered 400 with a message that says where it is wrong.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

try:
    import orjson
except ImportError:  # json does as well, more slowly
    orjson = None  # type: ignore[assignment]

MODEL_PATH = "model/model.joblib"
VERSIONS = {...}
METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function")
DEFAULT_METHOD = "predict_proba"

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
    logger.info("%s is loaded from %s", "text", path)
    sample = Path(__file__).with_name("sample_request.json")
    if sample.is_file():
        run(sample.read_text(encoding="utf-8"))


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
    return version(package)


def load(path: Path) -> Any:
    """The fitted model."""
    loaded = joblib.load(path)
    threadpool_limits(1)  # a few rows are scored sooner than threads agree, above all when others need the processor
    return loaded


def run(raw_data: str) -> Any:
    """Answer one request: {method: one item a row}, or a 400 that says what is wrong with it."""
    try:
        method, rows = parse(raw_data)
        return {method: call(method, rows)}
    except BadRequest as error:
        return refusal(error)


def run_many(raw_requests: list[str]) -> list[Any]:
    """Answer many requests with one call of the model for each method they ask for.

    Each request keeps its own answer or its own refusal. scorewright calls this under load; Azure's server does not.
    """
    answers: list[Any] = [None] * len(raw_requests)
    waiting: dict[str, list[tuple[int, list[str]]]] = {}
    for position, raw_data in enumerate(raw_requests):
        try:
            method, rows = parse(raw_data)
        except BadRequest as error:
            answers[position] = refusal(error)
        else:
            waiting.setdefault(method, []).append((position, rows))
    for method, group in waiting.items():
        try:
            scored = call(method, [row for _, rows in group for row in rows])
        except BadRequest:  # the model refuses a row of one of them: each is scored by itself
            for position, _ in group:
                answers[position] = run(raw_requests[position])
            continue
        start = 0
        for position, rows in group:
            answers[position] = {method: scored[start : start + len(rows)]}
            start += len(rows)
    return answers


def refusal(error: BadRequest) -> Any:
    """The answer 400 with the reason, where a server is there to send it; elsewhere the error itself."""
    try:
        from azureml_inference_server_http.api.aml_response import AMLResponse
    except ImportError:
        raise error from None
    return AMLResponse({"message": str(error)}, 400, json_str=True)


def call(method: str, rows: list[str]) -> list[Any]:
    """One call of the model, as plain lists: one item a row. Raises BadRequest if the model refuses the values."""
    return plain(results(method, table(rows)))


def results(method: str, X: Any) -> Any:
    """What a method of the model answers: an array. Raises BadRequest if the model refuses the values."""
    try:
        return getattr(model, method)(X)
    except ValueError as error:
        logger.warning("%s refused its input", method, exc_info=True)
        raise BadRequest(f"the model refuses the data: {' '.join(str(error).split())[:500]}") from error


def plain(result: Any) -> list[Any]:
    """An array as JSON carries it: NaN as null, infinities as "Infinity" and "-Infinity"."""
    array = np.asarray(result)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        named = array.astype(object)
        named[np.isnan(array)] = None
        named[np.isposinf(array)] = "Infinity"
        named[np.isneginf(array)] = "-Infinity"
        array = named
    return list(array.tolist())


def parse(raw_data: str) -> tuple[str, list[str]]:
    """The method a request asks for and its rows, checked. Raises BadRequest."""
    if orjson is not None:
        try:
            return understood(raw_data, orjson.loads)
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


def understood(raw_data: str, loads: Callable[[str], Any]) -> tuple[str, list[str]]:
    """The method a request asks for and its texts. Raises BadRequest."""
    method, request = read(raw_data, loads)
    data, where = request.get("data"), "data"
    if "input_data" in request:
        data, where, _ = split(request["input_data"])
        if isinstance(data, list):  # rows of the one column
            data = [row[0] if isinstance(row, list) and len(row) == 1 else row for row in data]
    return method, checked(data, where)


def checked(data: Any, where: str) -> list[str]:
    """One text or several as a list of texts. Raises BadRequest."""
    texts = [data] if isinstance(data, str) else data
    if not isinstance(texts, list) or not texts:
        state = "empty" if isinstance(texts, list) else describe(data)
        raise BadRequest(f"{where} is {state}, it must be a text or a list of texts")
    for position, text in enumerate(texts):
        if not isinstance(text, str) or not is_text(text):
            at = where if isinstance(data, str) else f"{where}[{position}]"
            raise BadRequest(f"{at} is {describe(text)}, it must be a text")
    return texts


def table(texts: list[str]) -> list[str]:
    """The texts as the model takes them: as they are."""
    return texts


def is_text(value: str) -> bool:
    """Whether a text can be written in UTF-8: JSON's "\\ud800" is half a character."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


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
