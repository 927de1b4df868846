"""One model put to the test: generated, checked, and its script's answers compared with the model's own."""

from __future__ import annotations

import json
import math
import warnings
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pandas as pd

from scorewright.score.check import check
from scorewright.score.generator import generate
from tests.score.estimators import CASES, Case, fit
from tests.score.scripts import ask, ask_many, loaded, rows_of

if TYPE_CHECKING:
    from pathlib import Path

BAD = ["not JSON", '{"data": []}', '{"data": {}}', '{"data": [[]]}', '{"data": 1, "method": "fit"}']


def strict() -> None:
    """Make warnings errors, as they are in pytest's own process."""
    warnings.simplefilter("error")


def put_to_the_test(name: str, folder: Path) -> None:
    """Raise AssertionError unless the model's bundle is what it should be and answers as the model does."""
    # joblib's own worker processes, which n_jobs=2 would start, outlive the pool's by minutes.
    with joblib.parallel_config("threading"):
        _put_to_the_test(CASES[name], folder)


def _put_to_the_test(case: Case, folder: Path) -> None:
    model, X = fit(case)
    bundle = generate(_saved(model, case, folder), _sample(X, case, folder), out=folder / "bundle")
    signature = bundle.manifest.signature
    assert signature.layout == case.layout
    assert signature.default_method == (case.methods or (signature.default_method,))[0]
    assert set(case.methods) <= set(signature.methods)
    assert all(any(note.startswith(method) for note in bundle.manifest.notes) for method in case.left_out)
    assert set(case.left_out).isdisjoint(signature.methods)
    assert bundle.manifest.sample.source == ("given" if case.sample else "made")
    assert [step.name for step in check(bundle.root)] == ["hashes", "versions", "init", "run", "run_many", "batch"]
    rows = rows_of(X)
    with loaded(bundle) as script:
        for method in signature.methods:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                expected = direct(getattr(model, method)(X))
            status, body = ask(script, {"data": rows, "method": method})
            assert status == 200, body
            require_equal(body, {method: expected}, case.absolute)
            mixed: list[Any] = []
            for place, (row, one) in enumerate(zip(rows, expected, strict=True)):
                request = {"data": [row], "method": method}
                require_equal(ask(script, request), (200, {method: [one]}), case.absolute)
                mixed += [request, BAD[place % len(BAD)]]
            answers = ask_many(script, mixed)
            assert [status for status, _ in answers] == [200, 400] * len(rows)
            require_equal([body for _, body in answers[::2]], [{method: [one]} for one in expected], case.absolute)


def _saved(model: Any, case: Case, folder: Path) -> Any:
    if not case.save:
        return model
    path = folder / f"model{case.save}"
    joblib.dump(model, path)
    return path


def _sample(X: Any, case: Case, folder: Path) -> Any:
    if case.sample in ("", "object"):
        return X if case.sample else None
    if case.sample == "list":
        return X.tolist()
    path = folder / f"sample.{case.sample}"
    frame = X if isinstance(X, pd.DataFrame) else pd.DataFrame(X)
    match case.sample:
        case "csv":
            frame.to_csv(path, index=False)
        case "parquet":
            frame.to_parquet(path)
        case "npy":
            np.save(path, X)
        case "npz":
            np.savez(path, X)
        case "json":
            path.write_text(json.dumps({"data": rows_of(X)}))
    return path


def direct(result: Any) -> list[Any]:
    """The model's own answer as JSON would carry it, written apart from the code under test."""
    if isinstance(result, list):
        return [list(row) for row in zip(*map(direct, result), strict=True)]
    array = np.asarray(result.toarray() if hasattr(result, "toarray") else result)
    if array.dtype.kind == "M":
        return [str(moment) for moment in np.datetime_as_string(array, unit="s")]
    return [_value(item) for item in array.tolist()]


def _value(value: Any) -> Any:
    if isinstance(value, list):
        return [_value(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else {math.inf: "Infinity", -math.inf: "-Infinity"}[value]
    return value


def require_equal(found: Any, expected: Any, absolute: float, where: str = "$") -> None:
    """Labels equal, numbers within 1e-9 relative: a row alone may be summed in another order than among others."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for key in expected:
            require_equal(found[key], expected[key], absolute, f"{where}.{key}")
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected), f"{where}: {found}, not {expected}"
        for place, (one, other) in enumerate(zip(found, expected, strict=True)):
            require_equal(one, other, absolute, f"{where}[{place}]")
    elif isinstance(expected, float) and isinstance(found, float):
        close = math.isclose(found, expected, rel_tol=1e-9, abs_tol=absolute)
        assert close, f"{where}: {found}, not {expected}"
    else:
        assert (type(found), found) == (type(expected), expected), f"{where}: {found!r}, not {expected!r}"
