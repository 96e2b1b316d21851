"""Asking a host's daemon, and starting it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from winesilo.daemon.protocol import Channel, address_of
from winesilo.errors import (
    DaemonError,
    HostBusy,
    HostNotRunning,
    HostStartFailed,
    ProtocolError,
    SiloNotRunning,
    UsageError,
    from_wire,
)
from winesilo.host import process
from winesilo.host.base import OnProgress, load_info
from winesilo.host.files import os_errors
from winesilo.host.paths import DEFAULT_HOST, HostPaths
from winesilo.vm import events, printed, views
from winesilo.vm.store import Store

START_TIMEOUT_S: Final = 30.0
_STOP_TIMEOUT_S: Final = 30.0
_CANCEL_TIMEOUT_S: Final = 30.0
_RETRY_S: Final = 0.02
#: Methods that start the daemon if it does not run.
STARTING: Final = frozenset(
    {"silo.create", "silo.start", "silo.restart", "silo.rm", "silo.clone", "silo.cp", "silo.diff"}
)


class Client:
    """Requests to one host.  Each call is a connection of its own, so threads may share a client.

    Args:
        host_name: which host.

    Raises:
        InvalidName: the name is not allowed.
    """

    def __init__(self, host_name: str = DEFAULT_HOST) -> None:
        self.paths = HostPaths.of(host_name)

    def running(self) -> bool:
        """Whether the daemon answers."""
        try:
            with self._connected():
                return True
        except HostNotRunning:
            return False

    def call(
        self, method: str, params: Mapping[str, Any] | None = None, on_progress: OnProgress | None = None
    ) -> Any:
        """Make a request and wait for its result.

        What can be answered from disk is, while the daemon does not run; methods in ``STARTING``
        start it.  Interrupting the call (Ctrl-C) cancels the request in the daemon.

        Args:
            method: see :mod:`winesilo.daemon.methods`.
            params: its parameters.
            on_progress: called with a text and, where known, the share done.

        Raises:
            WinesiloError: whatever the daemon answered, as the same class.
            HostNotInitialised, HostNotRunning, HostStartFailed.
        """
        result, fds = self.call_with_fds(method, params, on_progress)
        for descriptor in fds:
            os.close(descriptor)
        return result

    def call_with_fds(
        self, method: str, params: Mapping[str, Any] | None = None, on_progress: OnProgress | None = None
    ) -> tuple[Any, list[int]]:
        """As :meth:`call`; the descriptors that came with the result become the caller's."""
        params = dict(params or {})
        try:
            return self._ask(method, params, on_progress)
        except HostNotRunning:
            load_info(self.paths)
            if method not in STARTING:
                return self._offline(method, params), []
        start_daemon(self.paths.name, on_progress)
        return self._ask(method, params, on_progress)

    def _ask(
        self, method: str, params: Mapping[str, Any], on_progress: OnProgress | None
    ) -> tuple[Any, list[int]]:
        with self._connected() as channel:
            pid = peer_pid(channel.socket)
            with _namespace_end(pid) if method == "host.stop" else contextlib.nullcontext() as ended:
                try:
                    channel.send({"method": method, "params": params})
                    result = self._result(channel, on_progress)
                except (KeyboardInterrupt, SystemExit):
                    _give_up(channel)
                    raise
                except OSError as error:
                    raise DaemonError(
                        f"the connection to the host's daemon broke: {error.strerror}",
                        f"see {self.paths.daemon_log}",
                    ) from error
                if ended is not None:
                    ended()
            if isinstance(result, dict) and method == "host.status":
                result["pid"] = pid
            if isinstance(result, dict) and method == "silo.exec":
                result["ns_pid"] = pid
            return result, channel.take_fds()

    def _result(self, channel: Channel, on_progress: OnProgress | None) -> Any:
        while (message := channel.receive()) is not None:
            if "result" in message:
                return message["result"]
            if "error" in message:
                raise from_wire(message["error"])
            progress = message.get("progress")
            if not isinstance(progress, dict):
                raise ProtocolError("the daemon sent a message that is neither progress nor result")
            if on_progress is not None:
                on_progress(str(progress.get("text")), progress.get("done"))
        raise DaemonError("the host's daemon ended before it answered", f"see {self.paths.daemon_log}")

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Channel]:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        channel = Channel(connection)
        try:
            try:
                with address_of(self.paths.socket) as address:
                    connection.connect(address)
            except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
                raise HostNotRunning(
                    f"the host {self.paths.name!r} is not running", "it starts with the first silo"
                ) from None
            except OSError as error:
                raise DaemonError(f"cannot connect to {self.paths.socket}: {error.strerror}") from error
            yield channel
        finally:
            channel.close()

    def _offline(self, method: str, params: Mapping[str, Any]) -> Any:
        """What can be said while the daemon does not run."""
        store = Store(self.paths)
        name = params.get("name")
        if method == "host.status":
            return self._offline_status(store)
        if method == "host.stop":
            raise HostNotRunning(f"the host {self.paths.name!r} is not running")
        if method == "silo.ls":
            return views.list_stopped(store)
        if not isinstance(name, str):
            raise UsageError("name is missing")
        record = store.load(name)
        if method == "silo.inspect":
            return views.stopped(store, record)
        if method == "silo.logs":
            return views.logs(store, name, params.get("service"), int(params.get("lines") or 100))
        if method == "silo.events":
            return events.events(
                store, name, params.get("service"), params.get("log"), int(params.get("lines") or 100)
            )
        raise SiloNotRunning(f"the silo {name!r} is not running", f"run: silo start {name}", name=name)

    def _offline_status(self, store: Store) -> dict[str, Any]:
        info = load_info(self.paths)
        return {
            "name": self.paths.name,
            "initialised": True,
            "running": False,
            "wine": info.wine,
            "base": str(self.paths.base),
            "pid": None,
            "silos": len(store.names()),
            "silos_running": 0,
            "overlay": None,
            "user_namespace": None,
            "uptime_s": 0.0,
            "memory_pss_bytes": 0,
        }


def _give_up(channel: Channel) -> None:
    """Cancel the request and wait until the daemon has undone it, or done it whole.

    Whoever is interrupted can clean up after this: nothing goes on behind its back.
    """
    with contextlib.suppress(OSError, ProtocolError):
        channel.socket.settimeout(_CANCEL_TIMEOUT_S)
        channel.socket.shutdown(socket.SHUT_WR)
        while (message := channel.receive()) is not None:
            if "progress" not in message:
                break


def start_daemon(host_name: str, on_progress: OnProgress | None = None) -> None:
    """Start a host's daemon, unless it runs; returns when it takes requests.

    Args:
        host_name: which host.
        on_progress: told that the host is being started.

    Raises:
        HostNotInitialised, BaseDamaged, WineNotFound, NamespaceError, OverlayError, LibraryMissing ...
        HostStartFailed: it ended without saying why.
    """
    client = Client(host_name)
    load_info(client.paths)
    if client.running():
        return
    if on_progress is not None:
        on_progress(f"starting the host {host_name!r}", None)
    try:
        _spawn_daemon(client.paths)
    except HostBusy:
        _wait_for_other(client)


def _spawn_daemon(paths: HostPaths) -> None:
    with os_errors("start the host"), paths.daemon_log.open("ab") as log:
        if log.tell() > 1 << 20:
            log.truncate(0)
        child = process.spawn(
            [sys.executable, "-m", "winesilo.daemon", paths.name],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            cwd=paths.data,
            stdout=process.PIPE,
            stderr=log,
            new_session=True,
        )
    assert child.stdout is not None
    with child.stdout as stdout:
        readable, _, _ = select.select([stdout], [], [], START_TIMEOUT_S)
        line = stdout.readline() if readable else b""
    if not line:
        child.kill()
        child.wait()
        tail = printed.tail(paths.daemon_log, 5)
        raise HostStartFailed(
            f"the host's daemon did not start: {tail or 'no message'}", f"see {paths.daemon_log}"
        )
    message = json.loads(line)
    child.wait()
    if "error" in message:
        raise from_wire(message["error"])


def _wait_for_other(client: Client) -> None:
    """Another process starts the daemon (or initialises the host) right now."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not client.running():
        if time.monotonic() > deadline:
            raise HostBusy(
                f"the host {client.paths.name!r} is being started or initialised by another process, which"
                " takes too long",
                f"see {client.paths.daemon_log}",
            )
        time.sleep(_RETRY_S)  # the other process tells only its own parent when it is ready


def peer_pid(connection: socket.socket) -> int:
    """Process id, in our pid namespace, of whoever listens at the other end (SO_PEERCRED)."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", raw)[0])


@contextlib.contextmanager
def _namespace_end(pid: int) -> Iterator[Callable[[], None]]:
    """Watch the daemon's pid namespace from now on; the yielded function waits until it is empty.

    The daemon's parent is the namespace's first process, which ends last.
    """
    descriptor = -1
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("PPid:"):
                descriptor = os.pidfd_open(int(line.split()[1]))
    except OSError:
        pass  # it has ended already
    try:
        yield lambda: None if descriptor < 0 else _wait_readable(descriptor)
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _wait_readable(descriptor: int) -> None:
    select.select([descriptor], [], [], _STOP_TIMEOUT_S)
