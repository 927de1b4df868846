"""An inference request and its answer, between the Open Inference Protocol and the bundle's own form. Pure.

Contract: as `oip`. Scorers use this, the front does not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from scorewright.errors import RequestError
from scorewright.service.protocols import oip_input, oip_tensors
from scorewright.service.protocols.oip import LENGTH_HEADER, Headers, output_datatype
from scorewright.service.protocols.oip_tensors import describe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scorewright.bundle import Signature
    from scorewright.service.protocols.bounds import Bounds
    from scorewright.service.protocols.oip_tensors import Tensor


@dataclass(frozen=True)
class Requested:
    """One output that the answer holds: the result it is in, its place among its method's outputs, its form."""

    name: str
    datatype: str
    method: str
    place: int
    of: int
    binary: bool


@dataclass(frozen=True)
class Inference:
    """A request, read: what run() is to be given, and what the answer must hold.

    `texts` has one request in the bundle's own form for each of `methods`.
    """

    id: str | None
    methods: tuple[str, ...]
    texts: list[str]
    outputs: tuple[Requested, ...]


def decode(
    signature: Signature, body: bytes | memoryview, json_length: int | None, bounds: Bounds | None = None
) -> Inference:
    """Read an inference request: JSON, and after its first `json_length` bytes, if that is given, binary data.

    Raises RequestError 400 naming the place that is wrong, and what `bounds` raises.
    """
    view = memoryview(body)
    if json_length is not None and json_length > len(view):
        raise RequestError(
            400, f"Inference-Header-Content-Length is {json_length}, but the body has {len(view)} bytes."
        )
    text = view if json_length is None else view[:json_length]
    if bounds is not None:
        bounds.check_depth(bytes(text))
    request = _object(_parsed(text), "The request")
    request_id = request.get("id")
    if request_id is not None and not isinstance(request_id, str):
        raise RequestError(400, f"id is {describe(request_id)}, it must be a string.")
    outputs = _outputs(signature, request)
    inputs = _inputs(signature, request, view[len(view) if json_length is None else json_length :])
    if bounds is not None and inputs:
        bounds.check_rows(inputs[0].shape[0])
    key, data = _data(signature, inputs)
    methods = tuple(dict.fromkeys(output.method for output in outputs))
    texts = [f'{{"{key}":{data},"method":{json.dumps(method)}}}' for method in methods]
    return Inference(request_id, methods, texts, outputs)


def encode(inference: Inference, results: Sequence[Any], *, name: str, version: str) -> tuple[Headers, bytes]:
    """The answer's headers and body: `results` are what run() returned for each text, parsed, in their order.

    Raises KeyError, TypeError, ValueError or OverflowError if a result is not what the bundle's signature promises.
    """
    by_method = {method: result[method] for method, result in zip(inference.methods, results, strict=True)}
    described: list[dict[str, Any]] = []
    binary: list[bytes] = []
    for output in inference.outputs:
        value = _of_output(output, by_method[output.method])
        shape, data = oip_tensors.render(value, output.datatype, binary=output.binary)
        item: dict[str, Any] = {"name": output.name, "datatype": output.datatype, "shape": shape}
        if output.binary:
            item["parameters"] = {"binary_data_size": len(data)}
            binary.append(data)
        else:
            item["data"] = data
        described.append(item)
    answer: dict[str, Any] = {"model_name": name, "model_version": version, "outputs": described}
    if inference.id is not None:
        answer["id"] = inference.id
    head = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    if not binary:
        return [(b"content-type", b"application/json")], head
    headers = [(b"content-type", b"application/octet-stream"), (LENGTH_HEADER, b"%d" % len(head))]
    return headers, b"".join((head, *binary))


def _parsed(text: memoryview) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        refusal = RequestError(400, f"The request is not JSON: {error}.")
    content = bytes(text)
    # JSON has no NaN and no infinities, but tritonclient writes them so.
    if b"NaN" not in content and b"Infinity" not in content:
        raise refusal
    try:
        parsed = json.loads(str(content, "utf-8"))
        if b"\\u" in content:
            json.dumps(parsed, ensure_ascii=False).encode()  # fails on "\ud800", half a character
    except RecursionError:
        raise RequestError(400, "The request is nested too deep.") from None
    except ValueError as error:
        raise RequestError(400, f"The request is not JSON: {error}.") from None
    return parsed


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RequestError(400, f"{where} is {describe(value)}, it must be an object.")
    return value


def _parameters(holder: dict[str, Any], where: str) -> dict[str, Any]:
    """The parameters of a request, an input or an output. Raises RequestError if they ask for shared memory."""
    parameters = holder.get("parameters")
    found = _object({} if parameters is None else parameters, where)
    if "shared_memory_region" in found:
        raise RequestError(400, f"{where} has shared_memory_region; the service takes no part in shared memory.")
    return found


def _flag(parameters: dict[str, Any], name: str, where: str, *, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise RequestError(400, f"{where}.{name} is {describe(value)}, it must be true or false.")
    return value


def _items(request: dict[str, Any], key: str) -> list[tuple[str, dict[str, Any]]]:
    """The named objects of a list, each with its place. Raises RequestError if it is none."""
    listed = request.get(key)
    if listed is None and key == "outputs":
        return []
    if not isinstance(listed, list):
        state = "missing" if listed is None else describe(listed)
        raise RequestError(400, f"{key} is {state}, it must be a list of objects.")
    found = []
    for place, item in enumerate(listed):
        where = f"{key}[{place}]"
        name = _object(item, where).get("name")
        if not isinstance(name, str):
            raise RequestError(400, f"{where}.name is {describe(name)}, it must be a string.")
        found.append((where, item))
    return found


def _outputs(signature: Signature, request: dict[str, Any]) -> tuple[Requested, ...]:
    """The outputs a request asks for: those it names, else those of the method it names, else of the default."""
    parameters = _parameters(request, "parameters")
    binary = _flag(parameters, "binary_data_output", "parameters", default=False)
    method = parameters.get("method")
    if method is not None and method not in list(signature.methods):
        raise RequestError(
            400, f"parameters.method is {describe(method)}; the model has {', '.join(signature.methods)}."
        )
    offered = {
        spec.name: Requested(spec.name, output_datatype(signature, name, spec), name, place, len(of.outputs), binary)
        for name, of in signature.methods.items()
        for place, spec in enumerate(of.outputs)
    }
    chosen: dict[str, Requested] = {}
    for where, item in _items(request, "outputs"):
        output = offered.get(item["name"])
        if output is None:
            raise RequestError(400, f"{where}.name is {describe(item['name'])}; the model has {', '.join(offered)}.")
        if method not in (None, output.method):
            raise RequestError(
                400, f"{where} is {output.name!r}, an output of {output.method}; parameters.method is {method!r}."
            )
        # One that is named twice is answered once, as Triton does.
        chosen[output.name] = _formed(output, _parameters(item, f"{where}.parameters"), f"{where}.parameters")
    if chosen:
        return tuple(chosen.values())
    wanted = method or signature.default_method
    return tuple(output for output in offered.values() if output.method == wanted)


def _formed(output: Requested, parameters: dict[str, Any], where: str) -> Requested:
    if parameters.get("classification"):
        raise RequestError(
            400, f"{where} has classification, which the service does not offer: ask for the output itself."
        )
    binary = _flag(parameters, "binary_data", where, default=output.binary)
    return Requested(output.name, output.datatype, output.method, output.place, output.of, binary)


def _inputs(signature: Signature, request: dict[str, Any], rest: memoryview) -> list[Tensor]:
    """The inputs in the model's order, with binary data out of `rest` in the request's order."""
    specs = {spec.name: spec for spec in signature.inputs}
    found: dict[str, tuple[str, Tensor]] = {}
    at = 0
    for where, item in _items(request, "inputs"):
        name = item["name"]
        if name not in specs:
            raise RequestError(400, f"{where}.name is {describe(name)}; the model takes {_listed(specs)}.")
        if name in found:
            raise RequestError(400, f"{where}.name is {describe(name)}, as {found[name][0]}.name is.")
        size = _binary_size(item, where)
        if size is not None and size > len(rest) - at:
            raise RequestError(
                400,
                f"{where}.parameters.binary_data_size is {size}, but {len(rest) - at} bytes are left behind the JSON; "
                "Inference-Header-Content-Length must say where it ends.",
            )
        binary = None if size is None else rest[at : at + size]
        at += size or 0
        found[name] = where, oip_input.parse(item, specs[name], where, binary)
    if at < len(rest):
        raise RequestError(400, f"The body goes on for {len(rest) - at} bytes that no input's binary_data_size counts.")
    for name in specs:
        if name not in found:
            raise RequestError(400, f"inputs has no {name!r}; the model takes {_listed(specs)}.")
    first, tensor = next(iter(found.values()))
    for where, other in found.values():
        if other.shape[0] != tensor.shape[0]:
            raise RequestError(
                400,
                f"{where}.shape has {other.shape[0]} rows, {first}.shape {tensor.shape[0]}; they must be equal.",
            )
    return [found[name][1] for name in specs]


def _binary_size(item: dict[str, Any], where: str) -> int | None:
    """How many binary bytes an input has; None if its data are JSON."""
    parameters = _parameters(item, f"{where}.parameters")
    if "binary_data_size" not in parameters:
        if "data" not in item:
            raise RequestError(400, f"{where} has no data, and no parameters.binary_data_size.")
        return None
    size = parameters["binary_data_size"]
    if type(size) is not int or size < 0:
        raise RequestError(
            400, f"{where}.parameters.binary_data_size is {describe(size)}, it must be a number of bytes."
        )
    if "data" in item:
        raise RequestError(400, f"{where} has data and parameters.binary_data_size, it must have one of them.")
    return size


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:20]) + (", …" if len(listed) > 20 else "")


def _data(signature: Signature, inputs: list[Tensor]) -> tuple[str, str]:
    """The inputs in the bundle's own form: the key of a request, and its value as JSON."""
    infinite = any(map(oip_tensors.infinite, inputs))
    names = [spec.name for spec in signature.inputs]
    if signature.layout == "columns":
        rows = list(zip(*map(oip_tensors.column, inputs), strict=True))
        return "input_data", oip_tensors.dumps({"columns": names, "data": rows}, infinite=infinite)
    if signature.layout == "tensors" and len(inputs) > 1:
        by_name = {name: oip_tensors.rows(tensor) for name, tensor in zip(names, inputs, strict=True)}
        return "data", oip_tensors.dumps(by_name, infinite=infinite)
    return "data", oip_tensors.dumps(oip_tensors.rows(inputs[0]), infinite=infinite)


def _of_output(output: Requested, value: Any) -> Any:
    """One output's rows out of what a method answered: by name (Keras), or in each row's list (scikit-learn)."""
    if output.of == 1:
        return value
    if isinstance(value, dict):
        return value[output.name]
    return [row[output.place] for row in value]
