"""A row as each server is asked for it, and its answer as each server gives it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from benchmarks.cases import Rows

Form = Literal["azure", "v2"]

_DATATYPES = {str: "BYTES", int: "INT64", float: "FP64"}


def bodies(rows: Rows, form: Form, method: str) -> list[str]:
    """One request body a row, as JSON in one line: Azure's form, or the Open Inference Protocol's."""
    if form == "azure":
        return [json.dumps({"data": [row]}) for row in rows.rows]
    return [json.dumps({**_inputs(row), "outputs": [{"name": method}]}) for row in rows.rows]


def _inputs(row: Any) -> dict[str, Any]:
    if isinstance(row, list):
        return {"inputs": [{"name": "rows", "shape": [1, len(row)], "datatype": "FP64", "data": row}]}
    columns = [
        {
            "name": name,
            "shape": [1],
            "datatype": _DATATYPES[type(value)],
            "data": [value],
            **({"parameters": {"content_type": "str"}} if isinstance(value, str) else {}),
        }
        for name, value in row.items()
    ]
    return {"parameters": {"content_type": "pd"}, "inputs": columns}


def answered(content: bytes, method: str) -> Any:
    """What a server answers for its one row: a label, or numbers by class.

    It may be a list of rows, that list under the method's name, or v2's outputs. Raises ValueError if it is none.
    """
    answer = json.loads(content)
    if isinstance(answer, dict):
        answer = answer["outputs"][0] if "outputs" in answer else answer.get(method)
        if isinstance(answer, dict):
            return answer["data"] if method == "predict_proba" else answer["data"][0]
    if not isinstance(answer, list) or len(answer) != 1:
        raise ValueError(f"not the answer to one row: {content[:200]!r}")
    return answer[0]
