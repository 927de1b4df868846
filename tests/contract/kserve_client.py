"""kserve's InferenceRESTClient, in an environment of its own: it needs other releases than the tests do.

The tests call ask(); that interpreter runs this file.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PYTHON = Path(os.environ.get("SCOREWRIGHT_KSERVE", Path(__file__).parents[2] / ".cache/kserve/bin/python"))


def ask(*questions: dict[str, Any]) -> list[dict[str, Any]]:
    """What the client was told: `url` and `model` are asked about `data` of a `datatype`, `binary` or not.

    Skips where kserve is not installed; on CI that is a failure.
    """
    import pytest

    if not PYTHON.is_file():
        reason = f"kserve is not at {PYTHON}; `make test` installs it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    ran = subprocess.run(
        [PYTHON, __file__], input=json.dumps(questions), capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    answers: list[dict[str, Any]] = json.loads(ran.stdout)
    return answers


async def _answer(question: dict[str, Any]) -> dict[str, Any]:
    import httpx
    import numpy as np
    from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
    from kserve.protocol.infer_type import RequestedOutput

    url, model, binary = question["url"], question["model"], question["binary"]
    array = np.array(question["data"], dtype={"BYTES": "object"}.get(question["datatype"], "float64"))
    data = InferInput("data", list(array.shape), question["datatype"], parameters={})
    data.set_data_from_numpy(array, binary_data=binary)
    request = InferRequest(
        model,
        [data],
        request_id="mine",
        request_outputs=[RequestedOutput(name, {"binary_data": binary}) for name in ("predict", "predict_proba")],
    )
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
        answer = await client.infer(url, request, model_name=model)
        try:
            error = str(await client.infer(url, request, model_name="another"))
        except httpx.HTTPStatusError as refused:
            error = str(refused)
        return {
            "live": await client.is_server_live(url),
            "ready": await client.is_server_ready(url),
            "model_ready": await client.is_model_ready(url, model),
            "another_ready": await client.is_model_ready(url, "another"),
            "id": answer.id,
            "outputs": {output.name: output.as_numpy().tolist() for output in answer.outputs},
            "error": error,
        }


async def _main() -> None:
    answers = [await _answer(question) for question in json.load(sys.stdin)]
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    asyncio.run(_main())
