"""Keys in constant time, and what one process tells another of them."""

from __future__ import annotations

import hmac
import json
import logging
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from scorewright.service.keys import Keys
from scorewright.service.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

LOG = logging.getLogger("test-keys")
PRIMARY, SECONDARY, MOUNTED = "primary-0123456789", "secondary-0123456789", "mounted-0123456789"


def kept(tmp_path: Path) -> tuple[Settings, Keys]:
    (tmp_path / "keys").write_text(MOUNTED + "\n")
    settings = Settings(primary_key=SecretStr(PRIMARY), secondary_key=SecretStr(SECONDARY), keys_path=tmp_path / "keys")
    keys = Keys.of(settings, LOG)
    assert keys is not None
    return settings, keys


@pytest.mark.parametrize(
    ("key", "right"),
    [(PRIMARY, True), (SECONDARY, True), (MOUNTED, True), (PRIMARY[:-1] + "x", False), ("wrong", False), ("", False)],
)
def test_any_key_is_compared_in_constant_time_with_every_hash(
    key: str, right: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, keys = kept(tmp_path)
    compared: list[tuple[bytes, bytes]] = []
    compare = hmac.compare_digest

    def counting(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", counting)
    assert keys.has(key.encode()) is right
    assert len(compared) == 3
    assert len({one for one, _ in compared}) == 3
    # Not the keys themselves, whose lengths differ.
    assert {len(value) for pair in compared for value in pair} == {32}


def test_another_process_is_told_hashes_and_takes_them_whatever_is_in_the_file(tmp_path: Path) -> None:
    settings, keys = kept(tmp_path)
    told = json.dumps(keys.told())
    assert not [key for key in (PRIMARY, SECONDARY, MOUNTED) if key in told]
    (tmp_path / "keys").write_text("short")
    other = Keys.of_told(json.loads(told), settings.without_keys(), LOG)
    assert [other.has(key.encode()) for key in (PRIMARY, SECONDARY, MOUNTED, "short")] == [True, True, True, False]
    assert not [key for key in (PRIMARY, SECONDARY) if key in json.dumps(settings.told())]
