"""Keeping the listings of merged folders in the kernel.

A folder with parts in several layers has no list of its own: overlayfs merges the parts' for each program
that looks into it, and drops the result when the last one has closed the folder (``fs/overlayfs/readdir.c``).
Wine looks often: it reads a folder for every name that is not there in the letter case asked for, and
system32 three times while a program starts.  While we have the folder open, and read, all share one list.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from winesilo.host.files import os_errors

#: How many folders are open for one silo, and how long a list is kept: the kernel needs 100 bytes per entry.
MAX_FOLDERS: Final = 256
MAX_ENTRIES: Final = 4096
_OPEN: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass
class _Folder:
    """One that is open.

    Attributes:
        descriptor: of the merged folder.
        read: when what was read last had been changed.
        seen: when the folder had been changed at the last look.
        own: when the topmost layer's part had been changed at the last look, 0 if there was none.
        large: whether its list is too long to be kept; what is below it is kept.
    """

    descriptor: int
    read: int = -1
    seen: int = -1
    own: int = -1
    large: bool = False


class Listings:
    """The listings of the merged folders of a mounted overlay, also of those that become merged later.

    Args:
        root: where it is mounted.
        layers: its layers, the topmost, which changes, first.

    Raises:
        HostError: one can't be read.
    """

    def __init__(self, root: Path, layers: Sequence[Path]) -> None:
        self._root = root
        self._layers = list(layers)
        self._lock = threading.Lock()
        self._folders: dict[Path, _Folder] = {}
        try:
            with self._lock, os_errors("read the folders of a silo"):
                self._keep(Path())
                self._refresh(settled=False)
        except BaseException:
            self.close()
            raise

    def refresh(self) -> None:
        """Read those again that changed, but not since the last look: the kernel has dropped their lists.

        Raises:
            HostError: one can't be read.
        """
        with self._lock, os_errors("read the folders of a silo"):
            self._refresh(settled=True)

    def close(self) -> None:
        """Close them; safe to repeat."""
        with self._lock:
            for path in list(self._folders):
                self._drop(path)

    def _refresh(self, settled: bool) -> None:
        for path, folder in list(self._folders.items()):
            if path not in self._folders:
                continue  # dropped with one above it
            own = _changed(self._layers[0] / path)
            if own != folder.own:
                folder.own = own
                self._look_below(path)
            changed = os.fstat(folder.descriptor).st_mtime_ns
            if not folder.large and changed != folder.read and (changed == folder.seen or not settled):
                _read(folder)
                folder.read = changed
            folder.seen = changed

    def _look_below(self, path: Path) -> None:
        """Keep the subfolders that are merged, and no more those that are not there any more."""
        for known in [known for known in self._folders if known.parent == path and known != path]:
            if not _is_at(self._folders[known].descriptor, self._root / known):
                self._drop_below(known)
        for name in self._merged_below(path):
            if path / name not in self._folders:
                self._keep(path / name)

    def _merged_below(self, path: Path) -> Iterator[str]:
        found: set[str] = set()
        for number, layer in enumerate(self._layers[:-1], start=1):
            for name in _subfolders(layer / path):
                lower = (below / path / name for below in self._layers[number:])
                if name not in found and any(_is_folder(part) for part in lower):
                    found.add(name)
                    yield name

    def _keep(self, path: Path) -> None:
        if len(self._folders) >= MAX_FOLDERS:
            return
        try:
            folder = _Folder(os.open(self._root / path, _OPEN))
        except (FileNotFoundError, NotADirectoryError):
            return
        self._folders[path] = folder
        folder.own = _changed(self._layers[0] / path)
        self._look_below(path)

    def _drop_below(self, path: Path) -> None:
        for known in [known for known in self._folders if known.is_relative_to(path)]:
            self._drop(known)

    def _drop(self, path: Path) -> None:
        os.close(self._folders.pop(path).descriptor)


def _read(folder: _Folder) -> None:
    # from the start, which drops the descriptor's own old list
    if len(os.listdir(folder.descriptor)) > MAX_ENTRIES:
        folder.large = True
        unread = os.open(".", _OPEN, dir_fd=folder.descriptor)
        os.close(folder.descriptor)  # and with it the list
        folder.descriptor = unread


def _changed(part: Path) -> int:
    """When a layer's part of a folder got or lost an entry: a copy for a change shows in this time only."""
    try:
        return part.stat(follow_symlinks=False).st_ctime_ns
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return False


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat(follow_symlinks=False).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _subfolders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
