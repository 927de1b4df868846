"""Joined writes: what is written in one turn of the loop goes out at once, in its order, and nothing is lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from scorewright.service import joined_writes
from scorewright.service.joined_writes import JoinedWrites

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest


class Record(asyncio.Transport):
    """A transport that writes down what is done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[object] = []
        self.unsent = 0

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        self.done.append(list(list_of_data))

    def close(self) -> None:
        self.done.append("close")

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return "gone" in self.done

    def write_eof(self) -> None:
        self.done.append("end")

    def abort(self) -> None:
        self.done.append("abort")


def test_writes_of_one_turn_go_out_together() -> None:
    async def test() -> list[object]:
        record = Record()
        joined = JoinedWrites(record, asyncio.get_running_loop())
        joined.write(b"head")
        joined.write(b"body")
        assert record.done == []
        await asyncio.sleep(0)
        joined.writelines([b"next", b"answer"])
        await asyncio.sleep(0)
        return record.done

    assert asyncio.run(test()) == [[b"head", b"body"], [b"next", b"answer"]]


def test_a_close_comes_after_what_was_written_and_an_abort_instead_of_it() -> None:
    async def test(*, abort: bool) -> list[object]:
        record = Record()
        joined = JoinedWrites(record, asyncio.get_running_loop())
        joined.write(b"last")
        if abort:
            joined.abort()
        else:
            joined.close()
        await asyncio.sleep(0)
        return record.done

    assert asyncio.run(test(abort=False)) == [[b"last"], "close"]
    assert asyncio.run(test(abort=True)) == ["abort"]


def test_what_is_closing_is_not_closed_again() -> None:
    async def test() -> list[object]:
        record = Record()
        record.done.append("gone")
        JoinedWrites(record, asyncio.get_running_loop()).close()
        return record.done

    assert asyncio.run(test()) == ["gone"]


def test_nothing_is_written_after_an_end_or_to_a_client_that_has_gone() -> None:
    async def test(*, gone: bool) -> list[object]:
        record = Record()
        joined = JoinedWrites(record, asyncio.get_running_loop())
        joined.write(b"last")
        if gone:
            record.done.append("gone")
        else:
            joined.write_eof()
            joined.write(b"too late")
        await asyncio.sleep(0)
        return record.done

    assert asyncio.run(test(gone=False)) == [[b"last"], "end"]
    assert asyncio.run(test(gone=True)) == ["gone"]


def test_a_client_that_takes_nothing_of_the_rest_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joined_writes, "STALLED_SECONDS", 0.01)

    async def test() -> list[object]:
        record = Record()
        record.unsent = 5
        joined = JoinedWrites(record, asyncio.get_running_loop())
        joined.write(b"last")
        joined.close()
        while "abort" not in record.done:
            await asyncio.sleep(0.001)
        return record.done

    assert asyncio.run(test()) == [[b"last"], "close", "abort"]
