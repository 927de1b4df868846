"""What the exit code of a service's container says."""

from __future__ import annotations

OUT_OF_MEMORY = "It was killed, most often for want of memory: give it more with --memory."

_CAUSES = {
    3: "The entry script's init() failed: its traceback is above. `scorewright check BUNDLE` finds it without Docker.",
    6: "The bundle in the container is not what its manifest says: build the image again, or mount the whole bundle.",
    7: "The image has other library versions than the model was made with: build it again from the bundle.",
    126: "The image's command cannot be run: is it an image that `scorewright build` made?",
    127: "The image has no such command: is it an image that `scorewright build` made?",
    137: OUT_OF_MEMORY,
}

HOPELESS = frozenset(_CAUSES) - {137}
"""Codes that the next start will end with, too."""


def cause_of(code: int | None) -> str:
    """Why a container ended so, and what to do; empty if that is not known."""
    return _CAUSES.get(code, "") if code is not None else ""


def indented(text: str) -> str:
    """The last lines of a log as an error shows them."""
    return "\n".join(f"  {line}" for line in text.splitlines()) or "  (it said nothing)"
