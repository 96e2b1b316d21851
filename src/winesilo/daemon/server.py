"""Serving requests: the control socket, one thread per connection."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import IO, Any

from winesilo.daemon.methods import METHODS, Request
from winesilo.daemon.params import Params
from winesilo.daemon.protocol import Channel, address_of
from winesilo.errors import Cancelled, DaemonError, ProtocolError, UsageError, WinesiloError, to_wire
from winesilo.host.files import os_errors
from winesilo.host.paths import HostPaths
from winesilo.host.runtime import HostRuntime
from winesilo.host.watcher import HANGUP, Watcher
from winesilo.vm.engine import Engine

log = logging.getLogger(__name__)


class Server:
    """The daemon of one host, inside its namespaces.

    Args:
        paths: the host.
        user_namespace: whether we are in a user namespace of our own.
        log_file: for the standard error of what we start.
    """

    def __init__(self, paths: HostPaths, user_namespace: bool, log_file: IO[Any]) -> None:
        self.paths = paths
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._failed = False
        self._stopping = False
        self._requests: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self._watcher = Watcher()
        self._runtime = HostRuntime(paths, user_namespace, log_file, self._watcher, self._fail)
        self._ready: Future[None] = Future()
        self._engine = Engine(self._runtime, self._ready, self._watcher)
        self._booting = threading.Thread(target=self._boot, name="boot", daemon=True)
        self._listener = self._listen()

    def _listen(self) -> socket.socket:
        self.paths.socket.unlink(missing_ok=True)  # we hold the host's lock: it is a dead daemon's
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with address_of(self.paths.socket) as address:
            listener.bind(address)
        self.paths.socket.chmod(0o600)
        listener.listen(64)
        return listener

    # -- life ---------------------------------------------------------------------------------

    def run(self, on_listening: Callable[[], None]) -> int:
        """Serve until told to stop; returns the exit code.

        Args:
            on_listening: called once requests can be made (Wine may still be starting).
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        self._booting.start()
        on_listening()
        try:
            self._accept()
        finally:
            self._shut_down()
        return 1 if self._failed else 0

    def _boot(self) -> None:
        try:
            with os_errors("start the host's Wine"):
                self._runtime.start()
        except WinesiloError as error:
            self._ready.set_exception(error)
            if not self._stopping:
                log.error("%s", error.message)
                self._fail()
        else:
            self._ready.set_result(None)

    def _fail(self) -> None:
        """The host's Wine is gone: nothing can go on."""
        self._failed = True
        self._stop()

    def _stop(self) -> None:
        with contextlib.suppress(OSError):
            os.write(self._wake_write, b"x")

    def _accept(self) -> None:
        poller = select.poll()
        poller.register(self._listener, select.POLLIN)
        poller.register(self._wake_read, select.POLLIN)
        while True:
            ready = [descriptor for descriptor, _ in poller.poll()]
            if self._wake_read in ready:
                return
            connection, _ = self._listener.accept()
            thread = threading.Thread(target=self._serve, args=(Channel(connection),), daemon=True)
            with self._lock:
                self._requests.add(thread)
            thread.start()

    def _shut_down(self) -> None:
        self.paths.socket.unlink(missing_ok=True)
        self._listener.close()
        if not self._failed:
            self._engine.close()
        self._stop_wine()
        with self._lock:
            pending = list(self._requests)
        for thread in pending:
            thread.join(1.0)
        self._runtime.remove_directories()
        self._watcher.close()

    # -- requests -----------------------------------------------------------------------------

    def _serve(self, channel: Channel) -> None:
        try:
            message = channel.receive()
            if message is not None:
                self._answer(channel, message)
        except (OSError, ProtocolError) as error:
            log.info("a client went away: %s", error)
        finally:
            channel.close()
            with self._lock:
                self._requests.discard(threading.current_thread())

    def _answer(self, channel: Channel, message: dict[str, Any]) -> None:
        stop = threading.Event()
        params = message.get("params")
        request = Request(
            self._engine,
            Params(params if isinstance(params, dict) else {}),
            lambda text, done: channel.send({"progress": {"text": text, "done": done}}),
            stop.set,
        )
        descriptor = channel.socket.fileno()
        self._watcher.add(descriptor, HANGUP, request.cancelled.set)
        try:
            reply = self._reply(str(message.get("method")), request)
        finally:
            self._watcher.remove(descriptor)
        try:
            if stop.is_set():
                self._finish_stop()
            channel.send(reply, request.fds)
        finally:
            for passed in request.fds:
                os.close(passed)
            if stop.is_set():
                self._stop()

    def _finish_stop(self) -> None:
        """Stop all silos and Wine before the client hears that the host has stopped."""
        self.paths.socket.unlink(missing_ok=True)
        self._engine.close()
        self._stop_wine()

    def _stop_wine(self) -> None:
        """Also if it is just starting: that is over when this returns, and has left nothing."""
        self._stopping = True
        self._runtime.stop()
        self._booting.join()

    def _reply(self, name: str, request: Request) -> dict[str, Any]:
        method = METHODS.get(name)
        try:
            if method is None:
                raise UsageError(f"the daemon knows no method {name!r}", "is it of another winesilo version?")
            return {"result": method(request)}
        except Cancelled as error:
            log.info("%s: %s", name, error.message)
            return {"error": to_wire(error)}
        except WinesiloError as error:
            return {"error": to_wire(error)}
        except Exception as error:
            log.exception("%s failed", name)
            problem = DaemonError(f"internal error in {name}: {error}", f"see {self.paths.daemon_log}")
            return {"error": to_wire(problem)}
