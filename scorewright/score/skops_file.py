"""A .skops file: a scikit-learn model that is loaded by the types that somebody trusts, without unpickling anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scorewright.errors import ModelImportError, NotAModelError, UntrustedTypeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def audit(path: Path, trust: Sequence[str]) -> tuple[str, ...]:
    """The types in the file that skops does not trust by itself, all of which `trust` names. Nothing is imported
    or loaded.

    Raises UntrustedTypeError naming those that it does not name, UsageError for one that the file does not need,
    NotAModelError for what is no skops file, ModelImportError without skops.
    """
    try:
        from skops import io
    except ImportError as error:
        raise ModelImportError(
            f"The module {error.name} is not installed here.", hint="pip install 'scorewright[sklearn,skops]'"
        ) from None
    try:
        found: list[str] = io.get_untrusted_types(file=path)
    except Exception as error:  # it raises whatever a file that it did not write makes it meet
        raise NotAModelError(f"{path} cannot be read as a skops file: {type(error).__name__}: {error}.") from None
    if unknown := [kind for kind in found if kind not in trust]:
        raise UntrustedTypeError(
            f"{path} holds types that skops does not trust: {', '.join(unknown)}.",
            hint="Nothing was loaded. If you know what each of them does, name them: "
            + " ".join(f"--trust {kind}" for kind in unknown),
        )
    if idle := [kind for kind in trust if kind not in found]:
        raise UsageError(
            f"--trust {idle[0]}: {path} has no such type that would have to be trusted.",
            hint=f"It has: {', '.join(found) or 'none'}.",
        )
    return tuple(found)


def load(path: Path, trusted: Sequence[str]) -> Any:
    """What is in the file. Raises what skops raises."""
    from skops import io

    return io.load(path, trusted=list(trusted))
