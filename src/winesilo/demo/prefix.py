"""A Wine prefix of its own, as one would use without winesilo: the other side of the demo's table."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psutil

from winesilo.errors import DemoError
from winesilo.host import files, namespaces, process, wine
from winesilo.host.wineserver import WineServer, clients

CREATE_DEADLINE_S: Final = 300.0
COMMAND_DEADLINE_S: Final = 60.0
END_GRACE_S: Final = 1.0
RUNNING: Final = "4  RUNNING"


class PlainPrefix:
    """A Wine prefix in a temporary folder; as a context manager it is stopped and removed at the end.

    Attributes:
        create_s: seconds it took to make it.
        boot_s: seconds of its last start, up to an SCM that answers and a running RpcSs.
    """

    def __init__(self) -> None:
        self._wine = wine.find()
        self._folder = Path(tempfile.mkdtemp(prefix="winesilo-demo-"))
        self._prefix = self._folder / "prefix"
        self._server: WineServer | None = None
        self.create_s = 0.0
        self.boot_s = 0.0

    def __enter__(self) -> PlainPrefix:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        files.remove_tree(self._folder)

    @property
    def drive_c(self) -> Path:
        """Its C: drive."""
        return self._prefix / "drive_c"

    def create(self) -> None:
        """Make the prefix, with its own first boot; afterwards nothing of it runs."""
        self._prefix.mkdir()
        server = WineServer(self._wine, self._prefix)
        try:
            begin = time.monotonic()
            self.run(["wineboot", "--init"], timeout_s=CREATE_DEADLINE_S)
            self.create_s = time.monotonic() - begin
        finally:
            server.stop()

    def boot(self) -> None:
        """Start it, up to the state in which a silo counts as started."""
        begin = time.monotonic()
        self._server = WineServer(self._wine, self._prefix)
        if not self.is_running("RpcSs"):  # a prefix starts it when it is first needed
            self.run(["net", "start", "RpcSs"])
        self.boot_s = time.monotonic() - begin

    def run(self, argv: Sequence[str], timeout_s: float = COMMAND_DEADLINE_S) -> str:
        """Run a Windows program to its end.

        Args:
            argv: its path in Windows, or a name Wine finds by itself, and its arguments.
            timeout_s: seconds until it is given up.

        Returns:
            What it printed.

        Raises:
            DemoError: it failed.
        """
        # A file, not a pipe: the system's own processes inherit it, and would keep a pipe open for ever.
        with tempfile.TemporaryFile(dir=self._folder) as output:
            with namespaces.fixed_addresses():
                program = process.spawn(
                    [str(self._wine.loader), *argv],
                    env=wine.environment(self._prefix),
                    cwd=self._folder,
                    stdout=output,
                    stderr=output,
                )
            try:
                late = process.wait_gone([program.pid], timeout_s)
            finally:
                code = process.end(program, END_GRACE_S)
            output.seek(0)
            text = output.read().decode("utf-8", "replace").replace("\r\n", "\n")
        if code != 0 or late:
            words = " ".join(argv)
            why = f"did not end within {timeout_s:g} s" if late else f"failed ({code})"
            raise DemoError(f"'{words}' {why} in the Wine prefix made for comparison: {text.strip()}")
        return text

    def running_services(self) -> int:
        """How many of its services run."""
        return sum(line.startswith("    ") for line in self.run(["net", "start"]).splitlines())

    def is_running(self, service: str) -> bool:
        """Whether one service runs, by its short name."""
        return RUNNING in self.run(["sc", "query", service])

    def pss(self) -> int:
        """Memory of all its processes, wineserver included, in bytes (PSS)."""
        total = 0
        for pid in clients(self._prefix):
            with contextlib.suppress(psutil.Error):
                total += psutil.Process(pid).memory_full_info().pss
        return total

    def disk(self) -> int:
        """Bytes of disk it uses."""
        return files.disk_usage(self._prefix)

    def stop(self) -> None:
        """End everything that runs in it."""
        if self._server is not None:
            self._server.stop()
            self._server = None
