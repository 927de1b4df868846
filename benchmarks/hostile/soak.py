"""`python -m benchmarks.hostile.soak --minutes M`: mixed traffic with clients that behave badly; does anything grow?

Two services get it at once: a generated bundle and an entry script whose answers can be made piece by piece. Memory,
file descriptors and threads are sampled from outside. Tasks of the event loop cannot be seen from there; each belongs
to a connection or a request, so that in the end the descriptors and the memory tell of those left.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from benchmarks.errors import BenchmarkError
from benchmarks.hostile import inputs
from benchmarks.hostile.process import Held, Service, make_bundle, service

SLOPE_MB = 1.0
"""By how many MB the memory may grow in an hour, fitted; or within what is noise in a short run: NOISE_MB in all."""

NOISE_MB = 6.0
WARM_SHARE = 0.2
"""The first part of the samples, in which what is loaded at first use comes, is left out of the fit."""

SAMPLES = 200
PAUSE_SECONDS = 0.005
PATIENCE_SECONDS = 30.0
SLOW_BYTES_SECONDS = 0.2


@dataclass
class Seen:
    """What came of it: `counts` by kind of request; `samples` are seconds and what was held then."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    samples: list[tuple[float, Held]] = field(default_factory=list)

    def slope(self) -> tuple[float, float]:
        """MB an hour, by least squares, and MB over the fitted span."""
        kept = self.samples[int(len(self.samples) * WARM_SHARE) :]
        times = [at for at, _ in kept]
        sizes = [held.memory_mb for _, held in kept]
        mean_time, mean_size = sum(times) / len(times), sum(sizes) / len(sizes)
        spread = sum((at - mean_time) ** 2 for at in times)
        a_second = sum((at - mean_time) * (size - mean_size) for at, size in zip(times, sizes, strict=True)) / spread
        return a_second * 3600, a_second * (times[-1] - times[0])


class Client:
    """Traffic on one service, of all kinds in turn by chance."""

    def __init__(self, served: Service, seed: str, seen: Seen) -> None:
        self._served = served
        self._random = Random(seed)  # noqa: S311 - the same traffic each time
        self._seen = seen
        self._infer = f"/v2/models/{served.name}/infer"

    async def until(self, end: float) -> None:
        """Ask until then, on the monotonic clock."""
        kinds = [self._right, self._many, self._bad, self._leaves, self._reads_half]
        weights = [30, 10, 20, 20, 10]
        if self._served.name:
            kinds.append(self._inference)
        else:
            kinds.append(self._streamed)
        weights.append(10)
        while time.monotonic() < end:
            kind = self._random.choices(kinds, weights)[0]
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await kind()
                self._seen.counts[kind.__name__.strip("_")] += 1
            except TimeoutError:
                self._seen.wrong.append(f"{kind.__name__}: no end within {PATIENCE_SECONDS:.0f} s")
            except OSError as error:
                self._seen.wrong.append(f"{kind.__name__}: {error!r}")
            await asyncio.sleep(PAUSE_SECONDS)

    async def slowly_until(self, end: float) -> None:
        """Send requests byte by byte, and leave amid them or be told off."""
        while time.monotonic() < end:
            _, writer = await asyncio.open_connection(self._served.host, self._served.port)
            with contextlib.suppress(OSError):
                for byte in self._post("/score", b"x" * 40)[: self._random.randrange(5, 120)]:
                    writer.write(bytes((byte,)))
                    await writer.drain()
                    await asyncio.sleep(SLOW_BYTES_SECONDS * self._random.random())
                    if time.monotonic() > end:
                        break
            await _close(writer)
            self._seen.counts["slowly"] += 1

    async def _right(self) -> None:
        sample = self._served.sample or b"12345"
        status, answer = await self._ask(self._post("/score", sample))
        self._expect(
            status == 200 and (not self._served.sample or json.loads(answer) == json.loads(self._served.expected)),
            answer,
        )

    async def _many(self) -> None:
        rows = [[1.0, 2.0, 3.0, 4.0]] * self._random.choice((100, 1000, 5000))
        status, answer = await self._ask(self._post("/score", json.dumps({"data": rows, "method": "predict"}).encode()))
        self._expect(
            status == 200 and (not self._served.name or len(json.loads(answer)["predict"]) == len(rows)), answer
        )

    async def _inference(self) -> None:
        if self._random.random() < 0.5:
            body, headers = inputs.inference(self._random)
            status, answer = await self._ask(self._post(self._infer, body, **headers))
            self._expect(status in (200, 400, 413, 415), answer)
        else:
            made = b'{"inputs": [{"name": "data", "shape": [1, 4], "datatype": "FP64", "data": [1, 2, 3, 4]}]}'
            status, answer = await self._ask(self._post(self._infer, made))
            self._expect(status in (200, 400), answer)

    async def _bad(self) -> None:
        reader, writer = await asyncio.open_connection(self._served.host, self._served.port)
        with contextlib.suppress(OSError):
            writer.write(inputs.raw(self._random))
            writer.write_eof()
            await reader.read()
        await _close(writer)

    async def _leaves(self) -> None:
        """Goes away in any phase: within the head, the body, while it is scored, while it is answered."""
        made = self._post("/score", self._served.sample or b"x" * self._random.choice((10, 100_000)))
        made = made[: self._random.randrange(1, len(made) + 1)] if self._random.random() < 0.7 else made
        _, writer = await asyncio.open_connection(self._served.host, self._served.port)
        writer.write(made)
        await asyncio.sleep(self._random.choice((0, 0, 0.002, 0.02)))
        writer.transport.abort()

    async def _streamed(self) -> None:
        status, answer = await self._ask(self._post("/score?stream=300", b"x"))
        self._expect(status == 200 and answer.count(b"x" * 1000) == 300, answer[:200])

    async def _reads_half(self) -> None:
        """Asks for a long answer and leaves amid it."""
        reader, writer = await asyncio.open_connection(self._served.host, self._served.port)
        body = json.dumps({"data": [[1.0, 2.0, 3.0, 4.0]] * 2000}).encode()
        writer.write(self._post("/score?stream=3000", body))
        await reader.read(100)
        writer.transport.abort()

    def _expect(self, right: bool, answer: bytes) -> None:
        if not right:
            self._seen.wrong.append(repr(answer[:300]))

    async def _ask(self, made: bytes) -> tuple[int, bytes]:
        reader, writer = await asyncio.open_connection(self._served.host, self._served.port)
        writer.write(made)
        told = await reader.read()
        await _close(writer)
        head, _, body = told.partition(b"\r\n\r\n")
        return int(head[9:12] or 0), body

    def _post(self, path: str, body: bytes, **headers: str) -> bytes:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n{lines}\r\n"
        return head.encode() + body


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _soak(services: list[Service], seconds: float, clients: int) -> list[Seen]:
    seen = [Seen() for _ in services]
    begun = time.monotonic()
    end = begun + seconds

    async def sample() -> None:
        while time.monotonic() < end:
            for served, own in zip(services, seen, strict=True):
                own.samples.append((time.monotonic() - begun, await asyncio.to_thread(served.held)))
            await asyncio.sleep(seconds / SAMPLES)

    async with asyncio.TaskGroup() as group:
        group.create_task(sample())
        for number, (served, own) in enumerate(zip(services, seen, strict=True)):
            for client in range(clients):
                group.create_task(Client(served, f"{number} {client}", own).until(end))
            for client in range(2):
                group.create_task(Client(served, f"{number} slow {client}", own).slowly_until(end))
    return seen


def soak(folder: Path, seconds: float, *, clients: int = 4) -> list[str]:
    """A line for each service. Raises BenchmarkError if an answer was wrong, or anything grew."""
    with contextlib.ExitStack() as stack:
        served = [
            stack.enter_context(service(folder / "served", make_bundle(folder / "bundle"))),
            stack.enter_context(service(folder / "script", None)),
        ]
        for one in served:
            one.right()
        at_rest = [one.held() for one in served]
        seen = asyncio.run(_soak(served, seconds, clients))
        return [_verdict(one, rest, own) for one, rest, own in zip(served, at_rest, seen, strict=True)]


def _verdict(served: Service, rest: Held, seen: Seen) -> str:
    end = time.monotonic() + PATIENCE_SECONDS
    while (after := served.held()).descriptors > rest.descriptors + 1 and time.monotonic() < end:
        time.sleep(0.1)
    hourly, grown = seen.slope()
    counts = ", ".join(f"{kind} {number}" for kind, number in sorted(seen.counts.items()))
    first = seen.samples[0][1]
    line = (
        f"{served.name or 'script'}: {seen.counts.total()} requests ({counts}); "
        f"memory {hourly:+.2f} MB/h ({grown:+.2f} over the span, {first.memory_mb:.1f} -> {after.memory_mb:.1f} MB), "
        f"descriptors {rest.descriptors} -> {after.descriptors}, threads {rest.threads} -> {after.threads}, "
        f"connections left {after.connections}"
    )
    faults = [*seen.wrong, *served.faults()]
    if not served.right():
        faults.append("the sample is not answered rightly")
    if hourly > SLOPE_MB and grown > NOISE_MB:
        faults.append("memory grew")
    # One more: a descriptor of the batch jobs' database, opened at first use.
    if after.descriptors > rest.descriptors + 1 or after.connections:
        faults.append("descriptors are left")
    # asyncio's pool of threads for files has as many as processors and 4.
    if after.threads > rest.threads + 8 or after.processes != rest.processes:
        faults.append(f"threads or processes are left: {rest} -> {after}")
    if faults:
        raise BenchmarkError(f"{line}: {len(faults)} faults: {faults[0]}")
    return line


def main(arguments: list[str]) -> int:
    """Run; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--folder", type=Path, default=None, help="where the bundle and the logs are kept")
    told = parser.parse_args(arguments)
    with contextlib.ExitStack() as stack:
        folder = told.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            for line in soak(folder, told.minutes * 60):
                print(line, flush=True)
        except BenchmarkError as error:
            print(f"Error: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
