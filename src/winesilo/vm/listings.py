"""Keeping the listings of merged folders in the kernel.

A folder with parts in several layers has no list of its own: overlayfs merges the parts' for each program
that looks into it, and drops the result when the last one has closed the folder (``fs/overlayfs/readdir.c``).
Wine looks often: it reads a folder for every name that is not there in the letter case asked for, and
system32 three times while a program starts.  While we have the folder open, and read, all share one list.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path

from winesilo.host.files import os_errors


def folders_of(layer: Path) -> list[Path]:
    """All folders of a layer, relative to it, itself among them."""
    return [Path(folder).relative_to(layer) for folder, _, _ in os.walk(layer)]


class Listings:
    """The listings of some folders of a mounted overlay.

    Args:
        root: where it is mounted.
        folders: relative to it; those that are not there are left out.

    Raises:
        HostError: one can't be read.
    """

    def __init__(self, root: Path, folders: Iterable[Path]) -> None:
        self._lock = threading.Lock()
        self._changed: dict[int, int] = {}
        for folder in folders:
            try:
                descriptor = os.open(root / folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except (FileNotFoundError, NotADirectoryError):
                continue
            self._changed[descriptor] = -1
        try:
            self.refresh()
        except BaseException:
            self.close()
            raise

    def refresh(self) -> None:
        """Read those again that have changed: the kernel has dropped their lists.

        Raises:
            HostError: one can't be read.
        """
        with self._lock, os_errors("read the folders of a silo"):
            for descriptor, known in self._changed.items():
                changed = os.fstat(descriptor).st_mtime_ns
                if changed != known:
                    os.listdir(descriptor)  # from the start, which drops the descriptor's own old list
                    self._changed[descriptor] = changed

    def close(self) -> None:
        """Close them; safe to repeat."""
        with self._lock:
            for descriptor in self._changed:
                os.close(descriptor)
            self._changed.clear()
