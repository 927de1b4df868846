"""Requests that are scored together: each has the answer, byte for byte, that it has alone."""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import scorewright
from tests import keras_models
from tests.service.servers import WAIT_SECONDS, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.service.servers import Server

REQUESTS = 200
AT_ONCE = 64


def forest() -> tuple[Any, Any]:
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = load_breast_cancer(return_X_y=True)
    return make_pipeline(StandardScaler(), RandomForestClassifier(30, random_state=0)).fit(X, y), X


def regression() -> tuple[Any, Any]:
    from sklearn.datasets import load_breast_cancer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = load_breast_cancer(return_X_y=True)
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y), X


def network() -> tuple[Any, Any]:
    from sklearn.datasets import load_breast_cancer
    from sklearn.neural_network import MLPRegressor

    X, y = load_breast_cancer(return_X_y=True)
    return MLPRegressor(hidden_layer_sizes=(20, 10), max_iter=2000, random_state=0).fit(
        X / X.max(axis=0), y
    ), X / X.max(axis=0)


def frame() -> tuple[Any, Any]:
    import numpy as np
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    draw = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "age": draw.normal(40, 9, 300),
            "income": draw.normal(3e4, 9e3, 300),
            "city": draw.choice(["a", "b", "c"], 300),
        }
    )
    prepare = make_column_transformer((StandardScaler(), ["age", "income"]), (OneHotEncoder(), ["city"]))
    return make_pipeline(prepare, LogisticRegression()).fit(X, draw.integers(0, 3, 300)), X


def keras_table() -> tuple[Any, Any]:
    import numpy as np

    return keras_models.tabular(), np.random.default_rng(0).normal(size=(100, 4))


def keras_image() -> tuple[Any, Any]:
    import numpy as np

    return keras_models.image(), np.random.default_rng(0).random((20, 32, 32, 3)).astype("float32")


@pytest.fixture(
    scope="module",
    params=[
        forest,
        regression,
        network,
        frame,
        pytest.param(keras_table, marks=pytest.mark.keras),
        pytest.param(keras_image, marks=pytest.mark.keras),
    ],
)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, list[Any], list[str]]]:
    """A server of a bundle, the rows of its sample, and its methods."""
    make: Callable[[], tuple[Any, Any]] = request.param
    model, X = make()
    folder: Path = tmp_path_factory.mktemp(make.__name__)
    bundle = scorewright.generate(model, X[:20], name="m", out=folder / "b")
    rows = X.to_dict("records") if hasattr(X, "to_dict") else X.tolist()
    with serving(cwd=folder) as serve:
        yield serve(str(bundle.root)).ready(), rows, list(bundle.manifest.signature.methods)


def asked(rows: list[Any], methods: list[str], draw: random.Random) -> bytes:
    """One request: some rows, some method, in some form; one in twelve is bad."""
    chosen = draw.choices(rows, k=draw.choice([1, 1, 1, 1, 2, 3, 5, 17, 40]))
    if draw.random() < 1 / 12:
        return draw.choice([b"", b"{", b'{"data": [[1, 2], "x"]}', b'{"data": []}', b"\xff"])
    content: dict[str, Any] = {"method": draw.choice(methods)} if draw.random() < 0.7 else {}
    if draw.random() < 0.3 and not isinstance(chosen[0], dict) and not isinstance(chosen[0][0], list):
        content["input_data"] = {"columns": list(range(len(chosen[0]))), "data": chosen}
    else:
        content["data"] = chosen[0] if len(chosen) == 1 and draw.random() < 0.5 else chosen
    return json.dumps(content).encode()


def test_each_has_the_answer_it_has_alone(
    served: tuple[Server, list[Any], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    server, rows, methods = served
    draw = random.Random(1)  # noqa: S311
    bodies = [asked(rows, methods, draw) for _ in range(REQUESTS)]
    with httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) as client:
        alone = [client.post("/score", content=body) for body in bodies]
    together = asyncio.run(_together(server.url, bodies))
    assert [(one.status_code, one.content) for one in together] == [(one.status_code, one.content) for one in alone]
    assert {one.status_code for one in alone} == {200, 400}
    # Those of one run_many() tell one time.
    times = [one.headers["x-ms-run-fn-exec-ms"] for one in together if one.status_code == 200]
    assert len(set(times)) < len(times) * 0.8
    with capsys.disabled():
        print(f" {len(bodies)} requests, {len(times)} scored in {len(set(times))} calls", end="")  # noqa: T201


async def _together(url: str, bodies: list[bytes]) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with httpx.AsyncClient(base_url=url, timeout=WAIT_SECONDS, limits=limits) as client:
        return await asyncio.gather(*(client.post("/score", content=body) for body in bodies))
