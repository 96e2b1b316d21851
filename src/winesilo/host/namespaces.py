"""Linux namespaces and mounts: the one place that calls unshare(2), setns(2), mount(2), umount2(2).

Each operation is an object that can describe itself (for ``--debug`` and error messages) and be
executed.  Constants are those of ``<sched.h>`` and ``<sys/mount.h>``.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from winesilo.errors import NamespaceError

log = logging.getLogger(__name__)

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWPID: Final = 0x20000000
MS_RDONLY: Final = 1
MS_NOSUID: Final = 2
MS_NODEV: Final = 4
MS_NOEXEC: Final = 8
MS_BIND: Final = 4096
MS_REC: Final = 16384
MS_PRIVATE: Final = 1 << 18
MNT_DETACH: Final = 2
PR_SET_PDEATHSIG: Final = 1
#: personality(2), <sys/personality.h>
_ADDR_NO_RANDOMIZE: Final = 0x0040000
_ASK: Final = 0xFFFFFFFF

_FLAG_NAMES: Final = {CLONE_NEWUSER: "user", CLONE_NEWNS: "mount", CLONE_NEWPID: "pid"}
_USER_HINT: Final = (
    "run as root, or allow unprivileged user namespaces:"
    " sysctl -w kernel.unprivileged_userns_clone=1 user.max_user_namespaces=15000"
    " (Ubuntu: kernel.apparmor_restrict_unprivileged_userns=0);"
    " in a container: --security-opt seccomp=unconfined --cap-add SYS_ADMIN"
)
_ROOT_HINT: Final = (
    "in a chroot the root directory must be a mount point: before entering it, mount --bind TREE TREE"
)


@functools.cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
    libc.umount2.argtypes = [ctypes.c_char_p, ctypes.c_int]
    libc.unshare.argtypes = [ctypes.c_int]
    libc.setns.argtypes = [ctypes.c_int, ctypes.c_int]
    libc.personality.argtypes = [ctypes.c_ulong]
    return libc


def _check(result: int, what: str, hint: str | None = None) -> None:
    if result != 0:
        number = ctypes.get_errno()
        if number in (errno.ENOSPC, errno.EUSERS) and hint == _USER_HINT:
            what += " (the limit of user.max_user_namespaces, max_mnt_namespaces or max_pid_namespaces)"
        raise NamespaceError(f"{what}: {os.strerror(number)}", hint, errno=number)


def _names(flags: int) -> str:
    return ", ".join(name for flag, name in _FLAG_NAMES.items() if flags & flag)


@contextlib.contextmanager
def fixed_addresses() -> Iterator[None]:
    """Let programs that this thread starts have their memory where it always is, if the kernel allows it.

    For Wine 8 outside of silos: one of 8,000 processes has its heap where Windows' user shared data must
    be, and ends at once (src/interposer/heap.h, which keeps the heaps of silos' processes away from there).
    """
    libc = _libc()
    before = libc.personality(_ASK)
    allowed = before != -1 and libc.personality(before | _ADDR_NO_RANDOMIZE) != -1
    try:
        yield
    finally:
        if allowed:
            libc.personality(before)


class Operation(Protocol):
    """Something done to the process's view of the system."""

    def describe(self) -> str:
        """One line, in the words of the shell tools where they exist."""

    def execute(self) -> None:
        """Do it.

        Raises:
            NamespaceError: the kernel refused; ``details['errno']`` says why.
        """


@dataclass(frozen=True, slots=True)
class Unshare:
    """Enter new namespaces (for a pid namespace: the next child does)."""

    flags: int

    def describe(self) -> str:
        """See :class:`Operation`."""
        return f"unshare: new {_names(self.flags)} namespaces"

    def execute(self) -> None:
        """See :class:`Operation`."""
        log.debug("%s", self.describe())
        _check(_libc().unshare(self.flags), f"cannot make new {_names(self.flags)} namespaces", _USER_HINT)


@dataclass(frozen=True, slots=True)
class Join:
    """Enter namespaces of another process, by a pidfd."""

    pidfd: int
    flags: int

    def describe(self) -> str:
        """See :class:`Operation`."""
        return f"nsenter: {_names(self.flags)} namespaces"

    def execute(self) -> None:
        """See :class:`Operation`."""
        log.debug("%s", self.describe())
        what = f"cannot enter the host's {_names(self.flags)} namespaces"
        _check(_libc().setns(self.pidfd, self.flags), what, "are you the user who started the host?")


@dataclass(frozen=True, slots=True)
class ChangeRoot:
    """Use another process's root directory: joining a mount namespace leaves a chroot."""

    directory: int

    def describe(self) -> str:
        """See :class:`Operation`."""
        return "chroot: the host's root directory"

    def execute(self) -> None:
        """See :class:`Operation`."""
        log.debug("%s", self.describe())
        try:
            os.fchdir(self.directory)
            os.chroot(".")
        except OSError as error:
            raise NamespaceError(
                f"cannot use the host's root directory: {error.strerror}", errno=error.errno
            ) from error


@dataclass(frozen=True, slots=True)
class MapIds:
    """Map one uid and gid to themselves in a new user namespace."""

    uid: int
    gid: int

    def describe(self) -> str:
        """See :class:`Operation`."""
        return f"map uid {self.uid} and gid {self.gid} to themselves"

    def execute(self) -> None:
        """See :class:`Operation`."""
        log.debug("%s", self.describe())
        try:
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{self.uid} {self.uid} 1")
            Path("/proc/self/gid_map").write_text(f"{self.gid} {self.gid} 1")
        except OSError as error:
            raise NamespaceError(
                f"cannot map the user into the namespace: {error.strerror}", _USER_HINT, errno=error.errno
            ) from error


@dataclass(frozen=True, slots=True)
class Mount:
    """mount(2); ``data`` is the file system's option string."""

    source: str
    target: Path
    fstype: str
    flags: int = 0
    data: str = ""
    hint: str | None = None

    def describe(self) -> str:
        """See :class:`Operation`."""
        options = f" -o {self.data}" if self.data else ""
        return f"mount -t {self.fstype}{options} {self.source} {self.target}"

    def execute(self) -> None:
        """See :class:`Operation`."""
        log.debug("%s", self.describe())
        result = _libc().mount(
            os.fsencode(self.source),
            os.fsencode(self.target),
            self.fstype.encode(),
            self.flags,
            os.fsencode(self.data),
        )
        _check(result, f"cannot mount {self.fstype} on {self.target}", self.hint)


@dataclass(frozen=True, slots=True)
class MakePrivate:
    """Stop mounts from propagating out of this mount namespace."""

    def describe(self) -> str:
        """See :class:`Operation`."""
        return "mount --make-rprivate /"

    def execute(self) -> None:
        """See :class:`Operation`."""
        log.debug("%s", self.describe())
        result = _libc().mount(b"none", b"/", b"none", MS_REC | MS_PRIVATE, b"")
        _check(result, "cannot make mounts private", _ROOT_HINT)


@dataclass(frozen=True, slots=True)
class Unmount:
    """umount2(2); not being a mount point is fine."""

    target: Path
    lazy: bool = False

    def describe(self) -> str:
        """See :class:`Operation`."""
        return f"umount{' -l' if self.lazy else ''} {self.target}"

    def execute(self) -> None:
        """See :class:`Operation`."""
        log.debug("%s", self.describe())
        result = _libc().umount2(os.fsencode(self.target), MNT_DETACH if self.lazy else 0)
        if result != 0 and ctypes.get_errno() in (errno.EINVAL, errno.ENOENT):
            return
        _check(result, f"cannot unmount {self.target}")


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send us ``signal_number`` when the thread that forked us ends (prctl(2))."""
    _libc().prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def same_namespace(pid: int, kind: str) -> bool:
    """Whether ``pid`` is in our namespace of that kind (``user``, ``mnt``, ``pid``)."""
    try:
        return os.readlink(f"/proc/{pid}/ns/{kind}") == os.readlink(f"/proc/self/ns/{kind}")
    except OSError as error:
        raise NamespaceError(f"cannot look at the namespaces of process {pid}: {error.strerror}") from error


def is_mounted(path: Path) -> bool:
    """Whether ``path`` is a mount point in our mount namespace."""
    try:
        return os.stat(path).st_dev != os.stat(path.parent).st_dev
    except OSError:
        return False
