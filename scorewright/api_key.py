"""What a key of a service may be."""

from __future__ import annotations

import re

LEAST_CHARACTERS = 16
"""A shorter key could be guessed."""

MOST_CHARACTERS = 1000

HINT = "Make one with: openssl rand -hex 32"


def fault(key: str) -> str | None:
    """Why a text cannot be a key, in words that do not show it; None if it can.

    A header carries it behind `Bearer `, so it is visible ASCII without spaces (RFC 6750, 2.1, takes fewer still).
    """
    if not LEAST_CHARACTERS <= len(key) <= MOST_CHARACTERS:
        return f"a key has {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters, this one {len(key)}"
    if not re.fullmatch(r"[!-~]+", key):
        return "it has characters that a header cannot carry, or spaces"
    return None
