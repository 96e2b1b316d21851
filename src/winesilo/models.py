"""What the API answers with: frozen records, made from the daemon's JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "Audit",
    "AuditRule",
    "BoundPort",
    "Diff",
    "Event",
    "HostStatus",
    "Printed",
    "Process",
    "Rendezvous",
    "ServiceOptions",
    "SiloInfo",
    "model",
]

T = TypeVar("T", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class HostStatus:
    """What is known about a host.

    Attributes:
        name: the host's name.
        running: whether its daemon runs.
        initialised: whether its base exists.
        wine: the version of Wine its base was made with; None before ``init``.
        base: path of the prefix that all silos share.
        pid: of the daemon, None if it does not run.
        silos: how many there are.
        silos_running: how many of them run.
        uptime_s: seconds since the daemon started, 0 if it does not run.
        memory_pss_bytes: of the daemon, the wineserver and the host's own Windows processes.
    """

    name: str
    running: bool
    initialised: bool
    wine: str | None
    base: str
    pid: int | None
    silos: int
    silos_running: int
    uptime_s: float
    memory_pss_bytes: int


@dataclass(frozen=True, slots=True)
class SiloInfo:
    """What is known about a silo.

    Attributes:
        name: its name.
        id: a number no other silo of the host ever had; None if its record can't be read.
        state: ``stopped``, ``starting``, ``running``, ``suspended``, ``stopping`` or ``failed``.
        address: its IPv4 address; None if its record can't be read.
        windows: the Windows version its programs see, None for the base's.
        created: when it was made (ISO 8601).
        started: when it was started last, None if it does not run.
        scm_pid: of its services.exe, in the host's pid namespace; None if it does not run.
        private_bytes: disk that is its own: files, registry, record.
        memory_pss_bytes: memory of its processes (PSS), 0 if it does not run.
        processes: how many it has.
        layers: the read-only layers it shares with clones, topmost first.
        directory: where it is on disk.
        links: the silos whose addresses it may reach.
        publish: its published ports, ``HOSTADDR:HOSTPORT:PORT/PROTOCOL``.
        ports: what its programs have bound that is elsewhere in truth (see :class:`BoundPort`).
        error: what is wrong with it, None if nothing is known to be.
    """

    name: str
    id: int | None
    state: str
    address: str | None
    windows: str | None
    created: str | None
    started: str | None
    scm_pid: int | None
    private_bytes: int
    memory_pss_bytes: int
    processes: int
    layers: Sequence[str]
    directory: str | None
    error: str | None
    links: Sequence[str] = ()
    publish: Sequence[str] = ()
    ports: Sequence[BoundPort] = ()


class BoundPort(TypedDict):
    """A port that a program of a silo has bound, and where it is in truth.

    Attributes:
        protocol: ``tcp`` or ``udp``.
        port: what the program knows.
        address: the address on this machine.
        host_port: the port there.
        published: whether because it is published, else because the port needs privileges.
    """

    protocol: str
    port: int
    address: str
    host_port: int
    published: bool


#: ``source``: ``built in``, ``catalogue`` or ``outside``; its ``class``; the ``pattern`` of names that it is
#: for, if it is for names; the ``reason``.
AuditRule = TypedDict("AuditRule", {"source": str, "class": str, "pattern": str, "reason": str})

#: ``kind``: ``object``, ``pipe``, ``mailslot``, ``rpc endpoint``, ``com class``, ``socket``, ``key``,
#: ``file``, ``device``, ``driver``, ``window station``, ``desktop``, ``window``, ``atom``, ``process``,
#: ``thread``, ``service``; its ``name``; its ``class``: ``undeclared``, ``shared``, ``refused``, ``private``;
#: ``how``: what programs did; where it was ``seen``: ``record``, ``handles``, ``descriptors``, ``registry``,
#: ``files``; the ``rule``.
Rendezvous = TypedDict(
    "Rendezvous",
    {
        "kind": str,
        "name": str,
        "class": str,
        "how": Sequence[str],
        "seen": Sequence[str],
        "rule": AuditRule | None,
    },
)


@dataclass(frozen=True, slots=True)
class Audit:
    """What a silo's processes have met through (docs/design/audit.md).

    Attributes:
        silo: its name.
        started: since when (ISO 8601); written keys and files: since it was created or cloned.
        complete: whether nothing was lost.
        lost: names that found no room in the record.
        unfinished: names whose writer was ended in the middle.
        counts: how many rendezvous of each class.
        rendezvous: all of them, the undeclared ones first.
    """

    silo: str
    started: str
    complete: bool
    lost: int
    unfinished: int
    counts: Mapping[str, int]
    rendezvous: Sequence[Rendezvous]

    @property
    def clean(self) -> bool:
        """Whether nothing is undeclared, and nothing was lost."""
        return self.complete and not self.counts["undeclared"]


@dataclass(frozen=True, slots=True)
class Diff:
    """In what a silo differs from a new one (docs/design/diff.md).

    A change has ``change`` (``added``, ``changed``, ``deleted``), ``kind`` (``file``, ``folder``, ``key``,
    ``value``, ``service``) and ``name``: a path, or a service's name.
    One of a value has also ``value`` (its name, empty for the default value) and ``old`` and ``new``: each
    ``type`` and ``data``, or None.

    Attributes:
        silo: its name.
        files: files and folders.
        keys: registry keys; what is below a deleted one is not named.
        values: registry values, also all of new keys.
        services: those whose keys have changed.
    """

    silo: str
    files: Sequence[Mapping[str, str]]
    keys: Sequence[Mapping[str, str]]
    values: Sequence[Mapping[str, Any]]
    services: Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Event:
    """An event of one of a silo's event logs.

    Attributes:
        time: when it was reported (ISO 8601).
        log: "Application", "System" or another one.
        number: counts up in that log.
        source: who reported it.
        event_id: what it is about, the source's own number.
        level: "error", "warning", "information", "success", "audit success" or "audit failure".
        category: the source's own.
        text: what it says; the strings, a line each, where the text for them can't be found.
        strings: what is inserted into the text.
        data: what else it has, as hexadecimal digits.
    """

    time: str
    log: str
    number: int
    source: str
    event_id: int
    level: str
    category: int
    text: str
    strings: list[str]
    data: str


@dataclass(frozen=True, slots=True)
class Printed:
    """A line that services of a silo printed.

    Attributes:
        time: when (ISO 8601); None if Wine itself wrote it.
        services: the names of the services in the process that printed it.
        text: the line; it begins with ``(SCM)`` where the SCM said it of a service.
    """

    time: str | None
    services: list[str]
    text: str


@dataclass(frozen=True, slots=True)
class Process:
    """A process of a silo.

    Attributes:
        pid: its process id in Windows.
        ppid: its parent's.
        unix_pid: its process id in the host's pid namespace, None if it is not known.
        name: its program's file name.
        threads: how many it has.
        pss_bytes: its memory (PSS).
        cpu_s: processor time in seconds.
        started: when it was started (ISO 8601).
    """

    pid: int
    ppid: int
    unix_pid: int | None
    name: str
    threads: int
    pss_bytes: int
    cpu_s: float
    started: str


def model(cls: type[T], data: Mapping[str, Any]) -> T:
    """Make a dataclass from the daemon's JSON; keys it does not have are left out."""
    names = {field.name for field in dataclasses.fields(cls)}
    return cls(**{name: value for name, value in data.items() if name in names})


class ServiceOptions(TypedDict, total=False):
    """What can be said about a service when it is created or configured.

    Attributes:
        display_name: its name for people.
        start_type: ``auto``, ``demand`` or ``disabled``.
        delayed_start: start an ``auto`` service two minutes after the others.
        error_control: ``ignore``, ``normal``, ``severe`` or ``critical``.
        account: a user name; Wine runs everything as one user.
        service_type: ``own-process`` or ``share-process``.
        group: load order group.
        dependencies: services that must run before it, and groups with a plus sign in front.
        description: a sentence for people.
        failure_actions: what is done at its first, second ... failure: ``restart:1000`` after 1000 ms,
            ``run``, ``reboot``, ``none``.
        failure_reset_s: seconds without a failure after which they are counted anew.
        failure_command: what the action ``run`` runs; ``%1%`` in it stands for how often it has failed.
        failure_on_error: a stop with an error code is a failure too, not only a death.
    """

    display_name: str
    start_type: str
    delayed_start: bool
    error_control: str
    account: str
    service_type: str
    group: str
    dependencies: Sequence[str]
    description: str
    failure_actions: Sequence[str]
    failure_reset_s: int
    failure_command: str
    failure_on_error: bool
