"""How long to wait for a service: its own progress reports within the caller's deadline."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from winesilo.rpc.scmextra import Status

#: Our SCM, like Windows', gives a service that names no wait hint this long for its next report.
DEFAULT_HINT_S: Final = 10.0


class Deadline:
    """A point in time, and when a pending service counts as hung.

    A pending service shows progress by raising its checkpoint and says with its wait hint how long the
    next step may take (MS-SCMR 2.2.47).  It is hung when that time passes without progress.

    Args:
        timeout_s: the caller's limit for everything.
        clock: returns seconds, monotonic.
    """

    def __init__(self, timeout_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.timeout_s = timeout_s
        self._began = clock()
        self._last_progress = self._began
        self._seen: tuple[int, int] | None = None
        self._hint_s = DEFAULT_HINT_S

    @property
    def at(self) -> float:
        """The limit on the clock."""
        return self._began + self.timeout_s

    @property
    def elapsed_s(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._began

    @property
    def left_s(self) -> float:
        """Seconds until the limit, never negative."""
        return max(self.at - self._clock(), 0.0)

    def observe(self, status: Status) -> None:
        """Take note of a status; a new state or checkpoint is progress."""
        progress = (status.state, status.checkpoint)
        if progress != self._seen:
            self._seen = progress
            self._last_progress = self._clock()
            self._hint_s = max(status.wait_hint / 1000, DEFAULT_HINT_S)

    @property
    def passed(self) -> bool:
        """The limit is over."""
        return self._clock() >= self.at

    @property
    def hung(self) -> bool:
        """The limit is over, or the service made no progress for longer than it said."""
        return self.passed or self._clock() - self._last_progress > self._hint_s

    @property
    def waited_s(self) -> float:
        """How long nothing has moved."""
        return self._clock() - self._last_progress

    @property
    def patience_s(self) -> float:
        """Seconds from now until it counts as hung, never more than until the limit."""
        return max(min(self._hint_s - self.waited_s, self.left_s), 0.001)
