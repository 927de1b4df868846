"""onnxruntime, set up as the generated scripts set it up."""

from __future__ import annotations

from typing import Any

from scorewright.errors import ConversionError

QUIET = 4
"""onnxruntime's log level at which it writes nothing itself: it raises what it has to say."""


def session(content: bytes) -> Any:
    """A converted model, ready to answer. Raises ConversionError if onnxruntime cannot run it."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = QUIET
    try:
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ConversionError(f"onnxruntime cannot run the converted model: {first_line(error)}.") from None


def first_line(error: BaseException) -> str:
    """What a converter or runtime says first, without its own code of errors."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    words = line.rpartition("[ONNXRuntimeError] : ")[2]
    return (
        words.partition(" : ")[2].partition(" : ")[2][:300].rstrip(". ") if words != line else line[:300].rstrip(". ")
    )
