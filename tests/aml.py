"""AMLResponse as scripts import it: ours, or the real one where that is installed."""

from __future__ import annotations

import importlib
from typing import Any

from scorewright.contract import shim

shim.provide()
AMLResponse: Any = importlib.import_module("azureml_inference_server_http.api.aml_response").AMLResponse
