"""A fitted scikit-learn estimator as an ONNX graph that answers its methods."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from scorewright.bundle import MethodParity, Parity
from scorewright.errors import ConversionError
from scorewright.score import challenges, onnx_estimator, onnx_graph, parity, probe
from scorewright.score.block import smallest_block
from scorewright.score.onnx_session import first_line, session
from scorewright.score.parts import parts
from scorewright.score.sklearn_block import blocks_to_try, is_exact
from scorewright.score.spec import Converted
from scorewright.versions import installed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorewright.bundle import Signature
    from scorewright.score.spec import ModelSpec


BLOCK_ROWS = 48


@dataclass(frozen=True)
class Candidate:
    """A graph as converted, and for each method what it answers best with, measured."""

    graph: Any
    precision: onnx_estimator.Precision
    methods: dict[str, tuple[onnx_graph.Source, MethodParity]]


def convert(spec: ModelSpec) -> Converted:
    """The estimator as ONNX, with those of its methods that were shown to be answered equally.

    Raises ConversionError if there is no such graph, or if it does not answer the default method.
    """
    estimator: Any = spec.model.value
    while hasattr(estimator, "best_estimator_"):  # a search answers as the best it found
        estimator = estimator.best_estimator_
    _require_types(spec)
    rows, expected, refused = _questions(spec)
    feeds = onnx_estimator.feeds_of(spec.signature, rows)
    default = spec.signature.default_method
    reasons = []
    for precision in onnx_estimator.precisions(estimator):
        try:
            candidate = _candidate(estimator, spec.signature, precision, feeds, expected)
        except ConversionError as error:
            reasons.append(error.message)
            continue
        found = candidate.methods.get(default)
        if found is not None and parity.same(found[1]):
            return _converted(estimator, candidate, feeds, expected, refused)
        reasons.append(f"The converted model does not answer as the model itself does: {_words(candidate, default)}.")
    raise ConversionError(" In float32: ".join(dict.fromkeys(reasons)))


def _require_types(spec: ModelSpec) -> None:
    """Raise ConversionError for columns that a graph cannot be given."""
    for column in spec.signature.inputs:
        texts = all(isinstance(known, str) for known in column.categories or ())
        if column.dtype == "datetime" or (column.dtype == "category" and not texts):
            words = "dates" if column.dtype == "datetime" else "categories that are not texts"
            raise ConversionError(f"The column {column.name!r} holds {words}, which ONNX has no type for.")


def _questions(spec: ModelSpec) -> tuple[Any, parity.Answers, int]:
    """Rows like the sample's, what the model answers to them, and how many others it refused."""

    def ask(rows: Any) -> parity.Answers:
        return {method: _stacked(probe.call(spec.model.value, method, rows)) for method in spec.signature.methods}

    import numpy as np

    X = spec.whole_sample
    if spec.signature.layout == "text":
        known = [word for part in parts(spec.model.value) for word in getattr(part, "vocabulary_", ())]
        blocks = [list(X), challenges.of_texts(list(X), known[:1000])]
    else:
        if spec.signature.layout == "array":
            X = np.asarray(X, dtype="float64")
        thresholds = _thresholds(spec.model.value, X.shape[1])
        blocks = [X, *challenges.of_table(spec.signature, X, thresholds, spec.none_columns)]
        for method in ("predict", "predict_proba"):
            if method in spec.signature.methods:
                blocks += _between(spec, X, method)
    kept, answers, refused = [], [], 0
    for block in blocks:
        some, found, count = parity.answered(ask, block)
        refused += count
        if found is not None:
            kept.append(some)
            answers.append(found)
    return parity.joined(kept), parity.joined(answers), refused


def _between(spec: ModelSpec, X: Any, method: str) -> list[Any]:
    try:
        return [
            challenges.between(spec.signature, X, lambda rows: _stacked(probe.call(spec.model.value, method, rows)))
        ]
    except Exception:  # somewhere on the way the model refuses a row: others are asked of it
        return []


def _stacked(result: Any) -> Any:
    """An answer as one array, of which the first dimension is the row: a list of arrays has one an output."""
    import numpy as np

    if isinstance(result, list):
        return np.stack([_stacked(output) for output in result], axis=1)
    array = probe.dense(result)
    return array.astype(object) if array.dtype.kind in "US" else array


def _thresholds(model: Any, width: int) -> list[list[float]]:
    """Where the trees inside split each column, if they are given the columns as they are."""
    import numpy as np

    found: list[list[float]] = [[] for _ in range(width)]
    for part in parts(model):
        tree: Any = getattr(part, "tree_", None)
        if hasattr(tree, "threshold") and tree.n_features == width:
            for feature, threshold in zip(tree.feature, tree.threshold, strict=True):
                if feature >= 0 and np.isfinite(threshold):
                    found[feature].append(float(threshold))
    return found


def _candidate(
    estimator: Any,
    signature: Signature,
    precision: onnx_estimator.Precision,
    feeds: dict[str, Any],
    expected: parity.Answers,
) -> Candidate:
    import numpy as np

    model = onnx_estimator.converted(estimator, signature, precision)
    running = session(model.SerializeToString())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            arrays = running.run(None, feeds)
    except Exception as error:
        raise ConversionError(f"onnxruntime cannot run the converted model: {first_line(error)}.") from None
    methods = {}
    for method, answer in expected.items():
        tried = [
            (source, parity.compared(answer, _read(np.asarray(array), source)))
            for output, array in zip(running.get_outputs(), arrays, strict=True)
            for source in _sources(method, answer, output, np.asarray(array), signature)
        ]
        if tried:
            methods[method] = min(tried, key=lambda one: (one[1].labels, one[1].relative, bool(one[0].classes)))
    return Candidate(model, precision, methods)


def _sources(method: str, answer: Any, output: Any, array: Any, signature: Signature) -> Iterator[onnx_graph.Source]:
    """What could be the answer to a method among an output's readings."""
    if (
        method == "predict"
        and answer.ndim == 1
        and signature.classes
        and array.shape == (len(answer), len(signature.classes))
    ):
        # A tree ensemble's own labels fall the wrong way where two classes are equally probable: it rounds afterwards.
        dtype = "string" if answer.dtype.kind == "O" else str(answer.dtype)
        yield onnx_graph.Source(output.name, (), dtype, classes=signature.classes)
    kinds = {dtype.dtype for dtype in signature.methods[method].outputs}
    texts = array.dtype.kind in "OUS"
    if array.size != answer.size or texts != (kinds == {"string"}) or (texts and answer.dtype.kind not in "OUS"):
        return
    dtype = "string" if texts else str(answer.dtype)
    shape: tuple[int, ...] = answer.shape[1:]
    several = len(signature.methods[method].outputs) > 1
    transposed = several and array.ndim > 1 and array.shape[:2] == (shape[0], len(answer))
    source = onnx_graph.Source(
        output.name,
        shape,
        dtype,
        sequence=output.type.startswith("seq("),
        transposed=transposed,
        probability=method in ("predict_proba", "predict_log_proba"),
    )
    if method == "predict_log_proba":
        yield replace(source, logarithm=True)
        source = replace(source, probability=False)
    yield source


def _read(array: Any, source: onnx_graph.Source) -> Any:
    """What a graph with this source would answer."""
    import numpy as np

    array = np.swapaxes(array, 0, 1) if source.transposed else array
    if source.classes:
        labels = np.array(source.classes, dtype=object if source.dtype == "string" else source.dtype)
        array = labels[array.argmax(axis=-1)]
    array = array.reshape(-1, *(source.shape or ()))
    if source.dtype == "string":
        return array.astype(object)
    with np.errstate(all="ignore"):
        array = array.astype(source.dtype)
        array = array.clip(0, 1) if source.probability else array
        return np.log(array) if source.logarithm else array


def _words(candidate: Candidate, method: str) -> str:
    found = candidate.methods.get(method)
    others = {
        source.output
        for name, (source, measured) in candidate.methods.items()
        if name != method and parity.same(measured)
    }
    if found is None or (found[0].output in others and not found[0].logarithm):
        return f"nothing is {method}"
    return parity.told(method, found[1])


def _block(estimator: Any, running: Any, names: list[str], feeds: dict[str, Any]) -> int | None:
    """How many rows to pad a call to (see block.py), measured on rows out of all that were asked about."""
    import numpy as np

    total = len(next(iter(feeds.values())))
    chosen = np.linspace(0, total - 1, min(BLOCK_ROWS, total)).astype(int)

    def answers(places: list[int]) -> list[Any]:
        found: list[Any] = running.run(names, {name: array[chosen[places]] for name, array in feeds.items()})
        return found

    return smallest_block(answers, len(chosen), blocks_to_try(answers, exact=is_exact(estimator)))


def _converted(
    estimator: Any, candidate: Candidate, feeds: dict[str, Any], expected: parity.Answers, refused: int
) -> Converted:
    """The graph with an output for each method that it answers equally, measured once more as it will be run."""
    sources = {method: source for method, (source, found) in candidate.methods.items() if parity.same(found)}
    onnx_graph.answer_with(candidate.graph.graph, sources)
    content = candidate.graph.SerializeToString()
    running = session(content)
    measured = {}
    for method in sources:
        (found,) = running.run([onnx_graph.ANSWER + method], feeds)
        measured[method] = parity.compared(expected[method], found)
        if not parity.same(measured[method]):
            raise ConversionError(f"The finished graph does not answer alike: {parity.told(method, measured[method])}.")
    return Converted(
        content,
        Parity(
            rows=len(parity.first(expected)),
            refused=refused,
            precision=candidate.precision,
            converted_with=_releases(),
            methods=measured,
        ),
        block=_block(estimator, running, [onnx_graph.ANSWER + method for method in sources], feeds),
        one_thread=True,
        left_out={method: _words(candidate, method) for method in expected if method not in sources},
    )


def _releases() -> dict[str, str]:
    found = installed(("scikit-learn", "skl2onnx", "onnx", "onnxruntime"))
    return {name: release for name, release in found.items() if name != "python"}
