"""Running a program in a silo from outside the host's namespaces.

The daemon says what to run and gives a connection to the wineserver; we fork, join the daemon's
namespaces, fork again (the pid namespace holds for children only) and exec.  The terminal, signals
and the window size therefore work as for any program.  The process in the middle forwards
signals and ends with the program's exit code.

``python -m winesilo.host.enter`` does that for a specification read from descriptor 3 or as given;
:func:`spawn` uses it where the caller can't fork (threads).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, NoReturn

from winesilo.errors import EXIT_NOT_RUN, NamespaceError, ProgramError, WinesiloError
from winesilo.host import namespaces as ns
from winesilo.host import process, wine

_FORWARDED: Final = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
    signal.SIGCONT,
)
_HANDLED: Final = frozenset({*_FORWARDED, signal.SIGCHLD})
_SI_KERNEL: Final = 0x80  # <asm-generic/siginfo.h>: sent by the kernel, here by the terminal


#: What makes a program one of a silo's: the interposer and what it is told.
_SILO_VARIABLES: Final = frozenset({"LD_PRELOAD", "WINESILO_CONFIG"})
#: What is left of STATUS_CONTROL_C_EXIT (0xC000013A, ntstatus.h) in a Unix exit code.
_CONTROL_C_EXIT: Final = 0x3A


@dataclass(frozen=True, slots=True)
class ExecSpec:
    """What to run and where, from the daemon's answer to ``silo.exec``.

    Attributes:
        argv: Wine's loader, program, arguments.
        env: the whole environment, without WINESERVERSOCKET.
        cwd: Linux path inside the host's mount namespace.
        ns_pid: a process in the host's namespaces.
    """

    argv: list[str]
    env: dict[str, str]
    cwd: str
    ns_pid: int

    @classmethod
    def from_reply(cls, reply: Mapping[str, Any]) -> ExecSpec:
        """From the JSON of the daemon's answer."""
        return cls(list(reply["argv"]), dict(reply["env"]), str(reply["cwd"]), int(reply["ns_pid"]))

    def on_host(self, base: Path) -> ExecSpec:
        """The same program beside the silos: in the host's base, on its wineserver, without the interposer.

        Args:
            base: the host's Wine prefix.
        """
        plain = wine.environment(base)  # the silos' programs and DLLs are not there
        env = {name: value for name, value in self.env.items() if name not in _SILO_VARIABLES}
        env |= {name: plain[name] for name in ("WINEPREFIX", "WINEDLLOVERRIDES")}
        return replace(self, env=env, cwd=str(base / "drive_c"))


def run(spec: ExecSpec, server_fd: int) -> int:
    """Run the program on our standard streams and wait for it.

    Must be called from the main thread of a process without other threads.

    Args:
        spec: what to run.
        server_fd: connection to the wineserver; closed.

    Returns:
        Its exit code, or 128 + the number of the signal that ended it.

    Raises:
        NamespaceError, ProgramError: it could not be run.
    """
    error_read, error_write = os.pipe()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
    try:
        child = os.fork()
        if child == 0:
            os.close(error_read)
            _middle(spec, server_fd, error_write, before)
        os.close(error_write)
        os.close(server_fd)
        with os.fdopen(error_read, "rb") as errors:
            problem = errors.read()
        code = _mirror(child)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if problem:
        raise ProgramError(problem.decode("utf-8", "replace"))
    return code


def spawn(
    spec: ExecSpec,
    server_fd: int,
    stdin: process.Stream = None,
    stdout: process.Stream = None,
    stderr: process.Stream = None,
) -> process.Process[bytes]:
    """Start the program in the background; safe in processes with threads.

    Args:
        spec: what to run.
        server_fd: connection to the wineserver; stays the caller's, who may close it at once.
        stdin: as for :func:`winesilo.host.process.spawn`; None is ours.
        stdout: the same.
        stderr: the same.

    Returns:
        The process in the middle: it ends with the program's exit code and forwards signals.
    """
    spec_read, spec_write = os.pipe()
    try:
        child = process.spawn(
            [sys.executable, "-m", "winesilo.host.enter", str(spec_read), str(server_fd)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=[spec_read, server_fd],
        )
        os.close(spec_read)
        spec_read = -1
        with os.fdopen(spec_write, "w") as stream:
            spec_write = -1
            json.dump(asdict(spec), stream)
        return child
    finally:
        for descriptor in (spec_read, spec_write):
            if descriptor >= 0:
                os.close(descriptor)


def _middle(spec: ExecSpec, server_fd: int, error_fd: int, mask: Iterable[int]) -> NoReturn:
    """First fork: join the namespaces, start the program, mirror it."""
    code = EXIT_NOT_RUN
    try:
        ns.die_with_parent(signal.SIGKILL)
        _join(spec.ns_pid)
        child = os.fork()
        if child == 0:
            _exec(spec, server_fd, error_fd, mask)
        os.close(server_fd)
        os.close(error_fd)
        code = _mirror(child)
    except WinesiloError as error:
        _complain(error_fd, error.message)
    except OSError as error:
        _complain(error_fd, f"cannot enter the host's namespaces: {error.strerror}")
    finally:
        os._exit(code)


def _join(pid: int) -> None:
    user = 0 if ns.same_namespace(pid, "user") else ns.CLONE_NEWUSER
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        raise NamespaceError("the host has ended") from None
    root = -1
    try:
        root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        if user:
            ns.Join(pidfd, user).execute()
        ns.Join(pidfd, ns.CLONE_NEWNS | ns.CLONE_NEWPID).execute()
        ns.ChangeRoot(root).execute()
    finally:
        os.close(pidfd)
        if root >= 0:
            os.close(root)


def _exec(spec: ExecSpec, server_fd: int, error_fd: int, mask: Iterable[int]) -> NoReturn:
    """Second fork: become the program."""
    try:
        ns.die_with_parent(signal.SIGKILL)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.set_inheritable(server_fd, True)
        os.chdir(spec.cwd)
        env = {**spec.env, "WINESERVERSOCKET": str(server_fd)}
        os.execve(spec.argv[0], spec.argv, env)  # noqa: S606 - no shell is wanted
    except OSError as error:
        _complain(error_fd, f"cannot run {spec.argv[1]}: {error.strerror}")
    finally:
        os._exit(EXIT_NOT_RUN)


def _complain(error_fd: int, message: str) -> None:
    with contextlib.suppress(OSError):
        os.write(error_fd, message.encode())


def _mirror(child: int) -> int:
    """Wait for ``child``, passing signals on; returns its exit code, 128 + signal number if one ended it.

    The handled signals are blocked and taken here one by one.  What the terminal sends (Ctrl-C, a
    new window size) goes to its whole foreground group, so the child has it already.

    A Windows program that does not handle Ctrl-C is ended by Wine with exit code 0 (8.0) or
    STATUS_CONTROL_C_EXIT (10.0); after an interrupt those become 130, as a shell has it.
    """
    interrupted = False
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            code = os.waitstatus_to_exitcode(status)
            if interrupted and code in (0, _CONTROL_C_EXIT):
                return 128 + signal.SIGINT
            return 128 - code if code < 0 else code
        received = signal.sigwaitinfo(_HANDLED)
        interrupted |= received.si_signo == signal.SIGINT
        if received.si_signo != signal.SIGCHLD and received.si_code != _SI_KERNEL:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, received.si_signo)


def main(argv: list[str]) -> int:
    """Read the specification from one descriptor, use the connection on the other."""
    spec_fd, server_fd = int(argv[0]), int(argv[1])
    with os.fdopen(spec_fd) as stream:
        spec = ExecSpec(**json.load(stream))
    try:
        return run(spec, server_fd)
    except WinesiloError as error:
        sys.stderr.write(f"silo: {error.message}\n")
        return EXIT_NOT_RUN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
