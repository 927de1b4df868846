"""/swagger.json under azmlinfsrv and under ours: the same scripts, the same documents but for their descriptions."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.contract.judge import judging, require_judge
from tests.service.servers import serving

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.judge

HEADERS = ("content-type", "x-ms-run-function-failed")
QUERIES = [
    *("", "version=2", "version=2.0", "version=3", "version=3.0", "version=3.1"),
    *("version=4", "version=x", "version=", "version=%C3%A9", "version=3&version=2", "versions=3", "version=+2"),
]

IMPORTS = """
import datetime

import numpy as np
import pandas as pd
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType as Numpy
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType as Pandas
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType as Standard
from inference_schema.schema_decorators import input_schema, output_schema

"""
INIT = """

def init():
    pass
"""
SCRIPTS = {
    "numpy": """
        @input_schema("data", Numpy(np.array([[1.5, 2.0], [3.0, 4.0]])))
        @input_schema("mask", Numpy(np.array([[True]])))
        @input_schema("table", Numpy(np.array([(1, "a")], dtype=[("x", "int16"), ("y", "U4")])))
        @output_schema(Numpy(np.array(["2020-01-01"], dtype="datetime64[s]")))
        def run(data, mask, table):
            return data
        """,
    "pandas": """
        FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": pd.to_datetime(["2020-01-01", "2021-01-01"])})

        @input_schema("records", Pandas(FRAME))
        @input_schema("split", Pandas(FRAME, orient="split"))
        @input_schema("index", Pandas(FRAME, orient="index"))
        @input_schema("columns", Pandas(FRAME, orient="columns"))
        @output_schema(Pandas(FRAME, orient="table"))
        def run(records, split, index, columns):
            return records
        """,
    "standard": """
        @input_schema("number", Standard(3))
        @input_schema("share", Standard(0.5))
        @input_schema("text", Standard("ü"))
        @input_schema("flag", Standard(True))
        @input_schema("bytes", Standard(b"abc"))
        @input_schema("day", Standard(datetime.date(2026, 11, 5)))
        @input_schema("moment", Standard(datetime.datetime(2026, 11, 5, 12, 0)))
        @input_schema("time", Standard(datetime.time(12, 0)))
        @output_schema(Standard([1.5]))
        def run(number, share, text, flag, bytes, day, moment, time):
            return [share]
        """,
    "nested": """
        @input_schema("inputs", Standard({"rows": Numpy(np.array([[1, 2]])), "more": {"list": [["a"], []], 1: None}}))
        @input_schema("parameters", Standard({"temperature": 0.5}))
        @output_schema(Standard({"answers": Pandas(pd.DataFrame({"a": [1]}))}))
        def run(inputs, parameters):
            return inputs
        """,
    "mixed": """
        @input_schema("data", Standard([1, "a", [True]]))
        def run(data):
            return data
        """,
    "mixed output": """
        @input_schema("data", Standard([1]))
        @output_schema(Standard({"answers": [1, "a"]}))
        def run(data):
            return data
        """,
    "output alone": """
        @output_schema(Standard({"answer": 1}))
        def run(raw_data):
            return raw_data
        """,
    "input alone": """
        @input_schema("data", Standard([1]))
        def run(data):
            return data
        """,
    "optional": """
        @input_schema("data", Standard([1]))
        @input_schema("method", Standard("mean"), optional=True)
        def run(data, method="mean", undescribed=None, request_headers=None):
            return data
        """,
    "imported": """
        def run(raw_data):
            return raw_data
        """,
}
UNDECORATED = """
def run(raw_data):
    return raw_data
"""
RAW = """
from azureml_inference_server_http.api.aml_request import rawhttp


@rawhttp
def run(request):
    return "raw"
"""
WRITES = """
import json
import os


def init():
    with open(os.path.join(os.environ["AML_APP_ROOT"], "swagger2.json"), "w") as file:
        json.dump({"swagger": "2.0", "written": "by init()"}, file)


def run(raw_data):
    return raw_data
"""


def described_alike(folder: Path, script: str, files: dict[str, str]) -> dict[str, Any]:
    """Serve a script by both, ask for everything; assert equal answers. What each query was answered."""
    (folder / "score.py").write_text(script)
    for name, text in files.items():
        (folder / name).write_text(text)
    answers = {}
    with judging(folder, folder / "azmlinfsrv.log") as judge, serving() as serve:
        ours = serve("--entry-script", str(folder / "score.py"), AML_APP_ROOT=str(folder)).ready().url
        for query in QUERIES:
            theirs, own = (httpx.get(f"{url}/swagger.json?{query}", timeout=30) for url in (judge, ours))
            assert own.status_code == theirs.status_code, query
            assert [own.headers.get(name) for name in HEADERS] == [theirs.headers.get(name) for name in HEADERS]
            assert without_descriptions(own.json()) == without_descriptions(theirs.json()), query
            answers[query] = own.json()
        assert [httpx.head(f"{url}/swagger.json").status_code for url in (judge, ours)] in ([200, 200], [404, 404])
    return answers


def without_descriptions(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_descriptions(item) for key, item in value.items() if key != "description"}
    return [without_descriptions(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(autouse=True)
def _judge() -> None:
    require_judge()


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_with_decorators(name: str, tmp_path: Path) -> None:
    answers = described_alike(tmp_path, IMPORTS + textwrap.dedent(SCRIPTS[name]) + INIT, {})
    assert ("message" in answers[""]) == name.startswith("mixed")
    assert answers["version=3.1"]["openapi"] == "3.1.0"


@pytest.mark.parametrize("script", [UNDECORATED, RAW], ids=["undecorated", "rawhttp"])
def test_a_script_without_decorators(script: str, tmp_path: Path) -> None:
    answers = described_alike(tmp_path, script + INIT, {})
    assert answers[""]["definitions"]["ServiceInput"] == {"type": "object", "example": {}}


@pytest.mark.parametrize("prefix", ["api/v1", "/api/v1/"])
def test_the_service_is_named_as_it_is_told(prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_NAME", "churn of {customers}")
    monkeypatch.setenv("SERVICE_VERSION", "7-beta")
    monkeypatch.setenv("SERVICE_PATH_PREFIX", prefix)
    answers = described_alike(tmp_path, UNDECORATED + INIT, {})
    assert answers["version=3"]["info"]["title"] == "churn of {customers}"
    assert list(answers[""]["paths"]) == ["/api/v1/", "/api/v1/score", "/api/v1/swagger.json"]


@pytest.mark.parametrize(
    ("files", "versions"),
    [
        ({"swagger.json": "mine", "swagger2.json": "not this one"}, ["", "version=2", "version=2.0"]),
        ({"swagger.json": "", "swagger2.json": "mine"}, ["", "version=2", "version=2.0"]),
        ({"swagger3.json": "mine"}, ["version=3", "version=3.0"]),
        ({"swagger3.1.json": "mine", "swagger2.json": ""}, ["version=3.1"]),
    ],
    ids=["2", "2, the first is empty", "3", "3.1"],
)
def test_files_of_the_users_stand_in_place(files: dict[str, str], versions: list[str], tmp_path: Path) -> None:
    contents = {name: json.dumps({"x-whose": whose} if whose else {}) for name, whose in files.items()}
    script = IMPORTS + textwrap.dedent(SCRIPTS["mixed"]) + INIT
    answers = described_alike(tmp_path, script, contents)
    assert {query for query, answer in answers.items() if answer == {"x-whose": "mine"}} >= set(versions)


def test_a_file_that_init_writes_counts(tmp_path: Path) -> None:
    assert described_alike(tmp_path, WRITES, {})[""] == {"swagger": "2.0", "written": "by init()"}
