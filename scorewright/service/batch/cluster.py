"""The Dask cluster that a job runs on: one of this machine's own, or one that is there."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any

import dask
from distributed import Client, LocalCluster, wait
from distributed.scheduler import KilledWorker

from scorewright.errors import BatchError
from scorewright.service.batch import host, parcel
from scorewright.service.batch.lanes import Lanes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from distributed import Future

    from scorewright.service.batch.mini_batch import MiniBatch
    from scorewright.service.batch.order import Order
    from scorewright.service.batch.settings import BatchSettings

AHEAD = 2
"""Mini-batches sent to each thread of a worker: the one it works at, and the next."""
CONNECT_SECONDS = 15
WORKERS_SECONDS = 120
"""How long a job waits for a cluster that has no worker (any more)."""
POLL_SECONDS = 0.25
LOST_WORKERS = 10
"""How many workers a mini-batch may lose before it is taken for the cause."""


class Cluster:
    """A connection to a scheduler, for one job."""

    def __init__(self, client: Client, job: str, *, own: bool) -> None:
        self._client = client
        self._job = job
        self._own = own

    @classmethod
    @contextlib.contextmanager
    def of(
        cls, scheduler: str | None, job: str, order: Order, settings: BatchSettings, logs: str | None, most: int
    ) -> Iterator[Cluster]:
        """Connect to the scheduler, or start a cluster here, and have its workers know the job.

        `most` is how many workers there is something to do for.

        Raises BatchError if the scheduler does not answer.
        """
        with contextlib.ExitStack() as stack:
            stack.enter_context(dask.config.set({"distributed.scheduler.allowed-failures": LOST_WORKERS}))
            workers = min(settings.max_concurrency, most)
            client = stack.enter_context(_connected(scheduler) if scheduler is not None else _own(workers, order))
            plugin = host.Host(
                job,
                order,
                concurrency=settings.max_concurrency if scheduler is not None else 1,
                tries=settings.max_retries + 1,
                timeout=settings.timeout,
                sent=None if scheduler is None else parcel.Parcel.of(order),
                log_folder=logs,
            )
            stack.enter_context(client.as_current())
            client.register_plugin(plugin, name=job)
            stack.callback(client.unregister_worker_plugin, job)
            yield cls(client, job, own=scheduler is None)

    def score(
        self, batches: Sequence[MiniBatch], cancelled: Callable[[], bool]
    ) -> Iterator[tuple[MiniBatch, dict[str, Any]]]:
        """Each mini-batch with what its Host answered, as they get done; ends early when cancelled.

        Raises BatchError if the cluster has no workers, or they cannot run it at all.
        """
        lanes = Lanes(batches)
        under_way: dict[Future, tuple[str, MiniBatch]] = {}
        seen = time.monotonic()
        try:
            while not cancelled():
                workers = self._client.nthreads()
                if workers:
                    seen = time.monotonic()
                elif time.monotonic() - seen > WORKERS_SECONDS:
                    raise BatchError(f"The cluster has had no worker for {WORKERS_SECONDS} s.", hint="Start workers.")
                self._give_out(lanes, workers, under_way)
                if not under_way and workers:
                    return
                for future in self._done(list(under_way)):
                    _, batch = under_way.pop(future)
                    yield batch, self._answer(future)
        finally:
            self._client.cancel(list(under_way), force=True)

    def _give_out(
        self, lanes: Lanes, workers: Mapping[str, int], under_way: dict[Future, tuple[str, MiniBatch]]
    ) -> None:
        """Send each worker as many mini-batches as it has room for."""
        if not self._own:
            # Workers come and go there, and Dask waits for ever for one that was named and is lost: Dask says who does
            # what.
            workers = {"": sum(workers.values())}
        room = {
            worker: AHEAD * threads - sum(sent_to == worker for sent_to, _ in under_way.values())
            for worker, threads in workers.items()
        }
        while any(left > 0 for left in room.values()):
            for worker in [worker for worker, left in room.items() if left > 0]:
                batch = lanes.next(worker)
                if batch is None:
                    return
                under_way[self._submit(batch, worker)] = worker, batch
                room[worker] -= 1

    def _submit(self, batch: MiniBatch, worker: str) -> Future:
        key = f"{self._job}-{batch.number}-{time.monotonic_ns()}"
        return self._client.submit(
            host.score,
            self._job,
            batch.to_dict(),
            key=key,
            pure=False,
            workers=[worker] if worker else None,
            allow_other_workers=bool(worker),
        )

    def _done(self, futures: list[Future]) -> list[Future]:
        if not futures:
            time.sleep(POLL_SECONDS)
            return []
        try:
            return list(wait(futures, timeout=POLL_SECONDS, return_when="FIRST_COMPLETED").done)
        except TimeoutError:
            return []

    def _answer(self, future: Future) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = future.result()
        except KilledWorker:
            return {"error": f"{LOST_WORKERS} workers ended while they worked at it."}
        except Exception as error:
            raise BatchError(
                f"A worker cannot run the job: {type(error).__name__}: {error}.",
                hint="It needs scorewright[batch] in the release that is here, and what the script imports.",
            ) from error
        finally:
            future.release()
        return answer


@contextlib.contextmanager
def _connected(scheduler: str) -> Iterator[Client]:
    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise BatchError(
            f"The Dask scheduler {scheduler} does not answer: {error}.",
            hint="Is it running, and is that its address (tcp://HOST:8786)?",
        ) from None
    with client:
        yield client


@contextlib.contextmanager
def _own(workers: int, order: Order) -> Iterator[Client]:
    """A cluster within this process: its workers only wait for the processes that they hold, one each.

    Nobody else reaches it: it listens to nothing but the loopback address, and there to no task.
    """
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=False,
                memory_limit=0,
                dashboard_address="127.0.0.1:0",
                worker_dashboard_address="127.0.0.1:0",
                silence_logs=logging.ERROR,
                local_directory=order.scratch,
            )
        )
        yield stack.enter_context(Client(cluster, timeout=CONNECT_SECONDS, set_as_default=False))
