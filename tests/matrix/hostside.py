"""A host for one purpose, and its own side: programs and services in its base, as without winesilo."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from winesilo import Host
from winesilo.daemon.client import Client
from winesilo.errors import HostError
from winesilo.host import enter, files, process

__all__ = ["HostSide", "private_host", "private_place"]

COMMAND_S: Final = 90.0


@contextlib.contextmanager
def private_place(purpose: str) -> Iterator[tuple[Path, Host]]:
    """A temporary folder with that word in its name, and a host to be made there; nothing is left."""
    place = os.environ.get("WINESILO_TEST_DIR", "/tmp")
    folder = Path(tempfile.mkdtemp(prefix=f"winesilo-{purpose}-", dir=place))
    (folder / "run").mkdir(mode=0o700)
    os.environ["XDG_DATA_HOME"] = str(folder)
    os.environ["XDG_RUNTIME_DIR"] = str(folder / "run")
    host = Host()
    try:
        yield folder, host
    finally:
        host.stop(force=True)
        files.remove_tree(folder)


@contextlib.contextmanager
def private_host(purpose: str, console: Console) -> Iterator[Host]:
    """A running host in a place of its own."""
    with private_place(purpose) as (_, host):
        with console.status("making a base"):
            host.init()
            host.start()
        yield host


class HostSide:
    """Runs programs in the host's base, on its wineserver, without the interposer.

    Args:
        host: runs already.
        silo: the name of a running silo; the daemon is asked how to run a program in it.
    """

    def __init__(self, host: Host, silo: str) -> None:
        self._host = host
        self._silo = silo

    @property
    def drive_c(self) -> Path:
        """The base's C: drive."""
        return self._host.base / "drive_c"

    def run(self, argv: Sequence[str]) -> str:
        """Run a program to its end, which must succeed; returns what it printed.

        Raises:
            HostError: it failed, or did not end in time.
        """
        code, text = self.try_run(argv)
        if code:
            raise HostError(f"'{' '.join(argv)}' failed ({code}) on the host: {text.strip()}")
        return text

    def try_run(self, argv: Sequence[str]) -> tuple[int, str]:
        """Run a program to its end; its exit code and what it printed.

        Raises:
            HostError: it did not end in time.
        """
        # Into a file: the host's own processes may inherit a pipe and would keep it open.
        with tempfile.TemporaryFile() as output:
            program = self.popen(argv, process.DEVNULL, output.fileno(), output.fileno())
            try:
                code = program.wait(COMMAND_S)
            except process.TimeoutExpired:
                process.end(program, 0.0)
                raise HostError(f"'{' '.join(argv)}' did not end on the host") from None
            output.seek(0)
            return code, output.read().decode("utf-8", "replace").replace("\r\n", "\n")

    def popen(
        self,
        argv: Sequence[str],
        stdin: process.Stream = None,
        stdout: process.Stream = None,
        stderr: process.Stream = None,
    ) -> process.Process[bytes]:
        """Start a program; the streams are those of :func:`winesilo.host.enter.spawn`."""
        reply, (connection,) = Client(self._host.name).call_with_fds(
            "silo.exec", {"name": self._silo, "argv": ["cmd"]}
        )
        spec = enter.ExecSpec.from_reply(reply).on_host(self._host.base)
        spec = dataclasses.replace(spec, argv=[spec.argv[0], *argv])
        try:
            return enter.spawn(spec, connection, stdin, stdout, stderr)
        finally:
            os.close(connection)

    def state(self, service: str) -> str:
        """The state of one of the host's services in the words of ``sc``; empty where there is none."""
        _, text = self.try_run(["sc", "query", service])
        line = next((line for line in text.splitlines() if line.strip().startswith("STATE")), "")
        return line.split()[-1] if line else ""

    def start(self, service: str) -> None:
        """Start one of the host's services, unless it runs."""
        if self.state(service) != "RUNNING":
            self.run(["net", "start", service])

    def stop(self, service: str) -> None:
        """Stop one of the host's services, unless it is stopped."""
        if self.state(service) not in ("", "STOPPED"):
            self.run(["net", "stop", service])
