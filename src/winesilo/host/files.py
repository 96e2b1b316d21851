"""Small file operations shared by the host and the store: atomic writes, trees, sizes, OS errors."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from winesilo.errors import DiskFull, HostError, WinesiloError


@contextlib.contextmanager
def os_errors(doing: str) -> Iterator[None]:
    """Turn OSError into ours: the one seam for files.

    Args:
        doing: what was being done, for the message ("create silo 'x'").

    Raises:
        DiskFull: ENOSPC or EDQUOT.
        HostError: any other OSError.
    """
    try:
        yield
    except WinesiloError:
        raise
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                f"cannot {doing}: no space left{where}", "free some disk space and try again"
            ) from error
        raise HostError(f"cannot {doing}: {error.strerror or error}{where}") from error


def write_atomic(path: Path, data: bytes, mode: int = 0o644, sync: bool = True) -> None:
    """Replace ``path`` in one step; readers see the old or the new content.

    Args:
        path: the file.
        data: its new content.
        mode: permission bits.
        sync: also make it survive a power failure.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            if sync:
                os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def remove_tree(path: Path) -> None:
    """Remove a directory tree, also one with directories we may not read (overlayfs' work/work).

    A missing tree is fine.
    """

    def make_removable(function: Callable[..., Any], name: str, info: Any) -> None:
        error = info[1]
        if isinstance(error, FileNotFoundError):
            return
        if not isinstance(error, PermissionError):
            raise error
        for target in (os.path.dirname(name), name):
            with contextlib.suppress(OSError):
                if not os.path.islink(target):
                    os.chmod(target, stat.S_IRWXU)
        if function in (os.open, os.scandir, os.lstat):
            remove_tree(Path(name))
        else:
            function(name)

    if path.is_symlink() or path.is_file():
        path.unlink(missing_ok=True)
    elif os.path.lexists(path):
        shutil.rmtree(path, onerror=make_removable)


def disk_usage(path: Path) -> int:
    """Bytes of disk that the tree uses (blocks, so sparse files count what they hold)."""
    total = 0
    pending = [path]
    while pending:
        directory = pending.pop()
        try:
            with os.scandir(directory) as found:
                entries = list(found)
        except OSError:
            continue
        for entry in entries:
            try:
                total += entry.stat(follow_symlinks=False).st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))
            except OSError:
                continue
    return total


def free_space(path: Path) -> int:
    """Bytes an ordinary user may still write on the file system of ``path`` (or its nearest parent)."""
    while not path.exists():
        path = path.parent
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


def require_space(path: Path, needed: int, what: str) -> None:
    """Check for free space before starting something big.

    Raises:
        DiskFull: with the figures.
    """
    available = free_space(path)
    if available < needed:
        raise DiskFull(
            f"not enough disk space for {what}: {needed >> 20} MiB needed,"
            f" {available >> 20} MiB free on the file system of {path}",
            "free some space, or set XDG_DATA_HOME to a directory on a larger disk",
        )
