"""The two sides that are compared: a plain Wine prefix, and a silo.

Both start a unit in the same state.  The prefix is a copy of the base that the silos share, with the same
programs in ``C:\\conformance`` and the same settings, and its own wineserver: no interposer, no daemon. It
is put back and booted again for each unit, and each unit gets a silo of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import shutil
import struct
import termios
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Final, Protocol

from winetest import CRASH, Outcome, Unit, read_outcome, stopped

from winesilo import Host, Silo
from winesilo.errors import HostError, SiloNotFound, WinesiloError
from winesilo.host import files, process, wine
from winesilo.host.wineserver import WineServer

__all__ = ["FOLDER", "Prefix", "Side", "Silos", "prepare_base"]

#: Where the programs are, in the base.
FOLDER: Final = "conformance"
WORK: Final = rf"C:\{FOLDER}\work"
MAX_OUTPUT: Final = 32 << 20
#: Nothing says that a program's output has grown too long, so we look.
_LOOK_S: Final = 0.25
_BOOT_S: Final = 120.0
_BOOT_ATTEMPTS: Final = 3


class Side(Protocol):
    """One of the two sides."""

    name: str

    def run(self, unit: Unit, limit_s: float, log: Path, env: Mapping[str, str]) -> Outcome:
        """Run one unit in a fresh state; what it writes goes to ``log``."""


@contextlib.contextmanager
def terminal() -> Iterator[int]:
    """The program's side of a terminal of 80 columns and 25 lines; what is written there is thrown away."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 80, 0, 0))

    def drain() -> None:
        with contextlib.suppress(OSError):  # how the end of the other side shows
            while os.read(ours, 65536):
                pass

    thread = threading.Thread(target=drain, daemon=True)
    thread.start()
    try:
        yield theirs
    finally:
        os.close(theirs)
        thread.join(1)
        os.close(ours)


def watch(program: process.Process[bytes], unit: str, limit_s: float, log: Path) -> Outcome:
    """Wait until a unit ends, takes too long or writes too much."""
    begin = time.monotonic()
    status = ""
    while not status:
        try:
            program.wait(_LOOK_S)
            break
        except process.TimeoutExpired:
            if time.monotonic() - begin > limit_s:
                status = "timeout"
            elif log.stat().st_size > MAX_OUTPUT:
                status = "flood"
    seconds = round(time.monotonic() - begin, 1)
    with log.open("rb") as stream:
        output = stream.read(MAX_OUTPUT).decode("utf-8", "replace")
    if status:
        return stopped(output, status, seconds)
    return read_outcome(output, unit, program.returncode, seconds)


def prepare_base(base: Path, programs: Path) -> None:
    """Put the programs into a base that does not run, and give it a display that needs no X server."""
    folder = base / "drive_c" / FOLDER
    (folder / "work").mkdir(parents=True, exist_ok=True)
    for program in programs.glob("*_test.exe"):
        shutil.copy2(program, folder)
    server = WineServer(wine.find(), base)
    try:
        words = ["reg", "add", r"HKCU\Software\Wine\Drivers", "/v", "Graphics", "/d", "null", "/f"]
        run_to_end(base, words, _BOOT_S)
    finally:
        server.stop()


def run_to_end(prefix: Path, words: Sequence[str], limit_s: float) -> str:
    """Run a program in a prefix that must succeed; what it wrote.

    Into a file, not a pipe: Wine's own processes inherit it, and would keep a pipe open.
    """
    output = prefix / "output"
    with output.open("wb") as stream:
        program = process.spawn(
            [str(wine.find().loader), *words],
            env=wine.environment(prefix),
            cwd=prefix,
            stdout=stream,
            stderr=stream,
        )
        late = process.wait_gone([program.pid], limit_s)
        code = process.end(program, 1.0)
    text = output.read_text(errors="replace")
    if late or code:
        raise HostError(f"{' '.join(words)} failed ({code}) in {prefix}: {text}")
    return text


class Prefix:
    """A Wine prefix as one has it without winesilo, but with the drives of a silo: C: alone.

    A context manager.  Some units go through all drives, and would do more on the host for z: alone.
    """

    name = "host"

    def __init__(self, base: Path, folder: Path) -> None:
        self._wine = wine.find()
        self._base = base
        self._prefix = folder
        self._server: WineServer | None = None
        shutil.copytree(base, folder, symlinks=True)
        for drive in (folder / "dosdevices").iterdir():
            if drive.name != "c:":
                drive.unlink()
        self._state = _tree(folder)

    def __enter__(self) -> Prefix:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        files.remove_tree(self._prefix)

    def run(self, unit: Unit, limit_s: float, log: Path, env: Mapping[str, str]) -> Outcome:
        """See :class:`Side`."""
        self._restore()
        self._boot()
        with terminal() as stdin, log.open("wb") as stream:
            running = self._spawn([rf"C:\{FOLDER}\{unit.program}", unit.name], env, stdin, stream)
            try:
                return watch(running, unit.name, limit_s, log)
            finally:
                process.end(running, 0.0)
                self._stop()

    def list_units(self, program: str) -> str:
        """What a program writes for ``--list``."""
        if self._server is None:
            self._boot()
        return run_to_end(self._prefix, [rf"C:\{FOLDER}\{program}", "--list"], _BOOT_S)

    def _spawn(
        self, words: Sequence[str], env: Mapping[str, str], stdin: int, output: IO[bytes]
    ) -> process.Process[bytes]:
        return process.spawn(
            [str(self._wine.loader), *words],
            env=wine.environment(self._prefix, env),
            cwd=self._prefix / "drive_c" / FOLDER / "work",
            stdin=stdin,
            stdout=output,
            stderr=output,
            new_session=True,
        )

    def _boot(self) -> None:
        """To where a silo counts as started: an SCM, and RpcSs running.

        Where a machine is very busy, Wine gives up waiting for its own services; then it is done again.
        """
        for attempt in range(_BOOT_ATTEMPTS):
            self._server = WineServer(self._wine, self._prefix)
            try:
                if "4  RUNNING" not in run_to_end(self._prefix, ["sc", "query", "RpcSs"], _BOOT_S):
                    run_to_end(self._prefix, ["net", "start", "RpcSs"], _BOOT_S)
                return
            except HostError:
                self._stop()
                if attempt == _BOOT_ATTEMPTS - 1:
                    raise

    def _stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    def _restore(self) -> None:
        """Make the prefix what it was: what is new goes, what differs is copied from the base again."""
        self._stop()
        now = _tree(self._prefix)
        for path in sorted(set(now) - set(self._state), reverse=True):
            files.remove_tree(self._prefix / path)
        for path, state in self._state.items():
            if now.get(path) == state:
                continue
            source, target = self._base / path, self._prefix / path
            if source.is_symlink() or not source.is_dir():
                files.remove_tree(target)
                shutil.copy2(source, target, follow_symlinks=False)
            else:
                target.mkdir(exist_ok=True)
                shutil.copystat(source, target)
            self._state[path] = _state(os.lstat(target))


def _tree(root: Path) -> dict[str, tuple[int, ...]]:
    """What identifies the content of each file below ``root``, by relative path, parents first."""
    found: dict[str, tuple[int, ...]] = {}
    pending = [""]
    while pending:
        folder = pending.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                path = os.path.join(folder, entry.name)
                found[path] = _state(entry.stat(follow_symlinks=False))
                if entry.is_dir(follow_symlinks=False):
                    pending.append(path)
    return found


def _state(status: os.stat_result) -> tuple[int, ...]:
    is_folder = status.st_mode & 0o170000 == 0o040000
    return (status.st_mode, status.st_ino, *(() if is_folder else (status.st_size, status.st_ctime_ns)))


class Silos:
    """Silos of a host, a fresh one for each unit; the last one is removed at the end."""

    name = "silo"

    def __init__(self, host: Host) -> None:
        self._host = host
        self._number = 0

    def run(self, unit: Unit, limit_s: float, log: Path, env: Mapping[str, str]) -> Outcome:
        """See :class:`Side`; a silo that can't be started is a crash."""
        try:
            return self._run(unit, limit_s, log, env)
        except WinesiloError as error:
            log.write_text(f"{error.message}\n")
            return Outcome(CRASH, 0, 0, 0, 0, -1, 0.0, (error.message,))

    def _run(self, unit: Unit, limit_s: float, log: Path, env: Mapping[str, str]) -> Outcome:
        with self._fresh() as silo, terminal() as stdin, log.open("wb") as stream:
            running = silo.popen(
                [rf"C:\{FOLDER}\{unit.program}", unit.name],
                cwd=WORK,
                env=env,
                stdin=stdin,
                stdout=stream,
                stderr=stream,
            )
            try:
                return watch(running, unit.name, limit_s, log)
            finally:
                process.end(running, 0.0)

    @contextlib.contextmanager
    def _fresh(self) -> Iterator[Silo]:
        self._number += 1
        silo = self._host.create(f"unit{self._number}")
        try:
            silo.start()
            yield silo
        finally:
            with contextlib.suppress(SiloNotFound):
                silo.remove(force=True)
