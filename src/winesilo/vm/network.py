"""What a silo's sockets may do: published ports, links, ports that need privileges."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import re
import socket
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from winesilo.errors import InvalidPublish, PublishFailed, SiloCorrupt, UsageError
from winesilo.host.paths import HostPaths, check_name
from winesilo.interposer.network import (
    LINK_FROM,
    LINK_TO,
    MAX_LINKS,
    MAX_RULES,
    Address,
    BoundPort,
    Link,
    NetworkFile,
    Rule,
    parse_publish,
)
from winesilo.vm.store import Record, Store

_TYPES: Final = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
_LISTEN: Final = "0A"
_UNPRIVILEGED: Final = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


# -- what the user writes ---------------------------------------------------------------------


def check_rules(texts: Iterable[str]) -> list[str]:
    """The rules as they are kept, each once.

    Raises:
        InvalidPublish: malformed, too many, or two for one port.
    """
    rules = list(dict.fromkeys(parse_publish(text) for text in texts))
    if len(rules) > MAX_RULES:
        raise InvalidPublish(f"a silo can publish {MAX_RULES} ports, not {len(rules)}")
    seen: dict[tuple[str, int, int], Rule] = {}
    places: dict[tuple[str, Address, int], Rule] = {}
    for rule in rules:
        other = seen.setdefault((rule.protocol, rule.port, rule.address.version), rule)
        if other is not rule:
            raise InvalidPublish(
                f"port {rule.port}/{rule.protocol} can't be published at {other} and at {rule}",
                "publish it once; 0.0.0.0 means all addresses of the machine",
            )
        other = places.setdefault((rule.protocol, rule.address, rule.host_port), rule)
        if other is not rule:
            raise InvalidPublish(f"{other} and {rule} want the same port of the machine")
    return [str(rule) for rule in rules]


def without(rules: Sequence[str], unwanted: Iterable[str]) -> list[str]:
    """The rules but those named, by themselves or by the silo's port (``80``, ``53/udp``).

    Raises:
        InvalidPublish: there is no such rule.
    """
    left = list(rules)
    for text in unwanted:
        if match := re.fullmatch(r"([0-9]{1,5})(?:/(tcp|udp))?", text):
            gone = [rule for rule in left if rule.endswith(f":{match[1]}/{match[2] or 'tcp'}")]
        else:
            gone = [rule for rule in left if rule == str(parse_publish(text))]
        if not gone:
            raise InvalidPublish(f"{text!r} is not published", "see: silo inspect NAME")
        left = [rule for rule in left if rule not in gone]
    return left


def check_links(name: str, links: Iterable[str], store: Store) -> list[str]:
    """The links as they are kept, each once.

    Raises:
        InvalidName, SiloNotFound, UsageError.
    """
    kept = list(dict.fromkeys(check_name(link, "silo") for link in links))
    if len(kept) > MAX_LINKS // 2:
        raise UsageError(f"a silo can be linked to {MAX_LINKS // 2} others, not {len(kept)}")
    for link in kept:
        if link == name:
            raise UsageError(f"the silo {name!r} can't be linked to itself", "it reaches itself anyway")
        store.load(link)
    return kept


# -- what the machine gives -------------------------------------------------------------------


def low_ports(address: str) -> int:
    """Ports below this one can't be bound by this host; 0 if it may bind all."""
    with socket.socket() as probe:
        try:
            probe.bind((address, 1))
        except PermissionError:
            return int(_UNPRIVILEGED.read_text())
        except OSError:
            return 0
    return 0


def probe(rule: Rule) -> None:
    """Check that a rule's address can be bound now.

    Raises:
        PublishFailed: with what is in the way.
    """
    family = socket.AF_INET6 if rule.address.version == 6 else socket.AF_INET
    try:
        with socket.socket(family, _TYPES[rule.protocol]) as trial:
            if rule.protocol == "tcp":
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            trial.bind((str(rule.address), rule.host_port))
    except OSError as error:
        raise _failed(rule, error) from error


def _failed(rule: Rule, error: OSError) -> PublishFailed:
    reasons = {
        errno.EADDRINUSE: (
            f"port {rule.host_port} is in use there",
            f"find out by what: ss -lnp 'sport = :{rule.host_port}'",
        ),
        errno.EADDRNOTAVAIL: (f"{rule.address} is not an address of this machine", "see: ip address"),
        errno.EAFNOSUPPORT: ("this machine has no IPv6", None),
        errno.EACCES: (
            f"ports below {_UNPRIVILEGED.read_text().strip()} need root",
            "publish it at a higher port, or lower the limit: sysctl net.ipv4.ip_unprivileged_port_start",
        ),
    }
    reason, hint = reasons.get(error.errno or 0, (error.strerror or str(error), None))
    return PublishFailed(f"{rule} can't be published: {reason}", hint, rule=str(rule))


def _open_ports() -> set[tuple[str, int]]:
    """(protocol, port) of every listening TCP and every UDP socket of the machine, whatever its address."""
    found = set()
    for protocol in _TYPES:
        for name in (protocol, f"{protocol}6"):
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/net/{name}").read_text(encoding="ascii").splitlines()[1:]:
                    fields = line.split()
                    if protocol == "udp" or fields[3] == _LISTEN:
                        found.add((protocol, int(fields[1].rpartition(":")[2], 16)))
    return found


# -- the silos of a host ----------------------------------------------------------------------


class Networks:
    """The network files of a host's running silos.

    Args:
        paths: the host.
        store: its silos.
    """

    def __init__(self, paths: HostPaths, store: Store) -> None:
        self._directory = paths.shm / "net"
        self._store = store
        self._files: dict[str, NetworkFile] = {}
        self._guard = threading.Lock()

    def path(self, record: Record) -> Path:
        """The file of a silo."""
        return self._directory / str(record.id)

    def check_machine(self, rules: Iterable[str]) -> None:
        """Check what a new rule needs of the machine; a port that is in use now may be free later.

        Raises:
            PublishFailed.
        """
        silos = {
            record.address: record.name for record in self._store.load_all() if isinstance(record, Record)
        }
        for text in rules:
            rule = parse_publish(text)
            if owner := silos.get(str(rule.address)):
                raise PublishFailed(f"{rule} can't be published: that is the address of the silo {owner!r}")
            try:
                probe(rule)
            except PublishFailed as error:
                if not isinstance(error.__cause__, OSError) or error.__cause__.errno != errno.EADDRINUSE:
                    raise

    def begin(self, record: Record) -> None:
        """A silo starts.

        Raises:
            PublishFailed: one of its ports is taken, or published by another silo that runs.
        """
        with self._guard:
            self._check_free(record)
            file = self._files.get(record.name) or NetworkFile(self.path(record))
            file.reset()
            self._files[record.name] = file
            self._write_all()

    def _check_free(self, record: Record) -> None:
        taken = {
            (rule.protocol, str(rule.address), rule.host_port): name
            for name in self._files
            if name != record.name
            for rule in map(parse_publish, self._record(name).publish)
        }
        for rule in map(parse_publish, record.publish):
            if owner := taken.get((rule.protocol, str(rule.address), rule.host_port)):
                raise PublishFailed(f"{rule} can't be published: the silo {owner!r} publishes a port there")
            probe(rule)

    def end(self, record: Record) -> None:
        """A silo has stopped, or did not start."""
        with self._guard:
            file = self._files.pop(record.name, None)
            if file is not None:
                file.reset()
                file.close()
            self._write_all()

    def changed(self) -> None:
        """Rules of silos have changed on disk: tell those that run."""
        with self._guard:
            self._write_all()

    def _record(self, name: str) -> Record:
        with contextlib.suppress(SiloCorrupt):
            return self._store.load(name)
        return Record(name, 0, "127.0.0.1", "")

    def _write_all(self) -> None:
        records = {record.name: record for record in self._store.load_all() if isinstance(record, Record)}
        for name, file in self._files.items():
            if (record := records.get(name)) is not None:
                rules = [parse_publish(text) for text in record.publish]
                file.write_rules(_links(record, records), rules, low_ports(record.address))

    def forget(self, gone: Record) -> None:
        """A silo was removed: nobody is linked to it any more, nor to another one that gets its name."""
        with self._guard:
            for record in self._store.load_all():
                if isinstance(record, Record) and gone.name in record.links:
                    links = [link for link in record.links if link != gone.name]
                    self._store.save(dataclasses.replace(record, links=links))
            self.path(gone).unlink(missing_ok=True)
            self._write_all()

    def ports(self, record: Record) -> list[dict[str, Any]]:
        """Ports that programs of a running silo have bound and that are elsewhere in truth."""
        with self._guard:
            file = self._files.get(record.name)
            bound = list(file.bound_ports()) if file is not None else []
        if not bound:
            return []
        now = _open_ports()
        return [
            dataclasses.asdict(port)
            for port in sorted(bound, key=_order)
            if (port.protocol, port.host_port) in now
        ]


def _order(port: BoundPort) -> tuple[int, str]:
    return port.port, port.protocol


def _links(record: Record, records: dict[str, Record]) -> list[Link]:
    """Whom a silo may reach, and who may reach it."""
    flags = dict.fromkeys(record.links, LINK_TO)
    for other in records.values():
        if record.name in other.links:
            flags[other.name] = flags.get(other.name, 0) | LINK_FROM
    found = [
        Link(records[name].address, flag, records[name].id, name)
        for name, flag in flags.items()
        if name in records
    ]
    found.append(Link(record.address, LINK_TO, record.id, record.name))
    return sorted(found, key=lambda link: link.flags, reverse=True)[:MAX_LINKS]
