"""Copying files into and out of a silo."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from winesilo.errors import InvalidPath
from winesilo.vm import guestpath

#: Called before each file; raises to give up.
Check = Callable[[], None]


def absolute(path: str) -> Path:
    """A Linux path that somebody else gave.

    Raises:
        InvalidPath: it is relative, and to their working directory, not to ours.
    """
    if not path.startswith("/"):
        raise InvalidPath(f"'{path}' is not an absolute path")
    return Path(path)


def copy_in(source: Path, root: Path, target: str, check: Check) -> int:
    """Copy a file or tree from Linux into the silo; returns how many files.

    Like ``cp -r``: into ``target`` if that is a directory, else to that name.  Symbolic links in the
    source are followed.

    Args:
        source: absolute Linux path.
        root: where the silo's C: is mounted.
        target: absolute Windows path.
        check: see :data:`Check`.

    Raises:
        InvalidPath: the source or the target's directory does not exist, or a name is not allowed.
        OSError: reading or writing failed.
    """
    if not source.exists():
        raise InvalidPath(f"{source} does not exist")
    place = guestpath.to_unix(root, target)
    if place.is_dir():
        place = guestpath.to_unix(root, f"{target}\\{source.name}")
    return _copy(source, place, target, check, follow=True)


def copy_out(root: Path, source: str, target: Path, check: Check) -> int:
    """Copy a file or tree out of the silo; returns how many files.

    Symbolic links inside the silo are left out: Windows programs can't make them.

    Raises:
        InvalidPath: the source or the target's directory does not exist.
        OSError: reading or writing failed.
    """
    place = guestpath.to_unix(root, source)
    if not place.exists():
        raise InvalidPath(f"'{source}' does not exist in the silo")
    if target.is_dir():
        target = target / place.name
    return _copy(place, target, str(target), check, follow=False)


def _copy(source: Path, target: Path, shown: str, check: Check, follow: bool) -> int:
    if not target.parent.is_dir():
        raise InvalidPath(f"the directory of '{shown}' does not exist")
    if source.is_dir() and target.exists() and not target.is_dir():
        raise InvalidPath(f"'{shown}' is a file, the source is a directory")
    if target.is_dir() and not source.is_dir():
        raise InvalidPath(f"'{shown}' is a directory")
    return _copy_entry(source, target, check, follow)


def _copy_entry(source: Path, target: Path, check: Check, follow: bool) -> int:
    check()
    status = source.stat() if follow else source.lstat()
    if stat.S_ISDIR(status.st_mode):
        target.mkdir(exist_ok=True)
        return sum(
            _copy_entry(source / name, target / name, check, follow) for name in sorted(os.listdir(source))
        )
    if not stat.S_ISREG(status.st_mode):
        return 0
    shutil.copyfile(source, target, follow_symlinks=follow)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    target.chmod(0o755 if status.st_mode & 0o100 else 0o644)
    return 1
