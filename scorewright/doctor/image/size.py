"""Whether the image is of a size that starts soon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, ok, warning
from scorewright.doctor.words import megabytes

if TYPE_CHECKING:
    from scorewright.doctor.image.picture import Picture


LARGE = 3_000_000_000
"""Bytes from which on pulling takes longer than loading most models: the image of a Keras model has 1.42 GB."""


def look(picture: Picture) -> Outcome:
    size = int(picture.facts.get("Size") or 0)
    if size > LARGE:
        return warning(
            f"{megabytes(size)}: each new replica pulls it first",
            "Only what scores belongs in it: `--runtime onnx` needs no framework, tensorflow-cpu no GPU libraries.",
        )
    return ok(megabytes(size))


CHECK: Check[Picture] = Check("size", "its size", look)
