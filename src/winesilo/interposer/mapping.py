"""Files of shared memory that the daemon makes for the processes of a silo."""

from __future__ import annotations

import mmap
import os
from pathlib import Path


def shared_file(path: Path, size: int, magic: bytes, *, fresh: bool) -> mmap.mmap:
    """Map a file, which is made if there is none, and put its magic number in front.

    Args:
        path: where it is.
        size: bytes.
        magic: what the library looks for at its beginning.
        fresh: replace an existing file, which processes may still have mapped.

    Raises:
        OSError: as the file system has it.
    """
    if fresh:
        path.unlink(missing_ok=True)
    exclusive = os.O_EXCL if fresh else 0
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | exclusive | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(descriptor, size)
        mapped = mmap.mmap(descriptor, size)
    finally:
        os.close(descriptor)
    mapped[: len(magic)] = magic
    return mapped
