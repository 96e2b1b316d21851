r"""The file through which a silo's processes know what they may reach (``src/interposer/network.h``).

It outlives the silo's boots as long as the host runs: linked silos keep it mapped.

    0       8 bytes  magic "WSNET\0\0\1"
    8       u32      version of the rules, odd while they change
    12      u32      ports below this one are out of reach of the host
    16, 20  u32      how many links and rules there are
    24      u32      how many entries of the ports were ever used
    4096    128 links of 76 bytes: IPv4 address, u32 flags, u32 id, name of 64 bytes
    16384   64 rules of 24 bytes: u8 stream, u8 IPv6, u16 port, u16 real port, u16 0, address of 16 bytes
    20480   128 ports of 32 bytes: u32 state, u8 stream, twin, IPv6, kind, u16 port, u16 real port,
            address of 16 bytes, u32 published
    65536   how ports were bound, the library's own

Numbers are little endian, ports in network order.
"""

from __future__ import annotations

import ipaddress
import mmap
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from winesilo.errors import InvalidPublish
from winesilo.interposer.mapping import shared_file

NETWORK_SIZE: Final = 512 << 10
NETWORK_MAGIC: Final = b"WSNET\0\0\1"
MAX_LINKS: Final = 128
MAX_RULES: Final = 64
_VERSION: Final = 8
_SETTINGS: Final = struct.Struct("<III")
_SETTINGS_OFFSET: Final = 12
_LINKS: Final = 4096
_LINK: Final = struct.Struct("<4sII64s")
_RULES: Final = 16384
_RULE: Final = struct.Struct("<BB2s2sH16s")
_PORTS: Final = 20480
_PORT: Final = struct.Struct("<IBBBB2s2s16sI")
_PORT_ENTRIES: Final = 128
_PORT_USED: Final = 2
_RULES_END: Final = _PORTS
#: Flags of a link: whom the silo may reach, and who may reach it and gets its answers.
LINK_TO: Final = 1
LINK_FROM: Final = 2

_PUBLISH: Final = re.compile(
    r"(?:(?P<v4>[0-9.]+):|\[(?P<v6>[0-9A-Fa-f:.]+)\]:)?(?P<host_port>[0-9]{1,5}):(?P<port>[0-9]{1,5})"
    r"(?:/(?P<protocol>tcp|udp))?"
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Link:
    """A silo that this one may reach, or that may reach it."""

    address: str
    flags: int
    silo_id: int
    name: str

    def pack(self) -> bytes:
        """As it stands in the file."""
        packed = ipaddress.IPv4Address(self.address).packed
        return _LINK.pack(packed, self.flags, self.silo_id, self.name.encode())


@dataclass(frozen=True, slots=True)
class Rule:
    """A port of the silo that is bound at another address.

    Attributes:
        protocol: ``tcp`` or ``udp``.
        address: where.
        host_port: the port there.
        port: the silo's port.
    """

    protocol: str
    address: Address
    host_port: int
    port: int

    def pack(self) -> bytes:
        """As it stands in the file."""
        return _RULE.pack(
            self.protocol == "tcp",
            self.address.version == 6,
            self.port.to_bytes(2, "big"),
            self.host_port.to_bytes(2, "big"),
            0,
            self.address.packed,
        )

    def __str__(self) -> str:
        shown = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"{shown}:{self.host_port}:{self.port}/{self.protocol}"


@dataclass(frozen=True, slots=True)
class BoundPort:
    """A port that a program of the silo has bound, and where it is in truth."""

    protocol: str
    port: int
    address: str
    host_port: int
    published: bool


def parse_publish(text: str) -> Rule:
    """``[HOSTADDR:]HOSTPORT:PORT[/tcp|/udp]``; an IPv6 address stands in brackets.

    Raises:
        InvalidPublish: it is something else.
    """
    hint = "use [HOSTADDR:]HOSTPORT:PORT[/tcp|/udp], an IPv6 address in brackets: 127.0.0.1:8080:80"
    match = _PUBLISH.fullmatch(text)
    if match is None:
        raise InvalidPublish(f"{text!r} does not say which port to publish where", hint)
    try:
        address: Address = (
            ipaddress.IPv6Address(match["v6"]) if match["v6"] else ipaddress.IPv4Address(match["v4"] or 0)
        )
    except ValueError as error:
        raise InvalidPublish(f"{text!r}: {error}", hint) from error
    host_port, port = int(match["host_port"]), int(match["port"])
    if not (0 < host_port < 65536 and 0 < port < 65536):
        raise InvalidPublish(f"{text!r}: ports are numbers from 1 to 65535", hint)
    return Rule(match["protocol"] or "tcp", address, host_port, port)


class NetworkFile:
    """The daemon's view of one silo's file; made if there is none.

    Args:
        path: where it is.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        self._map = shared_file(path, NETWORK_SIZE, NETWORK_MAGIC, fresh=False)
        self.path = path

    def reset(self) -> None:
        """Forget what an earlier boot bound."""
        struct.pack_into("<II", self._map, 24, 0, 0)
        for offset in range(_PORTS, _PORTS + _PORT.size * _PORT_ENTRIES, _PORT.size):
            struct.pack_into("<I", self._map, offset, 0)
        self._map.madvise(mmap.MADV_REMOVE, 65536, NETWORK_SIZE - 65536)

    def write_rules(self, links: Sequence[Link], rules: Sequence[Rule], low_ports: int) -> None:
        """Replace the rules; processes of the silo follow at once.

        Args:
            links: at most MAX_LINKS.
            rules: at most MAX_RULES.
            low_ports: see the file's layout.
        """
        version = struct.unpack_from("<I", self._map, _VERSION)[0] | 1
        struct.pack_into("<I", self._map, _VERSION, version & 0xFFFFFFFF)
        for offset, records in ((_LINKS, links), (_RULES, rules)):
            packed = b"".join(record.pack() for record in records)
            self._map[offset : offset + len(packed)] = packed
        _SETTINGS.pack_into(self._map, _SETTINGS_OFFSET, low_ports, len(links), len(rules))
        struct.pack_into("<I", self._map, _VERSION, (version + 1) & 0xFFFFFFFF)

    def bound_ports(self) -> Iterator[BoundPort]:
        """Ports that were bound elsewhere; the sockets may have been closed since."""
        for offset in range(_PORTS, _PORTS + _PORT.size * _PORT_ENTRIES, _PORT.size):
            state, stream, _, v6, _, port, real_port, packed, published = _PORT.unpack_from(self._map, offset)
            if state == _PORT_USED:
                address = ipaddress.ip_address(packed if v6 else packed[:4])
                yield BoundPort(
                    protocol="tcp" if stream else "udp",
                    port=int.from_bytes(port, "big"),
                    address=str(address),
                    host_port=int.from_bytes(real_port, "big"),
                    published=bool(published),
                )

    def close(self) -> None:
        """Unmap it; it stays for others."""
        self._map.close()
