"""The Open Inference Protocol, version 2, over REST: metadata, headers and errors. Pure.

Contract: https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol and Triton's binary
tensor data extension, protocol/extension_binary_data.md. What is here the front uses; `oip_inference` is for scorers.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scorewright.errors import RequestError
from scorewright.service.protocols.oip_tensors import datatype, dimensions

if TYPE_CHECKING:
    from scorewright.bundle import Manifest, Signature, TensorSpec

Headers = list[tuple[bytes, bytes]]

LENGTH_HEADER = b"inference-header-content-length"
"""How many bytes of a body are its JSON; binary data follow."""


def server_metadata(version: str) -> dict[str, Any]:
    """What GET /v2 answers."""
    return {"name": "scorewright", "version": version, "extensions": ["binary_tensor_data"]}


def model_metadata(manifest: Manifest) -> dict[str, Any]:
    """What GET /v2/models/{name} answers: the inputs, and the outputs of all methods."""
    signature = manifest.signature
    framework = {"scikit-learn": "sklearn", "keras": "keras"}[manifest.framework]
    usual = {"savedmodel": "tensorflow_savedmodel", "onnx": "onnxruntime_onnx"}
    return {
        "name": manifest.name,
        "versions": [manifest.version],
        "platform": usual.get(manifest.model.format, f"{framework}_{manifest.model.format}"),
        "inputs": [_described(spec, datatype(spec.dtype, spec.categories or ())) for spec in signature.inputs],
        "outputs": [
            _described(spec, output_datatype(signature, name, spec))
            for name, method in signature.methods.items()
            for spec in method.outputs
        ],
    }


def error_body(message: str) -> bytes:
    """The one shape of every error."""
    return json.dumps({"error": message}).encode()


def header_length(text: str) -> int:
    """The value of Inference-Header-Content-Length. Raises RequestError 400 if it is no length."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise RequestError(400, f"Inference-Header-Content-Length is {text[:40]!r}, it must be a number of bytes.")
    return int(text)


def _described(spec: TensorSpec, kind: str) -> dict[str, Any]:
    return {"name": spec.name, "datatype": kind, "shape": dimensions(spec.shape)}


def output_datatype(signature: Signature, method: str, spec: TensorSpec) -> str:
    """An output's datatype; what predict() answers with objects are the classes."""
    classes: list[Any] = []
    if method == "predict":
        for item in signature.classes or ():
            classes.extend(item if isinstance(item, tuple) else (item,))
    return datatype(spec.dtype, classes)
