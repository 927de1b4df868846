"""Entry script for Azure ML: scores requests with columns_onnx, a Pipeline(ColumnTransformer, LogisticRegression)
converted to ONNX.

Made by scorewright VERSION. A server calls init() once at start and run() once a request.

    request  {"data": [{"age": 31, "income": 1000.0, "city": "Bonn", "member": true}, {"age": 45, "income": …
    answer   ...

"data" is one row or a list of rows, each a list of values or an object by feature name.
{"input_data": {"columns": [...], "data": [...]}} is taken too.
"method" is one of METHODS, predict_proba if it is left out.
A bad request is answered 400 with a message that says where it is wrong.
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument, RuntimeException

try:
    import orjson
except ImportError:  # json does as well, more slowly
    orjson = None  # type: ignore[assignment]

MODEL_PATH = "model/model.onnx"
VERSIONS = {...}
METHODS = ("predict", "predict_proba")
DEFAULT_METHOD = "predict_proba"
# Each column: what its values are, whether null is taken, and the only values the model knows (None: any).
COLUMNS: dict[str, tuple[str, bool, tuple[Any, ...] | None]] = {
    "age": ("float64", True, None),
    "income": ("float64", True, None),
    "city": ("string", True, None),
    "member": ("bool", False, None),
}
FEATURES = tuple(COLUMNS)
WIDTH = len(COLUMNS)
KINDS: dict[str, Any] = {"float64": int | float, "bool": bool, "string": str}
WORDS = {
    "float64": "a number",
    "bool": "true or false",
    "string": "a text",
}
# What the converted model takes each column as.
TYPES = {
    "age": "float64",
    "income": "float64",
    "city": "object",
    "member": "bool",
}
GAP = "\ue000"  # a missing text, for which ONNX has nothing: a character that Unicode gives to nobody
BLOCK = 16  # rows a call is padded to a multiple of: so a row has one answer, to the last digit, in any company

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
    logger.info("%s is loaded from %s", "columns_onnx", path)
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
    return str({"onnxruntime": ort}[package].__version__)


def load(path: Path) -> Any:
    """The converted model, ready to answer."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # a few rows are scored sooner than threads are woken
    options.log_severity_level = 4  # what it refuses is logged here
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


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
    waiting: dict[str, list[tuple[int, list[list[Any]]]]] = {}
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


def call(method: str, rows: list[list[Any]]) -> list[Any]:
    """One call of the model, as plain lists: one item a row. Raises BadRequest if the model refuses the values."""
    return plain(results(method, table(by_column(padded(rows))))[: len(rows)])


def results(method: str, inputs: dict[str, np.ndarray[Any, Any]]) -> Any:
    """What a method of the model answers: an array. Raises BadRequest if the model refuses the values."""
    return answered([f"answer.{method}"], inputs)[0]


def answered(names: list[str], inputs: dict[str, np.ndarray[Any, Any]]) -> list[Any]:
    """These outputs of the model, one array each. Raises BadRequest if it refuses the values."""
    try:
        return list(model.run(names, inputs))
    except (InvalidArgument, RuntimeException) as error:  # an index that is out of range, a size that does not fit
        logger.warning("the model refused its input", exc_info=True)
        words = str(error).rpartition("Status Message: ")[2]
        raise BadRequest(f"the model refuses the data: {' '.join(words.split())[:500]}") from error


def padded(rows: list[list[Any]]) -> list[list[Any]]:
    """The rows, the last one repeated up to a multiple of BLOCK."""
    missing = -len(rows) % BLOCK
    return rows + rows[-1:] * missing


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


def parse(raw_data: str) -> tuple[str, list[list[Any]]]:
    """The method a request asks for and its rows, checked, in the model's order. Raises BadRequest."""
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


def understood(raw_data: str, loads: Callable[[str], Any]) -> tuple[str, list[list[Any]]]:
    """The method a request asks for and its rows, checked, in the model's order. Raises BadRequest."""
    method, request = read(raw_data, loads)
    if "data" in request:
        return method, checked(request["data"], "data", None)
    return method, checked(*split(request["input_data"]))


def checked(data: Any, where: str, columns: Any) -> list[list[Any]]:
    """One row, rows or records as rows of values that the model takes. Raises BadRequest."""
    rows: list[Any]
    if isinstance(data, dict) or (isinstance(data, list) and data and not isinstance(data[0], list | dict)):
        rows, places = [data], [where]
    elif isinstance(data, list) and data:
        rows, places = data, [f"{where}[{position}]" for position in range(len(data))]
    else:
        state = "empty" if isinstance(data, list) else describe(data)
        raise BadRequest(f"{where} is {state}, it must be a row or a list of rows")
    order = None if columns is None else order_of(columns)
    for position, row in enumerate(rows):
        if isinstance(row, dict):
            rows[position] = row = by_name(row, places[position])
        elif not isinstance(row, list):
            raise BadRequest(f"{places[position]} is {describe(row)}, it must be a row of {WIDTH} values")
        elif len(row) != WIDTH:
            raise BadRequest(f"{places[position]} has {len(row)} values, the model takes {WIDTH} ({listed(FEATURES)})")
        elif order is not None:
            rows[position] = row = [row[source] for source in order]
        for place, value in enumerate(row):
            try:
                row[place] = taken(value, FEATURES[place])
            except BadRequest as error:
                at = f"{places[position]}[{place}] ({FEATURES[place]})"
                raise BadRequest(f"{at} {error}") from None
    return rows


def order_of(columns: Any) -> list[int] | None:
    """Where each of the model's features stands in a row; None if the rows need no reordering."""
    if not isinstance(columns, list) or len(columns) != WIDTH:
        count = f"has {len(columns)} names" if isinstance(columns, list) else f"is {describe(columns)}"
        raise BadRequest(f"input_data.columns {count}, the model takes {WIDTH} ({listed(FEATURES)})")
    places = {name: place for place, name in enumerate(columns) if isinstance(name, str)}
    for name in FEATURES:
        if name not in places:
            raise BadRequest(f"input_data.columns has no {name!r}; the model takes {listed(FEATURES)}")
    return [places[name] for name in FEATURES]


def by_name(record: dict[str, Any], where: str) -> list[Any]:
    """A record's values in the model's order. Raises BadRequest if a name is missing or unknown."""
    try:
        row = [record[name] for name in FEATURES]
    except KeyError as error:
        raise BadRequest(f"{where} has no {error.args[0]!r}; the model takes {listed(FEATURES)}") from None
    if len(record) > WIDTH:
        unknown = next(name for name in record if name not in FEATURES)
        raise BadRequest(f"{where} has {describe(unknown)}, which the model does not know; it takes {listed(FEATURES)}")
    return row


def taken(value: Any, name: str) -> Any:
    """A value as its column takes it. Raises BadRequest, which is to be told where the value stands."""
    dtype, missing, known = COLUMNS[name]
    if value is None or (isinstance(value, float) and math.isnan(value)):
        if not missing:
            raise BadRequest(f"is {'null' if value is None else 'NaN'}, the model takes no missing values there")
        return math.nan
    if not isinstance(value, KINDS[dtype]) or (isinstance(value, bool) and dtype not in ("bool", "category")):
        raise BadRequest(f"is {describe(value)}, it must be {WORDS[dtype]}")
    if isinstance(value, str) and not is_text(value):
        raise BadRequest(f"is {describe(value)}, it must be {WORDS[dtype]}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        largest = 2**63 - 1 if dtype == "int64" else 1.7976931348623157e308
        if not abs(value) <= largest:
            raise BadRequest(f"is {describe(value)}, which is larger than the model takes")
        if dtype == "int64":
            if value != int(value):
                raise BadRequest(f"is {describe(value)}, it must be {WORDS[dtype]}")
            value = int(value)
    return value


def by_column(rows: list[list[Any]]) -> list[Any]:
    """The values of each column, in the model's order."""
    return [list(values) for values in zip(*rows, strict=True)]


def table(columns: list[Any]) -> dict[str, np.ndarray[Any, Any]]:
    """The columns as the model takes them: an array each."""
    return {f"input.{name}": column(TYPES[name], values) for name, values in zip(FEATURES, columns, strict=True)}


def column(dtype: str, values: Any) -> np.ndarray[Any, Any]:
    """One column in the type the model was converted for."""
    if dtype == "object":
        values = [GAP if value != value else value for value in values]
    return np.array(values, dtype=dtype).reshape(-1, 1)


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
