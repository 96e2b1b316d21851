"""Helpers of the integration tests: the command line as a process, silos with names of their own."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from winesilo import Host, Silo
from winesilo.errors import SiloNotFound
from winesilo.host.paths import HostPaths
from winesilo.vm.store import addresses

_numbers = itertools.count(1)
SILO_COMMAND = (sys.executable, "-m", "winesilo.cli")
#: What an interrupted command ends with; the second where it was interrupted before it could handle that.
INTERRUPTED = (128 + signal.SIGINT, -signal.SIGINT)


@dataclass(frozen=True)
class Result:
    """What a command did: its exit code and its output."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The one JSON document that standard output must be."""
        assert self.code == 0, self
        return json.loads(self.out)


@dataclass(frozen=True)
class Cli:
    """The ``silo`` command in an environment."""

    environment: Mapping[str, str]
    command: Sequence[str] = SILO_COMMAND
    folder: Path | None = None

    def __call__(self, *words: str, stdin: str = "", timeout: float = 120) -> Result:
        """Run it to its end."""
        done = subprocess.run(
            [*self.command, *words],
            env=self.environment,
            cwd=self.folder,
            input=stdin.encode(),
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def ok(self, *words: str, stdin: str = "", timeout: float = 120) -> str:
        """Run it; it must succeed. Returns its output."""
        result = self(*words, stdin=stdin, timeout=timeout)
        assert result.code == 0, result
        return result.out

    def start(self, *words: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start it in a process group of its own, as a shell does."""
        return subprocess.Popen([*self.command, *words], env=self.environment, process_group=0, **options)


@dataclass
class Place:
    """A folder for all that the tests of one process make; other processes may run tests at the same time.

    Attributes:
        folder: where it is; its path is short, because sockets' paths must be.
        worker: the number of this process, from 0.
        workers: how many there are.
    """

    folder: Path
    worker: int = 0
    workers: int = 1
    _networks: set[int] = field(default_factory=set)
    _tried: Iterator[int] = field(default_factory=itertools.count)

    def private(self, *hosts: str) -> Path:
        """Make a folder in it where hosts' silos have addresses that those of no other host in a test have.

        The second octet comes from the path of a host's folder, so names are tried until all suit.

        Args:
            hosts: the folders that hosts will have there.
        """
        for number in self._tried:
            # of one length, so that no path is the beginning of another
            folder = self.folder / f"{self.worker}-{number:04}"
            networks = {network(folder / host) for host in hosts}
            if (
                len(networks) == len(hosts)
                and networks.isdisjoint(self._networks)
                and all(octet % self.workers == self.worker % self.workers for octet in networks)
            ):
                break
        self._networks |= networks
        folder.mkdir(mode=0o700)
        return folder


def network(data: Path) -> int:
    """The second octet of the addresses of a host's silos, by the host's folder."""
    return int(next(addresses(HostPaths(data.name, data, data), 1)).split(".")[1])


@dataclass(frozen=True)
class Machine:
    """A private place for hosts."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def runtime(self) -> Path:
        return self.root / "run"

    def variables(self) -> dict[str, str]:
        """The environment that leads there; the folders are made."""
        self.data.mkdir(exist_ok=True)
        self.runtime.mkdir(mode=0o700, exist_ok=True)
        return {"XDG_DATA_HOME": str(self.data), "XDG_RUNTIME_DIR": str(self.runtime)}

    def hosts(self) -> list[Host]:
        """The hosts that were made here."""
        folder = self.data / "winesilo" / "hosts"
        return [Host(path.name) for path in folder.iterdir()] if folder.is_dir() else []

    def stop_others(self, host: Host) -> None:
        """Stop the hosts that other tests have made here, so that what runs afterwards is of this one."""
        for other in self.hosts():
            if other.name != host.name:
                other.stop(force=True)

    def agent_of(self, host: Host) -> psutil.Process:
        """The agent of a host that runs: a descendant of its daemon."""
        for process, words in self._processes():
            if words.endswith(f" -m winesilo.daemon {host.name}"):
                with contextlib.suppress(psutil.Error):
                    for child in process.children(recursive=True):
                        if any(word.endswith("agent.exe") for word in child.cmdline()):
                            return child
        raise AssertionError(f"the agent of host {host.name} does not run")

    def processes(self) -> list[str]:
        """The processes that belong to this place: command lines of those that name it anywhere."""
        return [words for _, words in self._processes()]

    def end_all(self) -> None:
        """Kill what is left, so that one failure does not spoil the next run."""
        for process, _ in self._processes():
            with contextlib.suppress(psutil.Error):
                process.kill()

    def _processes(self) -> list[tuple[psutil.Process, str]]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                    continue
                words = process.cmdline()
                if any(
                    str(self.root) in word for word in [*words, *process.environ().values(), process.cwd()]
                ):
                    found.append((process, " ".join(words)))
        return found

    def mounts(self) -> list[str]:
        """The mounts of this process's namespace that lie in this place."""
        lines = Path("/proc/self/mounts").read_text().splitlines()
        return [line for line in lines if str(self.root) in line]


class TemporarySilo(contextlib.AbstractContextManager["TemporarySilo"]):
    """A silo with a name of its own that is removed at the end, whatever happened to it."""

    def __init__(self, host: Host, *, start: bool = True, windows: str | None = None) -> None:
        self.host = host
        self.name = f"s{next(_numbers)}"
        self._start = start
        self._windows = windows

    def __enter__(self) -> TemporarySilo:
        silo = self.host.create(self.name, windows=self._windows)
        try:
            if self._start:
                silo.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(SiloNotFound):
            self.silo.remove(force=True)

    @property
    def silo(self) -> Silo:
        """The silo itself."""
        return self.host.silo(self.name)

    def run(self, *argv: str, stdin: str = "") -> str:
        """Run a program in it that must succeed; returns what it printed, with Unix line ends."""
        done = self.silo.run(argv, input=stdin.encode())
        output = done.stdout.replace("\r\n", "\n")
        assert done.returncode == 0, (argv, done.returncode, output, done.stderr)
        return output

    def reg_set(self, key: str, value: str, data: str) -> None:
        """Set a string value in its registry."""
        self.run("reg", "add", key, "/v", value, "/d", data, "/f")

    def reg_get(self, key: str, value: str) -> str | None:
        """Read a value of its registry; None where it is not there."""
        done = self.silo.run(["reg", "query", key, "/v", value])
        if done.returncode != 0:
            return None
        line = next(line for line in done.stdout.splitlines() if line.strip().startswith(value))
        return line.split("REG_SZ", 1)[1].strip()


def host_processes(host: Host) -> dict[int, psutil.Process]:
    """The processes of a host and its silos, by their ids in its pid namespace."""
    found = {}
    namespace = os.readlink(f"/proc/{host.status().pid}/ns/pid")
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if os.readlink(f"/proc/{process.pid}/ns/pid") != namespace:
                continue
            status = Path(f"/proc/{process.pid}/status").read_text()
            ids = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()
            found[int(ids[-1])] = process
    return found


def wait_until(condition: Callable[[], bool], what: str, deadline_s: float = 30) -> None:
    """Wait for something that nothing signals."""
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {deadline_s} s: {what}"
        time.sleep(0.02)


def interrupt(process: subprocess.Popen[bytes]) -> None:
    """Press Ctrl-C: the signal goes to the whole process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)


def tree_hash(root: Path) -> dict[str, str]:
    """A hash of every file of a tree, by its path; links by where they point."""
    result = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            result[name] = f"-> {path.readlink()}"
        elif path.is_file():
            result[name] = file_hash(path)
        elif path.is_dir():
            result[name] = "folder"
    return result


def file_hash(path: Path) -> str:
    """The SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pty_session(cli: Cli, *words: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start the command with a terminal of its own, as its controlling one.

    Returns:
        The process and our end of the terminal.
    """
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [*SILO_COMMAND, *words],
            env=cli.environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - it only makes a call
        )
    finally:
        os.close(theirs)
    return process, ours


def read_until(descriptor: int, wanted: bytes, deadline_s: float = 30) -> bytes:
    """Read from a terminal until some text has come."""
    seen = b""
    deadline = time.monotonic() + deadline_s
    while wanted not in seen:
        left = deadline - time.monotonic()
        assert left > 0, f"{wanted!r} did not come, but {seen!r}"
        if select.select([descriptor], [], [], left)[0]:
            try:
                chunk = os.read(descriptor, 65536)
            except OSError:
                chunk = b""
            assert chunk, f"the terminal was closed before {wanted!r} came; it said {seen!r}"
            seen += chunk
    return seen


def handles_signals(process: subprocess.Popen[bytes]) -> bool:
    """Whether the command has come far enough to clean up when it is interrupted, or has ended."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return True
    caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt:")).split()[1], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1) or process.poll() is not None
