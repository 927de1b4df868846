"""Watching: it never ends silently, and no change is lost by an error."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from scorewright.service import watched
from scorewright.service.watched import Content, Watched, meanwhile

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

LOG = logging.getLogger("test-watched")


def test_a_watcher_that_fails_is_logged_and_begun_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watched, "AGAIN_SECONDS", 0.01)
    begun = 0

    async def all_of_it() -> None:
        third = asyncio.Event()

        async def watch() -> None:
            nonlocal begun
            begun += 1
            if begun < 3:
                raise LookupError(f"failure {begun}")
            third.set()
            await asyncio.Event().wait()

        async with meanwhile("the moon", watch, LOG):
            await asyncio.wait_for(third.wait(), 30)

    asyncio.run(all_of_it())
    assert begun == 3
    assert caplog.messages == ["Watching the moon failed. It is begun again in 0.01 s."] * 2
    assert "LookupError: failure 2" in caplog.text


def test_one_that_has_nothing_to_watch_is_left_alone() -> None:
    begun = 0

    async def watch() -> None:
        nonlocal begun
        begun += 1

    async def all_of_it() -> None:
        async with meanwhile("nothing", watch, LOG):
            for _ in range(5):
                await asyncio.sleep(0)

    asyncio.run(all_of_it())
    assert begun == 1


def test_a_change_that_failed_unexpectedly_is_told_of_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "LOOK_SECONDS", 0.01)
    file = tmp_path / "file"
    file.write_text("old")
    looked = Watched([file])
    looked.take()
    file.write_text("new")
    told: list[Content] = []

    def failing(_: Content) -> None:
        raise LookupError

    async def all_of_it() -> None:
        with contextlib.suppress(LookupError):
            await looked.each_change(failing, lambda _: None)
        watching = asyncio.create_task(looked.each_change(told.append, lambda _: None))
        while not told:
            await asyncio.sleep(0.01)
        watching.cancel()

    asyncio.run(asyncio.wait_for(all_of_it(), 30))
    assert told == [{str(file): b"new"}]
