"""The one place that starts programs, and finds and ends processes.

Every start is logged (level DEBUG) as a line that can be pasted into a shell.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from winesilo.errors import HostError

log = logging.getLogger(__name__)

DEVNULL: Final = subprocess.DEVNULL
PIPE: Final = subprocess.PIPE
STDOUT: Final = subprocess.STDOUT

#: How long a program that is given up may take to end by itself.
END_GRACE_S: Final = 2.0
#: How long a process that becomes another program is waited for, in seconds, and how often it is looked at.
_EXEC_S: Final = 1.0
_EXEC_POLL_S: Final = 0.0005
_END_ROUNDS: Final = 20
#: Flags of a process (``include/linux/sched.h``): it is ending, it is a thread of the kernel.
_PF_EXITING: Final = 0x00000004
_PF_KTHREAD: Final = 0x00200000

Stream = int | IO[Any] | None
#: A started program; the standard class, so that callers can wait, poll and communicate.
Process = subprocess.Popen
#: Raised by ``Process.wait`` and ``communicate`` with a time-out.
TimeoutExpired = subprocess.TimeoutExpired


@dataclass(frozen=True, slots=True)
class Completed:
    """A finished program: exit code (negative: signal) and its output."""

    returncode: int
    stdout: str
    stderr: str


def command_line(argv: Sequence[str], env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """The shell line that does the same; only variables that differ from ours are shown."""
    words: list[str] = []
    if cwd is not None:
        words += ["cd", shlex.quote(str(cwd)), "&&"]
    if env is not None:
        changed = {key: value for key, value in env.items() if os.environ.get(key) != value}
        removed = [key for key in os.environ if key not in env]
        if changed or removed:
            words.append("env")
            words += [f"-u {shlex.quote(key)}" for key in removed]
            words += [f"{key}={shlex.quote(value)}" for key, value in changed.items()]
    return " ".join([*words, *(shlex.quote(word) for word in argv)])


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: Stream = DEVNULL,
    stdout: Stream = DEVNULL,
    stderr: Stream = DEVNULL,
    pass_fds: Iterable[int] = (),
    new_session: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a program and return at once.

    Args:
        argv: program (an absolute path, or searched in PATH) and arguments.
        env: its whole environment; None hands ours on.
        cwd: its working directory.
        stdin: descriptor or file; /dev/null unless given.
        stdout: the same.
        stderr: the same.
        pass_fds: further descriptors it inherits.
        new_session: make it the leader of a session of its own.

    Raises:
        HostError: it can't be started.
    """
    log.debug("%s", command_line(argv, env, cwd))
    try:
        return subprocess.Popen(
            list(argv),
            env=None if env is None else dict(env),
            cwd=cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=tuple(pass_fds),
            start_new_session=new_session,
        )
    except OSError as error:
        raise HostError(f"cannot start {argv[0]}: {error.strerror}") from error


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float = 60.0,
) -> Completed:
    """Run a program to its end and return its output.

    Raises:
        HostError: it can't be started, or did not end within ``timeout_s`` (then it is killed).
    """
    return finish(spawn(argv, env=env, cwd=cwd, stdout=PIPE, stderr=PIPE), timeout_s=timeout_s)


def finish(
    process: subprocess.Popen[bytes], *, data: bytes | None = None, timeout_s: float | None = None
) -> Completed:
    """Feed a started program, collect its output and wait for its end.

    Args:
        process: whose streams are pipes, where they are of interest.
        data: what it reads on its standard input, if that is a pipe.
        timeout_s: seconds until it is made to end; None: no limit.

    Raises:
        HostError: it did not end in time.
    """
    try:
        out, err = process.communicate(data, timeout_s)
    except subprocess.TimeoutExpired:
        name = process.args[0] if isinstance(process.args, list) else process.args
        raise HostError(f"{name!s} did not end within {timeout_s:g} s") from None
    finally:
        end(process, END_GRACE_S)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    return Completed(process.returncode, _text(out), _text(err))


def _text(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "replace")


def with_variable(name: str, value: str, among: Iterable[int] | None = None) -> list[int]:
    """Unix ids of the processes that were started with an environment variable of this value.

    Args:
        name: of the variable.
        value: of the variable.
        among: look only at these; None: at all of our pid namespace and those below.
    """
    wanted = f"{name}={value}\0".encode()
    return [pid for pid in (all_pids() if among is None else among) if wanted in environment(pid)]


def all_pids() -> list[int]:
    """Unix ids of all processes of our pid namespace and those below."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def environment(pid: int) -> bytes:
    """The environment that a process was started with, each variable ended by a null byte.

    Nothing of one that has ended or that we may not look at.
    """
    deadline = time.monotonic() + _EXEC_S
    try:
        while not (data := Path(f"/proc/{pid}/environ").read_bytes()):
            if _has_none(pid) or time.monotonic() > deadline:
                break
            threading.Event().wait(_EXEC_POLL_S)  # nothing tells when it is there
    except OSError:
        return b""
    return data if not data or data.endswith(b"\0") else data + b"\0"


def _has_none(pid: int) -> bool:
    """Whether a process has no environment, and not only while it becomes another program.

    The fields are those of proc(5), stat: state, flags, start_code, env_start, env_end. When the
    kernel has loaded a program it sets the last three, start_code after the others (``fs/binfmt_elf.c``).
    """
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    state, flags, start_code, env_start, env_end = (fields[at] for at in (0, 6, 23, 47, 48))
    if state in b"ZX" or int(flags) & (_PF_EXITING | _PF_KTHREAD):
        return True
    return start_code != b"0" and env_start == env_end


def wait_gone(pids: Iterable[int], timeout_s: float) -> list[int]:
    """Wait until the processes have ended (they need not be our children).

    Args:
        pids: Unix process ids.
        timeout_s: seconds for all of them together.

    Returns:
        Those that still run.
    """
    descriptors: dict[int, int] = {}
    try:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                descriptors[os.pidfd_open(pid)] = pid
        deadline = time.monotonic() + timeout_s
        left = dict(descriptors)
        poller = select.poll()
        for descriptor in left:
            poller.register(descriptor, select.POLLIN)
        while left:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                break
            for descriptor, _ in poller.poll(remaining * 1000):
                poller.unregister(descriptor)
                left.pop(descriptor, None)
        return list(left.values())
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def kill_all(pids: Iterable[int], number: int = signal.SIGKILL) -> None:
    """Send a signal to each process; those that have ended are skipped."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def end_all(find: Callable[[], list[int]], grace_s: float, timeout_s: float) -> list[int]:
    """End processes, also those that they start meanwhile.

    Args:
        find: says which there are.
        grace_s: seconds that they have to end by themselves before they are killed.
        timeout_s: seconds to wait for the kernel.

    Returns:
        Those that could not be ended (stuck in the kernel).
    """
    deadline = time.monotonic() + grace_s + timeout_s
    left: list[int] = []
    for _ in range(_END_ROUNDS):
        pids = find()
        if not pids:
            return []
        late = wait_gone(pids, grace_s) if grace_s else pids
        kill_all(late)
        left = wait_gone(late, max(0.0, deadline - time.monotonic()))
        if left:
            break
    return left


def end(process: subprocess.Popen[bytes], grace_s: float) -> int:
    """Ask a child to end (SIGTERM), then make it end; returns its exit code."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()
