"""What is done for running silos every second: saving their registry, keeping their folders' listings."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from winesilo.errors import WinesiloError

log = logging.getLogger(__name__)

_EVERY_S: Final = 1.0


class Housekeeper:
    """Does jobs of running silos every second, in one thread.

    It is for what nothing signals; a job should cost next to nothing when there is nothing to do.
    """

    def __init__(self) -> None:
        self._jobs: dict[int, list[Callable[[], object]]] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeper", daemon=True)
        self._thread.start()

    def add(self, silo_id: int, job: Callable[[], object]) -> None:
        """Do a job from now on.

        Args:
            silo_id: whose it is.
            job: does nothing when its time is over: it may be called once more after :meth:`remove`.
        """
        with self._lock:
            self._jobs.setdefault(silo_id, []).append(job)

    def remove(self, silo_id: int) -> None:
        """Stop doing a silo's jobs."""
        with self._lock:
            self._jobs.pop(silo_id, None)

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        reported: dict[Callable[[], object], str] = {}
        while not self._stop.wait(_EVERY_S):
            with self._lock:
                jobs = [(silo_id, job) for silo_id, jobs in self._jobs.items() for job in jobs]
            for silo_id, job in jobs:
                try:
                    job()
                    reported.pop(job, None)
                except WinesiloError as error:
                    if reported.get(job) != error.message:
                        log.error("silo %d: %s", silo_id, error.message)
                    reported[job] = error.message
