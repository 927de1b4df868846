"""What a Dask worker does for a job: it holds the processes that run the script, and tries mini-batches on them."""

from __future__ import annotations

import os
import queue
import shutil
import socket
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distributed import WorkerPlugin, get_worker

from scorewright.service.batch.mini_batch import MiniBatch
from scorewright.service.batch.script_handle import ScriptEndedError, ScriptHandle

if TYPE_CHECKING:
    from scorewright.service.batch.order import Order
    from scorewright.service.batch.parcel import Parcel


class Host(WorkerPlugin):  # type: ignore[misc, unused-ignore]
    """One job on one Dask worker. At most `concurrency` processes; each loads the model once.

    `sent` is what the worker needs and cannot read where the job was started: the script's folder and the model's.
    `log_folder` None leaves what the script prints in a folder that ends with the job.
    """

    def __init__(
        self,
        job: str,
        order: Order,
        *,
        concurrency: int,
        tries: int,
        timeout: float,
        sent: Parcel | None,
        log_folder: str | None,
    ) -> None:
        self.name = job
        self._order = order
        self._concurrency = concurrency
        self._tries = tries
        self._timeout = timeout
        self._sent = sent
        self._log_folder = log_folder

    def setup(self, worker: Any) -> None:
        """Called by Dask on every worker, also on one that comes later."""
        del worker
        self._closed = False
        self._places = threading.Semaphore(self._concurrency)
        self._idle: queue.LifoQueue[ScriptHandle] = queue.LifoQueue()
        self._busy: set[ScriptHandle] = set()
        self._lock = threading.Lock()
        folder = self._order.scratch
        self._scratch = Path(tempfile.mkdtemp(prefix="host-", dir=folder if Path(folder).is_dir() else None))
        self._order = replace(self._order, scratch=str(self._scratch))
        if self._sent is not None:
            self._order = self._sent.unpack(self._scratch, self._order)
        logs = Path(self._log_folder) if self._log_folder is not None and Path(self._log_folder).is_dir() else None
        self._log = (logs or self._scratch) / f"{socket.gethostname()}-{os.getpid()}.log"

    def teardown(self, worker: Any) -> None:
        """Called by Dask when the job or the worker ends."""
        del worker
        with self._lock:
            self._closed = True
            busy = list(self._busy)
        for handle in busy:
            handle.kill()
        while not self._idle.empty():
            self._idle.get().close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def score(self, batch: MiniBatch) -> dict[str, Any]:
        """The mini-batch's note, or `error` after the last try, or `fatal` if no other would fare better."""
        answer: dict[str, Any] = {}
        with self._places:
            for number in range(1, self._tries + 1):
                answer = self._tried(batch)
                answer["tries"] = number
                if "error" not in answer:
                    break
        return answer

    def _tried(self, batch: MiniBatch) -> dict[str, Any]:
        try:
            handle = self._idle.get_nowait()
        except queue.Empty:
            handle = ScriptHandle.spawn(self._order, self._log)
        with self._lock:
            self._busy.add(handle)
            if self._closed:
                handle.kill()
        try:
            answer = {} if handle.started else handle.start()
            if "fatal" not in answer:
                answer = handle.score(batch, self._timeout)
        except ScriptEndedError as error:
            return {"error": str(error)}
        finally:
            with self._lock:
                self._busy.discard(handle)
        if "fatal" in answer:
            handle.close()
        else:
            self._idle.put(handle)
        return answer


def score(job: str, told: dict[str, Any]) -> dict[str, Any]:
    """What Dask runs on a worker for each mini-batch: the job's Host does it."""
    host: Host = get_worker().plugins[job]
    return host.score(MiniBatch.of(told))
