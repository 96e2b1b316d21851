r"""A silo looked at from outside: what its processes hold, whatever the interposer has recorded.

Two independent views: the handles of its Windows processes, with the names the wineserver has for
what they lead to, and the descriptors of its Unix processes.  What neither lies in the silo nor has a
rule is a rendezvous that nobody declared.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from winesilo.host.agent import Handle
from winesilo.interposer.config import twin_address
from winesilo.interposer.record import Rule
from winesilo.vm.rendezvous import Rendezvous, Rules, kind_of_object

_AFD: Final = "\\Device\\Afd"
_PIPES: Final = re.compile(r"\\Device\\(NamedPipe|MailSlot)(\\|$)", re.IGNORECASE)
_KEYS: Final = re.compile(r"\\REGISTRY(\\|$)", re.IGNORECASE)
_HIVES: Final = re.compile(r"\\REGISTRY\\User\\winesilo-(\d+)(\\|$)", re.IGNORECASE)
_FILES: Final = re.compile(r"\\\?\?\\([A-Za-z]:|unix)([\\/]|$)", re.IGNORECASE)
#: The name that Linux gives to the end of a connection (unix(7), autobind).
_AUTOBOUND: Final = re.compile("@[0-9a-f]{5}")
_WS_INET: Final = 2
_WS_INET6: Final = 23
_WRITING: Final = os.O_WRONLY | os.O_RDWR


def _rule(reason: str) -> Rule:
    return Rule("outside", "shared", "", reason)


_BASE_KEYS: Final = _rule(
    "keys of the base are read in place; the first write goes to a copy of the silo's own"
)
_CLIENT: Final = _rule("bound to no address, or to one that Linux chose for a connection to another machine")
_PUBLISHED: Final = _rule("the port is published at another address of the machine")
_SERVER: Final = _rule("the wineserver, which a silo shares with its host")
_OWN_FILES: Final = _rule("winesilo's own files: configuration, shared memory, logs")
_WINE: Final = _rule("Wine's own files and fonts, for reading only")
_DEVICES: Final = _rule("devices of Linux without state, terminals, and serial and parallel ports")
_GIVEN: Final = _rule("standard input, output or error, given by who ran the program")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a silo is, for telling what is its own.

    Attributes:
        silo_id: its number.
        address: its IPv4 address.
        root: where its C: is mounted.
        own: folders and files of winesilo's that its processes use.
        wine: folders and files of Wine and fonts.
        server: the wineserver's directory.
        published: real (protocol, port) of its published ports.
    """

    silo_id: int
    address: str
    root: Path
    own: Sequence[Path]
    wine: Sequence[Path]
    server: Path
    published: frozenset[tuple[str, int]]


# -- handles ----------------------------------------------------------------------------------


def of_handles(
    handles: Sequence[Handle], pids: frozenset[int], place: Place, rules: Rules
) -> list[Rendezvous]:
    """Those of the handles that lead out of the silo.

    Args:
        handles: of its processes.
        pids: the Windows ids of its processes.
        place: the silo.
        rules: what a silo may have of the host's objects.
    """
    return [found for handle in handles if (found := _of_handle(handle, pids, place, rules)) is not None]


def _of_handle(handle: Handle, pids: frozenset[int], place: Place, rules: Rules) -> Rendezvous | None:
    name = handle.name
    if handle.type in ("Process", "Thread"):
        # 0: it has ended, so that nobody can be met through it
        outside = int(name) not in {0, *pids}
        return _found("process", f"id {name}", "handles", None) if outside else None
    if handle.type == "Desktop" or is_below(name, rf"\winesilo\{place.silo_id}"):
        return None  # a desktop's name is one below its window station, which is the silo's
    if _KEYS.match(name):
        return _of_key(name, place)
    if name.startswith(_AFD):
        return _of_socket(name[len(_AFD) :].strip(), place)
    if match := _PIPES.match(name):
        below = name[match.end() :]
        if not below or is_below(below, rf"winesilo\{place.silo_id}"):
            return None
        return _found("pipe" if match[1].lower() == "namedpipe" else "mailslot", below, "handles", None)
    if _FILES.match(name):
        return None  # its descriptor tells more: see below
    rule = rules.of_object(name)
    return _found(kind_of_object(name), name, "handles", rule)


def _of_key(name: str, place: Place) -> Rendezvous | None:
    if match := _HIVES.match(name):
        return None if int(match[1]) == place.silo_id else _found("key", name, "handles", None)
    return _found("key", "keys of the base", "handles", _BASE_KEYS)


def _of_socket(digits: str, place: Place) -> Rendezvous | None:
    address = _ws_address(bytes.fromhex(digits)) if digits else None
    if address is None:
        return None
    where, port = address
    return _of_address("", where, port, place, "handles")


def _ws_address(raw: bytes) -> tuple[str, int] | None:
    """The address in a ``sockaddr`` of Windows; None if it is of another family or not bound."""
    if len(raw) < 8:
        return None
    family, port = struct.unpack_from("<H", raw)[0], struct.unpack_from(">H", raw, 2)[0]
    if family == _WS_INET:
        return str(ipaddress.IPv4Address(raw[4:8])), port
    if family == _WS_INET6 and len(raw) >= 24:
        return str(ipaddress.IPv6Address(raw[8:24])), port
    return None


def _of_address(protocol: str, where: str, port: int, place: Place, seen: str) -> Rendezvous | None:
    address = ipaddress.ip_address(where)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if str(address) in (place.address, twin_address(place.address)) or port == 0:
        return None
    shown = f"{protocol} {where}:{port}".strip()
    protocols = [protocol] if protocol else ["tcp", "udp"]
    if any((one, port) in place.published for one in protocols):
        return _found("socket", shown, seen, _PUBLISHED)
    if address.is_loopback:
        return _found("socket", shown, seen, None)
    return _found("socket", f"{protocol} {where}".strip(), seen, _CLIENT)


# -- descriptors ------------------------------------------------------------------------------


_THREAD_NAME: Final = re.compile(r"/proc/\d+/task/\d+/comm")


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A descriptor of a Unix process.

    Attributes:
        number: in the process.
        target: what ``/proc/PID/fd`` says it leads to.
        flags: as for open(2).
        identity: device and inode.
    """

    number: int
    target: str
    flags: int
    identity: tuple[int, int]


def descriptors(pid: int) -> list[Descriptor]:
    """The descriptors of a process that are open now; none if it has ended."""
    found: list[Descriptor] = []
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                path = f"/proc/{pid}/fd/{name}"
                status = os.stat(path)
                target = os.readlink(path)
                found.append(Descriptor(int(name), target, _flags(pid, name), (status.st_dev, status.st_ino)))
    return found


def _flags(pid: int, number: str) -> int:
    with open(f"/proc/{pid}/fdinfo/{number}", encoding="ascii") as stream:
        for line in stream:
            if line.startswith("flags:"):
                return int(line.split()[1], 8)
    return 0


def of_descriptors(
    pids: Sequence[int], place: Place, look: Callable[[int], list[Descriptor]] = descriptors
) -> list[Rendezvous]:
    """What the descriptors of a silo's processes lead to, but for the silo's own files and what has no name.

    Args:
        pids: the Unix ids of its processes.
        place: the silo.
        look: tells the descriptors of a process.
    """
    found = []
    sockets = dict(_sockets(pids))
    for pid in pids:
        held = look(pid)
        given = {one.identity for one in held if one.number < 3}
        for one in held:
            rendezvous = _of_descriptor(one, one.identity in given, place, sockets)
            if rendezvous is not None:
                found.append(rendezvous)
    return found


def _of_descriptor(
    one: Descriptor, given: bool, place: Place, sockets: dict[str, tuple[str, str, int]]
) -> Rendezvous | None:
    target = one.target
    if target.startswith("socket:"):
        known = sockets.get(target[len("socket:[") : -1])
        return None if known is None else _of_unix_socket(known, place)
    if not target.startswith("/") or target.startswith("/memfd:"):
        return None  # pipes and other things without a name
    path = Path(target.removesuffix(" (deleted)"))
    if path.is_relative_to(place.root):
        return None
    if one.flags & _WRITING and _THREAD_NAME.fullmatch(target):
        return None  # for a moment, by Wine 10; Linux lets a process name no threads but its own
    return _found("file", str(path), "descriptors", _file_rule(path, one, given, place))


def _file_rule(path: Path, one: Descriptor, given: bool, place: Place) -> Rule | None:
    writes = one.flags & _WRITING
    if any(path.is_relative_to(folder) for folder in place.own):
        return _OWN_FILES
    if path.is_relative_to(place.server):
        return _SERVER
    if not writes and any(path.is_relative_to(folder) for folder in place.wine):
        return _WINE
    if path.is_relative_to("/dev"):
        return _DEVICES
    return _GIVEN if given else None


def _of_unix_socket(known: tuple[str, str, int], place: Place) -> Rendezvous | None:
    protocol, where, port = known
    if protocol != "unix":
        return _of_address(protocol, where, port, place, "descriptors")
    rule = _SERVER if Path(where).is_relative_to(place.server) else None
    return _found("file", where, "descriptors", rule)


def _sockets(pids: Sequence[int]) -> Iterator[tuple[str, tuple[str, str, int]]]:
    """By inode: protocol, address or path, port of the sockets with a name, as one process sees them."""
    for pid in pids[:1]:
        for table, protocol in (("tcp", "tcp"), ("tcp6", "tcp"), ("udp", "udp"), ("udp6", "udp")):
            for row in _table(pid, table):
                where, port = row[1].split(":")
                yield row[9], (protocol, _proc_address(where), int(port, 16))
        for row in _table(pid, "unix"):
            connection = _AUTOBOUND.fullmatch(row[7]) if len(row) > 7 else None
            if len(row) > 7 and connection is None:
                yield row[6], ("unix", row[7], 0)


def _table(pid: int, name: str) -> list[list[str]]:
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/net/{name}").read_text(encoding="utf-8", errors="replace")
        return [line.split() for line in text.splitlines()[1:]]
    return []


def _proc_address(digits: str) -> str:
    """An address as ``/proc/net/tcp`` has it: words of 32 bits in the machine's order."""
    raw = b"".join(struct.pack("=I", int(digits[at : at + 8], 16)) for at in range(0, len(digits), 8))
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def _found(kind: str, name: str, seen: str, rule: Rule | None) -> Rendezvous:
    return Rendezvous(kind, name, "undeclared" if rule is None else "shared", ("held",), (seen,), rule)


def is_below(name: str, folder: str) -> bool:
    """Whether a name is a folder's or below it, in any case of letters."""
    return name.lower() == folder.lower() or name.lower().startswith(folder.lower() + "\\")
