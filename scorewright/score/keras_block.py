"""The block of a Keras model (see block.py): the smallest measured, but 2 where a second row costs next to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scorewright.score.block import BLOCKS, is_dear, smallest_block
from scorewright.score.variations import variations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scorewright.bundle import TensorSpec

ROWS = 16
SIZES = (1, 7)
"""What a dimension that may have any size is tried with, besides what the sample has."""


def block_of(
    call: Callable[[dict[str, Any]], dict[str, Any]], inputs: Sequence[TensorSpec], sample: dict[str, Any]
) -> int | None:
    """How many rows to pad a call to, so that a row's answer does not depend on the others; None: it always does.

    call    the network, compiled as the script compiles it: an array an input, to an array an output
    sample  an array an input, which the network takes
    """

    def scored(arrays: dict[str, Any]) -> list[Any]:
        return [array for _, array in sorted(call(arrays).items())]

    largest = 1
    for rows in _trials(inputs, sample, scored):
        answers = _answers(scored, rows)
        # A row by itself is a vector, and often goes another way through the libraries than rows do: what is the
        # same on this processor need not be on the next.
        block = smallest_block(answers, ROWS, BLOCKS if is_dear(answers, 2) else BLOCKS[1:])
        if block is None:
            return None
        largest = max(block, largest)
    return largest


def _answers(scored: Callable[[dict[str, Any]], Any], rows: dict[str, Any]) -> Callable[[list[int]], Any]:
    return lambda places: scored({name: array[places] for name, array in rows.items()})


def _trials(
    inputs: Sequence[TensorSpec], sample: dict[str, Any], scored: Callable[[dict[str, Any]], Any]
) -> Iterator[dict[str, Any]]:
    """Rows of each shape to try that the network takes."""
    import tensorflow as tf

    free = any(size is None for spec in inputs for size in spec.shape[1:])
    for size in (None, *SIZES) if free else (None,):
        shaped = {spec.name: _resized(sample[spec.name], spec, size) for spec in inputs}
        varied = {name: variations(array, ROWS) for name, array in shaped.items()}
        for boldness in range(min(map(len, varied.values()))):
            rows = {name: of[boldness].reshape(ROWS, *shaped[name].shape[1:]) for name, of in varied.items()}
            try:
                scored(rows)
            except tf.errors.InvalidArgumentError:  # such as an index outside an embedding, or too short a sequence
                continue
            yield rows
            break


def _resized(array: Any, spec: TensorSpec, size: int | None) -> Any:
    """The sample with its free dimensions cut, or filled up by repeating it, to `size`; None: as they are."""
    import numpy as np

    for axis, fixed in enumerate(spec.shape):
        if size is not None and axis > 0 and fixed is None:
            array = np.take(array, np.arange(size) % array.shape[axis], axis=axis)
    return array
