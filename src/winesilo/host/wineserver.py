"""The host's wineserver: started by us, in the foreground, and kept without clients."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from winesilo.errors import HostStartFailed
from winesilo.host import process
from winesilo.host.files import remove_tree, write_atomic
from winesilo.host.wine import Wine, environment

START_TIMEOUT_S: Final = 20.0
STOP_TIMEOUT_S: Final = 10.0
#: Nothing signals that the server listens (it runs in the foreground), so we look this often.
_POLL_S: Final = 0.002
#: The file of a prefix with the name of a directory in /tmp in which Debian's wineserver makes its own, where
#: there is no /run/user/UID (Debian's patch ``fixes/temporary-directory``).
_NAME_FILE: Final = "wineserver"
#: How long a client may take to end by itself when its server has, in seconds.
_CLIENT_GRACE_S: Final = 1.0


class WineServer:
    """A running wineserver for one prefix.

    Its socket's directory is read from ``/proc/PID/cwd``, which holds for every distribution's
    idea of where that directory should be.

    Args:
        wine: the installation.
        prefix: the Wine prefix; must exist.
        log: its standard error.

    Raises:
        HostStartFailed: it ended at once or does not listen.
    """

    def __init__(self, wine: Wine, prefix: Path, log: int | IO[Any] = process.DEVNULL) -> None:
        self._prefix = prefix
        _name_directory(prefix)
        self.process = process.spawn(
            [str(wine.server), "-f", "-p"], env=environment(prefix), cwd=prefix, stderr=log
        )
        try:
            self.directory = self._wait_listening()
        except BaseException:
            if self.alive:  # one that has ended may have done so because another one serves this prefix
                process.end(self.process, 1.0)
                remove_directory_of(prefix)
            raise

    def _wait_listening(self) -> Path:
        deadline = time.monotonic() + START_TIMEOUT_S
        with _pidfd(self.process.pid) as ended:
            while time.monotonic() < deadline:
                if select.select([ended], [], [], _POLL_S)[0]:
                    raise HostStartFailed(
                        f"the wineserver ended at once (exit code {self.process.wait()})",
                        "does another wineserver use this prefix? see the host's daemon.log",
                    )
                directory = Path(os.readlink(f"/proc/{self.process.pid}/cwd"))
                if directory.name.startswith("server-") and self._listens(directory):
                    return directory
        raise HostStartFailed(f"the wineserver does not listen after {START_TIMEOUT_S:g} s")

    @staticmethod
    def _listens(directory: Path) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(directory / "socket"))
            except OSError:
                return False
            return True

    def connect(self) -> socket.socket:
        """A fresh connection, for the ``WINESERVERSOCKET`` of one new Wine process.

        SO_PASSCRED is set before connecting, as Wine's own client does.

        Raises:
            HostStartFailed: the server is gone.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            connection.connect(str(self.directory / "socket"))
        except OSError as error:
            connection.close()
            raise HostStartFailed(f"the wineserver does not answer: {error.strerror}") from error
        return connection

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    def stop(self) -> None:
        """End it, which saves the prefix's registry first (as ``wineserver -k``), and all its clients."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is not None:
                break
            self.process.send_signal(number)
            with contextlib.suppress(process.TimeoutExpired):
                self.process.wait(STOP_TIMEOUT_S)
        self.process.wait()
        self._end_clients()
        remove_directory(self.directory)

    def _end_clients(self) -> None:
        """End those that outlive the server: one that was starting waits for ever for its first reply."""
        process.end_all(lambda: clients(self._prefix), _CLIENT_GRACE_S, STOP_TIMEOUT_S)


def _name_directory(prefix: Path) -> None:
    """Choose the name: Wine would make the directory first, and leave it if it is killed at that moment."""
    if not (prefix / _NAME_FILE).exists():
        name = f"wine-{os.urandom(8).hex()}"
        write_atomic(prefix / _NAME_FILE, name.encode(), mode=0o400, sync=False)  # Wine takes no other mode


def remove_directory_of(prefix: Path) -> None:
    """Remove what a killed wineserver of a prefix left in /tmp."""
    try:
        name = (prefix / _NAME_FILE).read_text().strip()
    except (OSError, UnicodeDecodeError):
        return
    if re.fullmatch(r"wine-[A-Za-z0-9]{6,}", name):
        directory = Path("/tmp", name)  # noqa: S108 - where Wine puts it; the owner is checked
        with contextlib.suppress(OSError):
            if directory.lstat().st_uid == os.getuid():
                remove_tree(directory)


def clients(prefix: Path) -> list[int]:
    """Unix ids of the Wine processes of a prefix, the wineserver included."""
    return process.with_variable("WINEPREFIX", str(prefix))


def remove_directory(directory: Path) -> None:
    """Remove the directory of a server that has ended, and the ``/tmp/wine-XXXXXX`` of Debian around it."""
    for leftover in ("socket", "lock"):
        with contextlib.suppress(OSError):
            (directory / leftover).unlink()
    with contextlib.suppress(OSError):
        directory.rmdir()
    if directory.parent.name.startswith("wine-"):
        with contextlib.suppress(OSError):
            directory.parent.rmdir()


@contextlib.contextmanager
def _pidfd(pid: int) -> Iterator[int]:
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
