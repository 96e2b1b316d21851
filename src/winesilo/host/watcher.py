"""One thread that waits for descriptors: process ends (pidfd) and clients that hang up."""

from __future__ import annotations

import logging
import os
import select
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

#: POLLRDHUP of <poll.h>: the peer closed its end, or shut down writing.
HANGUP = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0x2000)
READABLE = select.POLLIN


class Watcher:
    """Calls back, once, from its own thread, when a descriptor becomes ready.  Callbacks must not block."""

    def __init__(self) -> None:
        self._poller = select.poll()
        self._watched: dict[int, tuple[int, Callable[[], None]]] = {}
        self._lock = threading.Lock()
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._poller.register(self._wake_read, select.POLLIN)
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._thread.start()

    def add(self, descriptor: int, events: int, callback: Callable[[], None]) -> None:
        """Watch a descriptor, which stays the caller's."""
        with self._lock:
            self._watched[descriptor] = (events, callback)
            self._poller.register(descriptor, events)
        self._wake()

    def remove(self, descriptor: int) -> None:
        """Stop watching; must come before the descriptor is closed."""
        with self._lock:
            if self._watched.pop(descriptor, None) is not None:
                self._poller.unregister(descriptor)

    def close(self) -> None:
        """End the thread."""
        self._closing = True
        self._wake()
        self._thread.join()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"x")
        except BlockingIOError:
            return  # full: the thread will wake up anyway

    def _run(self) -> None:
        while not self._closing:
            for descriptor, _ in self._poller.poll():
                if descriptor == self._wake_read:
                    os.read(self._wake_read, 4096)
                    continue
                if (callback := self._take_ready(descriptor)) is not None:
                    callback()

    def _take_ready(self, descriptor: int) -> Callable[[], None] | None:
        """The callback of a descriptor that is ready now.

        What poll() said may be about an earlier owner of the number, which was closed meanwhile and
        given to somebody else; so ask again, while nobody can add or remove it.
        """
        with self._lock:
            watched = self._watched.get(descriptor)
            if watched is None:
                return None
            events, callback = watched
            again = select.poll()
            again.register(descriptor, events)
            if not again.poll(0):
                return None
            del self._watched[descriptor]
            self._poller.unregister(descriptor)
            return callback
