"""run() does what azmlinfsrv and ours answer differently."""

import datetime
import json
import sys

import numpy as np
import pandas as pd
from azureml.contrib.services.aml_response import AMLResponse


def init():
    pass


def broken():
    yield str(1 / 0)


def run(raw):
    do = json.loads(raw).get("do") if raw.startswith("{") else "echo"
    if do == "echo":
        return raw
    if do == "numpy":
        return {"a": np.array([[1.5, 2]]), "b": np.float32(0.5), "c": np.int64(3)}
    if do == "pandas":
        return pd.DataFrame({"n": [1], "s": ["x"]})
    if do == "date":
        return datetime.date(2026, 11, 21)
    if do == "exit":
        sys.exit(7)
    if do == "timeout":
        raise TimeoutError("of a connection of the script's own")
    if do == "length":
        return AMLResponse("four", 200, {"Content-Length": "4"})
    if do == "failed":
        return AMLResponse("no", 400, {"x-ms-run-function-failed": "True"})
    if do == "broken":
        return AMLResponse(broken(), 200)
    if do == "status":
        return AMLResponse("x", 999)
    return None
