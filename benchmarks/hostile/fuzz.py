"""`python -m benchmarks.hostile.fuzz --inputs N --seed S`: hostile inputs; then: is it alive, right, and no larger?

Two services get them: a generated bundle, and an entry script that looks at all of a request. Two fifths of the inputs
are raw bytes, each on a connection of its own; the others are bodies of /score and of inference requests, pipelined on
connections that are kept. The same seed makes the same inputs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from benchmarks.errors import BenchmarkError
from benchmarks.hostile import inputs
from benchmarks.hostile.process import Service, make_bundle, service

GROWTH_MB = 24.0
"""How much more memory a service may have afterwards: what the allocators keep of the largest bodies."""

LINGER_SECONDS = 3.0
"""Longer than a refused connection is kept."""

STAY_SECONDS = 0.03
"""How long a connection that does not end by itself is looked at: a partial request waits for the rest."""

LANES = 8
PIPELINE = 16
PATIENCE_SECONDS = 60.0
RAW_SHARE = 0.4

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
ALLOWED = {
    *(100, 200, 202, 204, 400, 403, 404, 405, 408, 409, 411, 413, 415, 422, 429, 431, 501, 503, 505),
}
"""What may be answered; 503 only to batch jobs that a bundle cannot do, 501 to transfer codings."""


class FuzzError(BenchmarkError):
    """An input that did harm, and which it was."""


class Fuzz:
    """One service under hostile inputs. `counts` are the statuses that came back."""

    def __init__(self, served: Service, seed: int) -> None:
        self._served = served
        self._seed = seed
        self.counts: Counter[int] = Counter()
        self.sent = 0

    async def run(self, count: int) -> None:
        """Send so many. Raises FuzzError."""
        raw = int(count * RAW_SHARE)
        # ruff: noqa: S311 - what is wanted is that the same seed makes the same
        lanes = [self._raw(Random(f"{self._seed} raw {lane}"), raw // LANES) for lane in range(LANES)]
        lanes += [self._bodies(Random(f"{self._seed} body {lane}"), (count - raw) // LANES) for lane in range(LANES)]
        async with asyncio.TaskGroup() as group:
            for lane in lanes:
                group.create_task(lane)

    async def _raw(self, random: Random, count: int) -> None:
        for _ in range(count):
            made = inputs.raw(random)
            reader, writer = await self._connect()
            told = b""
            try:
                writer.write(made)
                how = random.random()
                if how < 0.05:
                    writer.transport.abort()
                elif how < 0.2:
                    # Who sends no more is taken for gone, and what is not scored yet is dropped: these stay a little.
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(STAY_SECONDS):
                            told = await reader.read(65536)
                else:
                    writer.write_eof()
                    async with asyncio.timeout(PATIENCE_SECONDS):
                        told = await reader.read()
            except TimeoutError:
                raise FuzzError(f"No answer and no end within {PATIENCE_SECONDS:.0f} s to {made!r}.") from None
            except OSError:
                pass
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
            self._count(told, made)
            self.sent += 1

    async def _bodies(self, random: Random, count: int) -> None:
        done = 0
        while done < count:
            many = min(PIPELINE, count - done)
            made = b"".join(self._post(random, last=number == many - 1) for number in range(many))
            reader, writer = await self._connect()
            try:
                writer.write(made)
                async with asyncio.timeout(PATIENCE_SECONDS * 3):
                    told = await reader.read()
            except TimeoutError:
                raise FuzzError(f"No answer to one of {made!r}.") from None
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
            answered = self._count(told, made)
            if answered != many:
                raise FuzzError(f"{many} requests had {answered} answers: {made!r}: {told!r}")
            done += many
            self.sent += many

    def _post(self, random: Random, *, last: bool) -> bytes:
        path, headers = "/score", {"Content-Type": random.choice(inputs.MEDIA)}
        if random.random() < 0.5:
            body = inputs.json_body(random)
        else:
            body, told = inputs.inference(random)
            headers |= told
            if self._served.name:
                path = f"/v2/models/{self._served.name}/infer"
        headers |= {"Host": "x", "Content-Length": str(len(body))} | ({"Connection": "close"} if last else {})
        lines = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
        return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._served.host, self._served.port, limit=2**24)

    def _count(self, told: bytes, made: bytes) -> int:
        statuses = list(map(int, _STATUS.findall(told)))
        self.counts.update(statuses)
        for status in statuses:
            if status not in ALLOWED and not (status == 500 and b"Scoring timeout after " in told):
                raise FuzzError(f"Answered {status}: {made!r}: {told!r}")
        return len([status for status in statuses if status != 100])


def fuzz(folder: Path, bundle: Path | None, count: int, seed: int) -> str:
    """Send so many inputs to one service. A line on what was seen; raises FuzzError."""
    with service(folder, bundle) as served:
        run = Fuzz(served, seed)
        # What is loaded at first use, and what the largest bodies leave behind, is there before.
        asyncio.run(Fuzz(served, -seed - 1).run(min(count, 4000)))
        time.sleep(LINGER_SECONDS)
        before = served.held()
        begun = time.monotonic()
        asyncio.run(run.run(count))
        seconds = time.monotonic() - begun
        if not served.right():
            raise FuzzError(f"Afterwards the sample is not answered rightly; the log is {served.log}.")
        end = time.monotonic() + PATIENCE_SECONDS
        # A refused connection lingers for a while.
        while (after := served.held()).descriptors > before.descriptors and time.monotonic() < end:
            time.sleep(0.1)
        if faults := served.faults():
            raise FuzzError(f"{len(faults)} lines of {served.log} tell of a fault: {faults[0]}")
        if after.memory_mb > before.memory_mb + GROWTH_MB:
            raise FuzzError(f"Memory went from {before.memory_mb:.1f} to {after.memory_mb:.1f} MB.")
        if after.processes != before.processes or after.connections or after.descriptors > before.descriptors:
            raise FuzzError(f"What it holds went from {before} to {after}.")
    statuses = ", ".join(f"{status}: {number}" for status, number in sorted(run.counts.items()))
    return (
        f"{'script' if bundle is None else 'bundle'}: {run.sent} inputs in {seconds:.0f} s, "
        f"memory {before.memory_mb:.1f} -> {after.memory_mb:.1f} MB, "
        f"descriptors {before.descriptors} -> {after.descriptors}; {statuses}"
    )


def main(arguments: list[str]) -> int:
    """Run; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None, help="where the bundle and the logs are kept")
    told = parser.parse_args(arguments)
    with contextlib.ExitStack() as stack:
        folder = told.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            bundle = make_bundle(folder / "bundle")
            print(fuzz(folder / "served", bundle, told.inputs * 7 // 10, told.seed), flush=True)
            print(fuzz(folder / "script", None, told.inputs - told.inputs * 7 // 10, told.seed), flush=True)
        except (BenchmarkError, ExceptionGroup) as error:
            causes = error.exceptions if isinstance(error, ExceptionGroup) else (error,)
            print(f"Error: {causes[0]}"[:4000], file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
