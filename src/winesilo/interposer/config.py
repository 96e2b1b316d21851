r"""The configuration that ``libwinesilo.so`` reads at start, and the memory that a silo's processes share.

``interposer.conf`` is UTF-8 text, one ``key<TAB>value[<TAB>value]`` per line.  ``shared.mem`` is a
sparse file that every process of the silo maps:

    0       8 bytes  magic "WSILO\0\0\1"
    16      u64      registry writes so far (the daemon saves the hive when it moved)
    32768   65536 entries of 16 bytes, at index (Windows pid >> 2) & 0xffff:
            u32 Windows pid, u32 Unix pid, u64 creation time
    2326688 the index of private registry keys (``keyindex.h``)

All numbers are little endian; what else the file holds belongs to the library.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from winesilo.errors import InterposerError, LibraryMissing
from winesilo.interposer.mapping import shared_file

CONFIG_VERSION: Final = "1"
SHARED_SIZE: Final = 64 << 20
SHARED_MAGIC: Final = b"WSILO\0\0\1"
#: Names the configuration file in the environment of a silo's processes.
CONFIG_VARIABLE: Final = "WINESILO_CONFIG"
#: Set for a process of a silo that no Windows program starts: its variables come from the silo's registry.
FIRST_VARIABLE: Final = "WINESILO_FIRST"
_WRITES_OFFSET: Final = 16
_TABLE_OFFSET: Final = 32768
_TABLE_ENTRIES: Final = 65536
_ENTRY: Final = struct.Struct("<IIQ")
#: Where the index of private keys is (struct key_index), and what of it is read here.
_INDEX: Final = 2326688
_INDEX_NODES_AT: Final = _INDEX + 524312
_INDEX_TEXT_AT: Final = _INDEX + 19398680
_INDEX_NODES: Final = 1 << 18
_INDEX_DEPTH: Final = 512
#: struct key_node: parent, next, first child, two siblings, serial, children, name, target; four lengths;
#: kind, flags, whether its values were changed; what it was renamed to; times.
_NODE: Final = struct.Struct("<9I4HBBBxIIqq")
#: enum key_kind
_KINDS: Final = {2: "changed", 3: "replaced", 4: "created", 5: "created", 7: "deleted"}
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


def services_path() -> Path:
    """The folder with the packages of services that winesilo brings along.

    Raises:
        LibraryMissing: they have not been built.
    """
    return _native("services/register.exe").parent


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
        record: path of the record of rendezvous.
        loaders: the only Unix programs a silo's process may exec.
        folders: folders that its programs may read by Unix path, besides the one Wine was loaded from.
        links: symbolic links of the base's registry (lower-case logical paths).
        volatile: registry keys whose private copies must not be saved (lower-case logical paths).
        devices: the catalogue's names of devices and drivers, (class, pattern); the first that fits decides.
        server_binds: whether the wineserver binds datagram sockets to the silo's addresses itself.
        trace: write one line per redirected call to this file.
    """

    silo_id: int
    address: str
    shared: Path
    network: Path
    record: Path
    loaders: Sequence[Path]
    links: Sequence[tuple[str, str]] = ()
    volatile: Sequence[str] = ()
    folders: Sequence[Path] = ()
    devices: Sequence[tuple[str, str]] = ()
    server_binds: bool = False
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
            ("audit", str(self.record)),
            *(("loader", str(path)) for path in self.loaders),
            *(("folder", str(path)) for path in self.folders),
            *(("device", kind, pattern) for kind, pattern in self.devices),
            *(("link", source, target) for source, target in self.links),
            *(("volatile", path) for path in self.volatile),
        ]
        if self.server_binds:
            rows.append(("datagrams", "server"))
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


@dataclass(frozen=True, slots=True)
class PrivateKey:
    r"""A key of a silo's own registry.

    Attributes:
        path: without ``\Registry\``.
        kind: ``created``, ``changed`` (copied up from the base), ``replaced`` or ``deleted``.
        parent: whether it has keys below it in the index; a changed one may be there for their sake only.
        written: whether its values were changed since the silo was started.
    """

    path: str
    kind: str
    parent: bool
    written: bool = False


class SharedMemory:
    """The daemon's view of one silo's shared.mem.

    Args:
        path: where to create it; an existing file is replaced.
    """

    def __init__(self, path: Path) -> None:
        self._map = shared_file(path, SHARED_SIZE, SHARED_MAGIC, fresh=True)
        self.path = path

    def registry_writes(self) -> int:
        """How often processes of the silo have changed the registry."""
        return int(struct.unpack_from("<Q", self._map, _WRITES_OFFSET)[0])

    def private_keys(self) -> list[PrivateKey]:
        """The keys in the index of the silo's registry; several may change while they are read."""
        (count,) = struct.unpack_from("<I", self._map, _INDEX + 8)
        size = min(count, _INDEX_NODES) * _NODE.size
        nodes = list(_NODE.iter_unpack(self._map[_INDEX_NODES_AT : _INDEX_NODES_AT + size]))
        found = []
        for node in nodes:
            kind = _KINDS.get(node[13])
            if kind is not None and node[0]:
                found.append(
                    PrivateKey("\\".join(self._path(nodes, node)), kind, bool(node[2]), bool(node[15]))
                )
        return found

    def _path(self, nodes: list[tuple[int, ...]], node: tuple[int, ...]) -> list[str]:
        parts: list[str] = []
        while node[0] and len(parts) < _INDEX_DEPTH:  # the root has no parent, and no name
            start = _INDEX_TEXT_AT + 2 * node[7]
            parts.append(self._map[start : start + 2 * node[9]].decode("utf-16-le", "replace"))
            node = nodes[node[0]] if node[0] < len(nodes) else nodes[0]
        return parts[::-1]

    def lookup(self, windows_pid: int) -> tuple[int, int] | None:
        """(Unix pid, creation time) of a Windows process, or None; the process may have ended since."""
        found, unix_pid, created = self._entry(windows_pid)
        return (unix_pid, created) if found == windows_pid and unix_pid else None

    def is_starting(self, windows_pid: int) -> bool:
        """Whether a process has been made by another one and has not said yet who it is for Linux."""
        found, unix_pid, _ = self._entry(windows_pid)
        return found == windows_pid and not unix_pid

    def _entry(self, windows_pid: int) -> tuple[int, int, int]:
        """Whose it is, the Unix pid (0: not known yet), the creation time."""
        offset = _TABLE_OFFSET + ((windows_pid >> 2) & (_TABLE_ENTRIES - 1)) * _ENTRY.size
        found, unix_pid, created = _ENTRY.unpack_from(self._map, offset)
        return found, unix_pid, created

    def close(self) -> None:
        """Unmap and remove it."""
        self._map.close()
        self.path.unlink(missing_ok=True)
