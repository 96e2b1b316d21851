r"""Rendezvous: the names through which a silo's processes meet others, by kind and class.

The interposer records names as programs wrote them; here they get the kind that people know them by.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from winesilo.interposer.record import Entry, Recorded, Rule

#: In the order in which they are listed.
CLASSES: Final = ("undeclared", "shared", "refused", "private")
_DEVICES: Final = re.compile(r"\\(\?\?|DosDevices|Device)\\", re.IGNORECASE)
_DRIVERS: Final = re.compile(r"\\Driver\\", re.IGNORECASE)
_STATIONS: Final = re.compile(r"\\WindowStations\\", re.IGNORECASE)
_GLOBALROOT: Final = re.compile(r"^(\\(\?\?|DosDevices)\\GLOBALROOT)+(?=\\)", re.IGNORECASE)
_CLSID: Final = re.compile(r"\{[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}")
#: Wine's RPC runtime makes a pipe of this folder for each endpoint of ncalrpc.
_LRPC: Final = "lrpc\\"
#: Pipes of Windows whose protocol is RPC ([MS-RPCE] leaves the names to the services).
_RPC_PIPES: Final = frozenset(
    (
        *("epmapper", "svcctl", "ntsvcs", "plugplay", "spoolss", "eventlog", "winreg", "lsarpc", "samr"),
        *("srvsvc", "wkssvc", "netlogon", "atsvc", "initshutdown", "browser", "tapsrv"),
    )
)


@dataclass(frozen=True, slots=True)
class Rendezvous:
    """One of them.

    Attributes:
        kind: ``object``, ``pipe``, ``rpc endpoint``, ``com class``, ``socket``, ``key``, ``file`` ...
        name: what it is called inside the silo.
        klass: ``private``, ``shared``, ``refused`` or ``undeclared``.
        how: what processes asked for: ``created``, ``opened``, ``changed``, ``deleted``.
        seen: where it was seen: ``record``, ``handles``, ``descriptors``, ``registry``, ``files``.
        rule: what decided, and why; None for an undeclared one.
    """

    kind: str
    name: str
    klass: str
    how: Sequence[str]
    seen: Sequence[str]
    rule: Rule | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        rule = None if self.rule is None else dataclasses.asdict(self.rule)
        if rule is not None:
            rule["class"] = rule.pop("kind")
        return {
            "kind": self.kind,
            "name": self.name,
            "class": self.klass,
            "how": list(self.how),
            "seen": list(self.seen),
            "rule": rule,
        }


def of_record(recorded: Recorded) -> list[Rendezvous]:
    """What a record holds."""
    return [_of_entry(entry) for entry in recorded.entries]


def _of_entry(entry: Entry) -> Rendezvous:
    kind, name = _kind_and_name(entry)
    how = [word for word, was in (("created", entry.created), ("opened", entry.opened)) if was]
    if entry.space in ("bind", "connect"):
        how = ["bound" if entry.space == "bind" else "connected"]
    return Rendezvous(kind, name + ("..." if entry.cut else ""), entry.kind, how, ("record",), entry.rule)


def _kind_and_name(entry: Entry) -> tuple[str, str]:
    if entry.space == "object":
        return kind_of_object(entry.name), entry.name
    if entry.space == "pipe":
        return kind_of_pipe(entry.name)
    if entry.space in ("bind", "connect"):
        return "socket", entry.name
    if entry.space == "process":
        name = entry.name or "its own processes, by id"
        return "process", f"id {name}" if name.isdigit() else name
    if entry.space in ("thread", "window"):
        return entry.space, f"id {entry.name}" if entry.space == "thread" else f"{int(entry.name):#x}"
    return entry.space, entry.name


def kind_of_object(name: str) -> str:
    """What a name in the tree of objects is."""
    name = _GLOBALROOT.sub("", name)
    if _STATIONS.search(name):
        return "window station"
    if _DEVICES.match(name):
        return "device"
    return "driver" if _DRIVERS.match(name) else "object"


def kind_of_pipe(name: str) -> tuple[str, str]:
    r"""What a pipe is for, and its name as that: Wine carries RPC and COM over pipes."""
    if name.lower().startswith(_LRPC):
        return "rpc endpoint", f"ncalrpc:{name[len(_LRPC) :]}"
    if _CLSID.fullmatch(name):
        return "com class", name
    if name.lower() in _RPC_PIPES:
        return "rpc endpoint", rf"ncacn_np:\pipe\{name}"
    return "pipe", name


class Rules:
    """Looks up which rule decides about a name of the host's, as the interposer does it.

    Args:
        built_in: the interposer's own rules.
        catalogue: the catalogue's.
    """

    def __init__(self, built_in: Sequence[Rule], catalogue: Sequence[Rule]) -> None:
        self._names = [(_pattern(rule.pattern), rule) for rule in built_in if rule.pattern]
        self._catalogue = [(_pattern(rule.pattern), rule) for rule in catalogue]

    def of_object(self, name: str) -> Rule | None:
        """The rule by which a silo may have this object of the host's; None: none says so."""
        for pattern, rule in self._names:
            match = pattern.match(name)
            if match is None or (rule.kind == "merged" and match.end() != len(name.rstrip("\\"))):
                continue
            if rule.kind == "catalogue":
                return self._listed(name)
            return rule if rule.kind in ("shared", "merged") else None
        return None

    def _listed(self, name: str) -> Rule | None:
        for pattern, rule in self._catalogue:
            if pattern.match(name):
                return rule if rule.kind == "shared" else None
        return None


def _pattern(text: str) -> re.Pattern[str]:
    words = {"*": r"[^\\]+", "@": "[A-Za-z]"}
    expression = "".join(words.get(letter, re.escape(letter)) for letter in text)
    return re.compile(rf"{expression}(?=\\|$)", re.IGNORECASE)


def listed(found: Iterable[Rendezvous]) -> list[Rendezvous]:
    """In the order of a listing: what is undeclared first, what was seen twice once."""
    unique: dict[tuple[str, str, str], Rendezvous] = {}
    for one in found:
        key = (one.kind, one.name.lower(), one.klass)
        known = unique.get(key, one)
        unique[key] = dataclasses.replace(
            known, how=_union(known.how, one.how), seen=_union(known.seen, one.seen)
        )
    return sorted(unique.values(), key=lambda one: (CLASSES.index(one.klass), one.kind, one.name.lower()))


def _union(one: Sequence[str], other: Sequence[str]) -> list[str]:
    return list(dict.fromkeys((*one, *other)))


def counts(found: Sequence[Rendezvous]) -> Mapping[str, int]:
    """How many of each class."""
    return {klass: sum(one.klass == klass for one in found) for klass in CLASSES}
