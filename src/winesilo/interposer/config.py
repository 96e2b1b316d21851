r"""The configuration that ``libwinesilo.so`` reads at start, and the memory that a silo's processes share.

``interposer.conf`` is UTF-8 text, one ``key<TAB>value[<TAB>value]`` per line.  ``shared.mem`` is a
sparse file that every process of the silo maps:

    0       8 bytes  magic "WSILO\0\0\1"
    16      u64      registry writes so far (the daemon saves the hive when it moved)
    32768   65536 entries of 16 bytes, at index (Windows pid >> 2) & 0xffff:
            u32 Windows pid, u32 Unix pid, u64 creation time

All numbers are little endian; what else the file holds belongs to the library.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from winesilo.errors import InterposerError, LibraryMissing

CONFIG_VERSION: Final = "1"
SHARED_SIZE: Final = 64 << 20
SHARED_MAGIC: Final = b"WSILO\0\0\1"
#: Names the configuration file in the environment of a silo's processes.
CONFIG_VARIABLE: Final = "WINESILO_CONFIG"
_WRITES_OFFSET: Final = 16
_TABLE_OFFSET: Final = 32768
_TABLE_ENTRIES: Final = 65536
_ENTRY: Final = struct.Struct("<IIQ")
_NATIVE: Final = Path(__file__).resolve().parent.parent / "_native"


def library_path() -> Path:
    """The interposer.

    Raises:
        LibraryMissing: it has not been built.
    """
    return _native("libwinesilo.so")


def agent_path() -> Path:
    """The Windows program that acts for us on the host.

    Raises:
        LibraryMissing: it has not been built.
    """
    return _native("agent.exe")


def drive_layer() -> Path:
    """What every silo finds on its C: above the host's files: the programs that we put in place of Wine's.

    Raises:
        LibraryMissing: it has not been built.
    """
    return _native("drive_c/windows/system32/services.exe").parents[2]


def _native(name: str) -> Path:
    path = _NATIVE / name
    if not path.is_file():
        raise LibraryMissing(f"{path} is missing", "in a source tree, run: make build", path=str(path))
    return path


@dataclass(frozen=True, slots=True)
class Config:
    """What one boot of a silo tells the interposer.

    Attributes:
        silo_id: the silo's number.
        address: its IPv4 address.
        shared: path of shared.mem.
        network: path of the network file.
        loaders: the only Unix programs a silo's process may exec.
        folders: folders that its programs may read by Unix path, besides the one Wine was loaded from.
        links: symbolic links of the base's registry (lower-case logical paths).
        volatile: registry keys whose private copies must not be saved (lower-case logical paths).
        trace: write one line per redirected call to this file.
    """

    silo_id: int
    address: str
    shared: Path
    network: Path
    loaders: Sequence[Path]
    links: Sequence[tuple[str, str]] = ()
    volatile: Sequence[str] = ()
    folders: Sequence[Path] = ()
    trace: Path | None = None

    def render(self) -> str:
        """The file's text.

        Raises:
            InterposerError: a value holds a tab or a newline.
        """
        rows: list[tuple[str, ...]] = [
            ("winesilo-interposer", CONFIG_VERSION),
            ("id", str(self.silo_id)),
            ("address", self.address),
            ("twin", twin_address(self.address)),
            ("shared", str(self.shared)),
            ("network", str(self.network)),
            *(("loader", str(path)) for path in self.loaders),
            *(("folder", str(path)) for path in self.folders),
            *(("link", source, target) for source, target in self.links),
            *(("volatile", path) for path in self.volatile),
        ]
        if self.trace is not None:
            rows.append(("trace", str(self.trace)))
        for row in rows:
            if any("\t" in field or "\n" in field for field in row):
                raise InterposerError(f"{row[0]}: a tab or newline in {row[1:]!r}", "use a path without them")
        return "".join("\t".join(row) + "\n" for row in rows)

    def write(self, path: Path) -> None:
        """Write the file (on a tmpfs, before anything reads it)."""
        path.write_text(self.render(), encoding="utf-8")


def twin_address(address: str) -> str:
    """The IPv4 address that stands in for ``::1`` of the silo: the top bit of the second octet changed."""
    first, second, third, fourth = address.split(".")
    return f"{first}.{int(second) ^ 128}.{third}.{fourth}"


class SharedMemory:
    """The daemon's view of one silo's shared.mem.

    Args:
        path: where to create it; an existing file is replaced.
    """

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, SHARED_SIZE)
            os.pwrite(descriptor, SHARED_MAGIC, 0)
            self._map = mmap.mmap(descriptor, _TABLE_OFFSET + _TABLE_ENTRIES * _ENTRY.size)
        finally:
            os.close(descriptor)
        self.path = path

    def registry_writes(self) -> int:
        """How often processes of the silo have changed the registry."""
        return int(struct.unpack_from("<Q", self._map, _WRITES_OFFSET)[0])

    def lookup(self, windows_pid: int) -> tuple[int, int] | None:
        """(Unix pid, creation time) of a Windows process, or None; the process may have ended since."""
        offset = _TABLE_OFFSET + ((windows_pid >> 2) & (_TABLE_ENTRIES - 1)) * _ENTRY.size
        found, unix_pid, created = _ENTRY.unpack_from(self._map, offset)
        return (unix_pid, created) if found == windows_pid and unix_pid else None

    def close(self) -> None:
        """Unmap and remove it."""
        self._map.close()
        self.path.unlink(missing_ok=True)
