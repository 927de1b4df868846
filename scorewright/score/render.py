"""From a ModelSpec to the text of its entry scripts."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

from jinja2 import Environment, PackageLoader, StrictUndefined

from scorewright import __version__
from scorewright.score.batch_context import batch_context

if TYPE_CHECKING:
    from scorewright.score.spec import ModelSpec

GENERATOR = f"scorewright {__version__}"
WIDTH = 120

WORDS = {
    "float64": "a number",
    "float32": "a number",
    "int64": "a whole number",
    "bool": "true or false",
    "string": "a text",
    "category": "a text or a number",
    "datetime": "a date like 2026-11-21 or 2026-11-21T08:30:00",
}
_KINDS = {
    "float64": "int | float",
    "float32": "int | float",
    "int64": "int | float",
    "bool": "bool",
    "string": "str",
    "category": "str | int | float",
    "datetime": "str",
}


def entry_script(spec: ModelSpec, name: str, example: tuple[str, str]) -> str:
    """score.py. `example` is a request and its answer, shown in the docstring."""
    template = "sklearn_score.py.j2" if spec.model.framework == "scikit-learn" else "keras_score.py.j2"
    return _render(template, spec, name, example, f"Entry script for Azure ML: scores requests with {name}")


def batch_script(spec: ModelSpec, name: str) -> str:
    """batch_score.py, which uses the score.py beside it."""
    return _render(
        "batch_score.py.j2", spec, name, ("", ""), f"Batch entry script for Azure ML: scores files with {name}"
    )


def _render(template: str, spec: ModelSpec, name: str, example: tuple[str, str], headline: str) -> str:
    # The output is Python, not HTML: values enter it through `literal`, names through the manifest's pattern.
    environment = Environment(  # noqa: S701
        loader=PackageLoader("scorewright.score"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    environment.filters["literal"] = literal
    environment.filters["literal_types"] = _literal_of_words
    return environment.get_template(template).render(
        **_context(spec, name, example), headline=_headline(headline, spec)
    )


def _headline(text: str, spec: ModelSpec) -> str:
    kind = spec.info.kind
    words = f"{text}, {'an' if kind[0] in 'AEIOU' else 'a'} {kind}{' converted to ONNX' if spec.converted else ''}."
    return textwrap.fill(words, WIDTH - 3, break_long_words=False, break_on_hyphens=False)


def _context(spec: ModelSpec, name: str, example: tuple[str, str]) -> dict[str, Any]:
    signature = spec.signature
    dtypes = {column.dtype for column in signature.inputs}
    array = signature.layout == "array"
    names = signature.features if array or signature.layout == "tensors" else None
    if signature.layout == "columns":
        names = tuple(column.name for column in signature.inputs) if signature.dataframe else None
    outputs = tuple(output.name for method in signature.methods.values() for output in method.outputs)
    pinned: tuple[str, ...] = ("scikit-learn",) if spec.model.framework == "scikit-learn" else ("keras", "tensorflow")
    if spec.converted:
        pinned = ("onnxruntime",)
    elif spec.info.format == "savedmodel":
        pinned = ("tensorflow",)
    return {
        "name": name,
        "kind": spec.info.kind,
        "generator": GENERATOR,
        "framework": spec.model.framework,
        "runtime": spec.runtime,
        "one_thread": spec.converted is not None and spec.converted.one_thread,
        "column_types": spec.column_types,
        "info": spec.info,
        "skops": spec.info.format == "skops",
        "pinned": {package: spec.versions[package] for package in pinned},
        "layout": signature.layout,
        "methods": tuple(signature.methods),
        "default_method": signature.default_method,
        "features": names if signature.layout != "columns" else None,
        "named": names is not None,
        "width": signature.inputs[0].shape[1] if array else len(signature.inputs),
        "block": spec.block,
        "forest": spec.forest,
        # orjson reads a whole number of more than 64 bits as a fraction. Where the model sees which, json reads it.
        "long_numbers": signature.layout == "columns" and ("category" in dtypes or not signature.dataframe),
        "missing": signature.inputs[0].missing,
        "largest": spec.largest,
        "columns": {column.name: (column.dtype, column.missing, column.categories) for column in signature.inputs},
        "kinds": {dtype: _KINDS[dtype] for dtype in _KINDS if dtype in dtypes},
        "words": {dtype: WORDS[dtype] for dtype in WORDS if dtype in dtypes},
        "dataframe": signature.dataframe,
        "has_category": "category" in dtypes,
        "has_datetime": "datetime" in dtypes,
        "has_lists": any(trait.startswith("list:") for trait in spec.traits),
        "has_sparse": any(trait.startswith("sparse:") for trait in spec.traits),
        "has_dates": "dates" in spec.traits,
        "has_objects": "objects" in spec.traits,
        "has_jobs": "jobs" in spec.traits,
        "has_known": any(column.categories is not None for column in signature.inputs),
        "has_texts": not dtypes.isdisjoint(("string", "category", "datetime")),
        "has_numbers": not dtypes.isdisjoint(("float64", "float32", "int64", "category")),
        "frame_types": spec.frame_types,
        "none_columns": spec.none_columns,
        "by_column": signature.layout == "columns" and (signature.dataframe or spec.converted is not None),
        "silence_names": array and "fitted-on-names" in spec.traits,
        "rows_type": {"array": "np.ndarray[Any, Any]", "text": "list[str]"}.get(signature.layout, "list[list[Any]]"),
        "join": "np.concatenate([rows for _, rows in group])"
        if array
        else "[row for _, rows in group for row in rows]",
        "inputs": {tensor.name: (tensor.dtype, tensor.shape[1:]) for tensor in signature.inputs},
        "outputs": outputs,
        "outputs_are_dict": "dict-outputs" in spec.traits,
        "model_arguments": _model_arguments(spec),
        "has_text_input": "string" in dtypes,
        "has_bool_input": "bool" in dtypes,
        "has_text_output": any(o.dtype == "string" for m in signature.methods.values() for o in m.outputs),
        "example_request": example[0],
        "example_answer": example[1],
        "request_help": _request_help(spec, names is not None),
        **batch_context(spec, named=names is not None),
    }


def _model_arguments(spec: ModelSpec) -> str:
    """How the Keras model takes its list of tensors."""
    if "dict-inputs" in spec.traits:
        return "dict(zip(INPUTS, tensors, strict=True))"
    return "tensors" if len(spec.signature.inputs) > 1 else "tensors[0]"


def _request_help(spec: ModelSpec, named: bool) -> str:
    signature = spec.signature
    if signature.layout == "text":
        form = '"data" is a text or a list of texts.'
    elif signature.layout == "tensors" and len(signature.inputs) > 1:
        form = '"data" is an object with one array of rows an input, or a list of such objects, one a row.'
    else:
        form = '"data" is one row or a list of rows'
        form += ", each a list of values or an object by feature name." if named else "."
    if signature.layout != "text":
        form += '\n{"input_data": {"columns": [...], "data": [...]}} is taken too.'
    return form + f'\n"method" is one of METHODS, {signature.default_method} if it is left out.'


def literal(value: Any, before: int = 56) -> str:
    """A value as Python source that a formatter would leave alone, behind `before` characters of its line."""
    filled: list[bool] = []
    text = _literal(value, "", before, filled)
    text = "\n".join(f"{line}  # noqa: E501" if _width(line) > WIDTH else line for line in text.split("\n"))
    return f"{text}  # fmt: skip" if filled else text


def _literal(value: Any, indent: str, before: int, filled: list[bool]) -> str:
    flat = _flat(value)
    if before + _width(flat) < WIDTH or not value or not isinstance(value, dict | tuple | list):
        return flat
    deeper = indent + "    "
    if isinstance(value, dict):
        keys = [f"{_flat(key)}: " for key in value]
        inside = zip(keys, value.values(), strict=True)
        items = [key + _literal(item, deeper, len(deeper) + _width(key), filled) for key, item in inside]
        opening, closing = "{", "}"
    else:
        items = [_literal(item, deeper, len(deeper), filled) for item in value]
        opening, closing = ("[", "]") if isinstance(value, list) else ("(", ")")
    if len(items) > MANY and not isinstance(value, dict) and not any("\n" in item for item in items):
        filled.append(True)
        items = _lines(items, WIDTH - len(deeper))
    lines = [f"{deeper}{item},\n" for item in items]
    return opening + "\n" + "".join(lines) + indent + closing


MANY = 40
"""From so many plain items on a tuple is filled line by line: one a line would be a script of names."""


def _lines(items: list[str], width: int) -> list[str]:
    lines = [items[0]]
    for item in items[1:]:
        if _width(lines[-1]) + _width(item) + 3 <= width:
            lines[-1] += ", " + item
        else:
            lines.append(item)
    return lines


def _flat(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flat(key)}: {_flat(item)}" for key, item in value.items()) + "}"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_flat, value)) + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flat, value)) + "]"
    return repr(value)


def _text(value: str) -> str:
    quote = "'" if value.count('"') > value.count("'") else '"'
    special = {"\\": "\\\\", quote: "\\" + quote}
    return quote + "".join(special.get(c) or (c if c.isprintable() else ascii(c)[1:-1]) for c in value) + quote


def _width(text: str) -> int:
    """How many columns a text takes; Chinese characters and the like take two."""
    return len(text) if text.isascii() else sum(1 + (east_asian_width(c) in "WF") for c in text)


def _literal_of_words(kinds: dict[str, str]) -> str:
    return "{" + ", ".join(f"{_flat(dtype)}: {kind}" for dtype, kind in kinds.items()) + "}"
