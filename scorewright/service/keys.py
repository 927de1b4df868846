"""The keys that a request may carry: primary, secondary, and whatever else is in a mounted file."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from scorewright import api_key
from scorewright.errors import UsageError
from scorewright.service.watched import Content, Watched

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable

    from scorewright.service.settings import Settings

Told = dict[str, list[str]]
"""The hashes, in hexadecimal, of the keys that were `given` and of those `found` in files."""


class Keys:
    """Keys, of which any is as good as another. Only their hashes are kept."""

    def __init__(
        self, given: Iterable[bytes], found: Iterable[bytes], watched: Watched | None, logger: logging.Logger
    ) -> None:
        """By their hashes: those that stay, and those that are in what is watched."""
        self._given = frozenset(given)
        self._found = frozenset(found)
        self._watched = watched
        self._log = logger
        self._hashes = tuple(self._given | self._found)

    @classmethod
    def of(cls, settings: Settings, logger: logging.Logger) -> Keys | None:
        """Those that the settings name; None if they name none.

        Raises UsageError for a key that is none, or a file without one.
        """
        named = {"primary_key": settings.primary_key, "secondary_key": settings.secondary_key}
        given = _hashed({name: key.get_secret_value() for name, key in named.items() if key is not None})
        watched = _watched(settings)
        if watched is None:
            return cls(given, (), None, logger) if given else None
        try:
            return cls(given, _of_files(watched.take()), watched, logger)
        except OSError as error:
            raise UsageError(
                f"The keys cannot be read: {error}.",
                hint="SCOREWRIGHT_KEYS_PATH names a file of keys, or a folder of such files.",
            ) from None

    @classmethod
    def of_told(cls, told: Told, settings: Settings, logger: logging.Logger) -> Keys:
        """Those that another process has in use, whatever is in the files by now."""
        given, found = ([bytes.fromhex(one) for one in told[which]] for which in ("given", "found"))
        return cls(given, found, _watched(settings), logger)

    def told(self) -> Told:
        """Those that are in use now."""
        return {"given": [one.hex() for one in self._given], "found": [one.hex() for one in self._found]}

    def has(self, key: bytes) -> bool:
        """Whether it is one of them. Takes as long whichever it is, and whatever a wrong one has in common with one."""
        found, hashed = False, hashlib.sha256(key).digest()
        for one in self._hashes:
            found |= hmac.compare_digest(one, hashed)
        return found

    async def watch(self) -> None:
        """Take up other keys when the files have them, until cancelled. Without usable ones, those of before stay."""
        if self._watched is not None:
            await self._watched.each_change(self._change, self._unreadable)

    def _change(self, content: Content) -> None:
        try:
            found = _of_files(content)
        except UsageError as error:
            self._log.error("The new keys are not taken, those of before stay: %s", error.message)
            return
        if found == self._found:
            return
        self._found, self._hashes = found, tuple(self._given | found)
        self._log.info("The keys have changed: %d may be used.", len(self._hashes))

    def _unreadable(self, error: OSError) -> None:
        self._log.error("The keys cannot be read, those of before stay: %s.", error)


def _watched(settings: Settings) -> Watched | None:
    return Watched([settings.keys_path]) if settings.keys_path else None


def _of_files(content: Content) -> frozenset[bytes]:
    keys: dict[str, str] = {}
    for path, data in content.items():
        lines = data.decode("utf-8", "replace").split("\n")
        keys |= {f"{path}, line {number}": line.strip() for number, line in enumerate(lines, 1) if line.strip()}
    if not keys:
        raise UsageError("There is no key in " + (", ".join(content) or "the folder") + ".", hint=api_key.HINT)
    return _hashed(keys)


def _hashed(keys: dict[str, str]) -> frozenset[bytes]:
    for place, key in keys.items():
        if fault := api_key.fault(key):
            raise UsageError(f"{place} is no key: {fault}.", hint=api_key.HINT)
    return frozenset(hashlib.sha256(key.encode()).digest() for key in keys.values())
