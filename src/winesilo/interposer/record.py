r"""The record of rendezvous that a silo's processes keep (``src/interposer/audit.h``, docs/design/audit.md).

A sparse file that every process of the silo maps:

    0       8 bytes  magic "WAUDT\0\0\1"
    8       u64      names that found no room
    16      u64      seed of the hashes
    24      u32      bytes of text in use
    28      u32      bytes of the rules
    32      u32      entries in use
    4096    the rules, a line each: class, kind, pattern, reason; tabs between
    32768   65536 entries of 24 bytes: u64 hash, u32 text + 1, u16 bytes, u16 rule, u8 space, class,
            flags, how, u32 parent + 1
    then    the text

Numbers are little endian.
"""

from __future__ import annotations

import ipaddress
import secrets
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from winesilo.errors import InterposerError
from winesilo.interposer.mapping import shared_file

RECORD_SIZE: Final = 8 << 20
RECORD_MAGIC: Final = b"WAUDT\0\0\1"
_HEAD: Final = struct.Struct("<QQIII")
_HEAD_OFFSET: Final = 8
_RULES: Final = 4096
_RULES_MAX: Final = 28672
_ENTRIES: Final = 32768
_ENTRY: Final = struct.Struct("<QIHHBBBBI")
_ENTRIES_N: Final = 1 << 16
_TEXT: Final = _ENTRIES + _ENTRIES_N * _ENTRY.size
_TEXT_MAX: Final = 6 << 20
_NO_TEXT: Final = 0xFFFFFFFF
_CUT: Final = 1
_CATALOGUE: Final = 0x8000
_DEPTH: Final = 16
#: What a program gets to finish an entry: some instructions, and its turn on the processor.
_WRITER_S: Final = 2.0

#: enum audit_space
SPACES: Final = (
    *("", "object", "pipe", "mailslot", "key", "file", "bind", "connect"),
    *("process", "thread", "window", "desktop", "atom", "driver"),
)
#: enum audit_class
CLASSES: Final = ("", "private", "shared", "refused", "undeclared")
OPENED: Final = 1
CREATED: Final = 2


@dataclass(frozen=True, slots=True)
class Rule:
    """Why a name is what it is.

    Attributes:
        source: ``built in`` or ``catalogue``.
        kind: its class: ``private``, ``shared``, ``merged``, ``catalogue``, ``refused`` ...
        pattern: the names it is for, where it is for names.
        reason: a sentence for people.
    """

    source: str
    kind: str
    pattern: str
    reason: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A name that processes of the silo asked for.

    Attributes:
        space: what kind of name, one of SPACES.
        kind: its class, one of CLASSES.
        name: the name; of what has none, its number.
        created: whether it was to be made.
        opened: whether it was to be opened.
        cut: whether the name is longer than this.
        rule: what decided; None for an undeclared one.
    """

    space: str
    kind: str
    name: str
    created: bool
    opened: bool
    cut: bool
    rule: Rule | None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a record holds.

    Attributes:
        entries: sorted by kind of name and name.
        rules: all rules that there are, the built-in ones in the order in which they decide.
        lost: how many names found no room; each time one was asked for counts.
        unfinished: entries whose writer was ended in the middle.
    """

    entries: Sequence[Entry]
    rules: Sequence[Rule]
    lost: int
    unfinished: int


class RecordFile:
    """The daemon's view of one silo's record.

    Args:
        path: where to create it; an existing file is replaced.
    """

    def __init__(self, path: Path) -> None:
        self._map = shared_file(path, RECORD_SIZE, RECORD_MAGIC, fresh=True)
        struct.pack_into("<Q", self._map, 16, secrets.randbits(64))
        self.path = path

    def read(self, catalogue: Sequence[Rule] = ()) -> Recorded:
        """What is in it now; processes may go on writing.

        An entry that is being written is waited for, a while: its writer may have been ended.

        Args:
            catalogue: the rules of the configuration's ``device`` lines, in their order.

        Raises:
            InterposerError: the file makes no sense.
        """
        deadline = time.monotonic() + _WRITER_S
        while True:
            recorded = parse(self._map[:RECORD_SIZE], catalogue)
            if not recorded.unfinished or time.monotonic() > deadline:
                return recorded
            threading.Event().wait(0.02)  # nothing tells when it is done

    def close(self) -> None:
        """Unmap and remove it."""
        self._map.close()
        self.path.unlink(missing_ok=True)


def parse(data: bytes, catalogue: Sequence[Rule] = ()) -> Recorded:
    """Decode a record.

    Args:
        data: the file.
        catalogue: as for :meth:`RecordFile.read`.

    Raises:
        InterposerError: it is none, or an entry points outside of it.
    """
    if len(data) < RECORD_SIZE or data[:8] != RECORD_MAGIC:
        raise InterposerError("the record of rendezvous is cut off or none")
    lost, _, _, rules_n, _ = _HEAD.unpack_from(data, _HEAD_OFFSET)
    rules = _rules(data, rules_n)
    reader = _Reader(data, rules, catalogue)
    entries: dict[tuple[str, str, str, Rule | None], Entry] = {}
    for entry in reader.entries():
        key = (entry.space, entry.kind, entry.name.lower(), entry.rule)
        entries[key] = _merge(entries.get(key, entry), entry)
    return Recorded(sorted(entries.values(), key=_order), rules, lost, reader.unfinished)


def _merge(one: Entry, other: Entry) -> Entry:
    return Entry(
        one.space,
        one.kind,
        one.name,
        one.created or other.created,
        one.opened or other.opened,
        one.cut or other.cut,
        one.rule,
    )


def _order(entry: Entry) -> tuple[int, str]:
    return (SPACES.index(entry.space), entry.name.lower())


def _rules(data: bytes, size: int) -> list[Rule]:
    if size > _RULES_MAX:
        raise InterposerError("the record of rendezvous has too long a text of rules")
    rules = []
    for line in data[_RULES : _RULES + size].decode("ascii").splitlines():
        fields = line.split("\t")
        if len(fields) != 4:
            raise InterposerError(f"the record of rendezvous has a rule that is none: {line!r}")
        rules.append(Rule("built in", fields[0].lower(), fields[2], fields[3]))
    return rules


class _Reader:
    """One pass over a record."""

    def __init__(self, data: bytes, rules: Sequence[Rule], catalogue: Sequence[Rule]) -> None:
        self._data = data
        self._rules = rules
        self._catalogue = catalogue
        self.unfinished = 0

    def entries(self) -> Iterator[Entry]:
        for at in range(_ENTRIES_N):
            hash_, text, size, rule, space, kind, flags, how, parent = self._raw(at)
            if not hash_:
                continue
            if text in (0, _NO_TEXT):
                self.unfinished += text == 0
                continue
            if not 0 < space < len(SPACES) or not 0 < kind < len(CLASSES):
                raise InterposerError("the record of rendezvous has an entry that is none")
            yield Entry(
                SPACES[space],
                CLASSES[kind],
                self._name(SPACES[space], self._text(text, size), parent),
                bool(how & CREATED),
                bool(how & OPENED),
                bool(flags & _CUT),
                self._rule(rule),
            )

    def _raw(self, at: int) -> tuple[int, ...]:
        return _ENTRY.unpack_from(self._data, _ENTRIES + at * _ENTRY.size)

    def _text(self, text: int, size: int) -> bytes:
        start = text - 1
        if start + size > _TEXT_MAX:
            raise InterposerError("the record of rendezvous has an entry that points outside of it")
        return self._data[_TEXT + start : _TEXT + start + size]

    def _rule(self, number: int) -> Rule | None:
        if number >= _CATALOGUE:
            index = number - _CATALOGUE
            known = index < len(self._catalogue)
            return (
                self._catalogue[index]
                if known
                else Rule("catalogue", "shared", "", "no longer in the catalogue")
            )
        if number > len(self._rules):
            raise InterposerError("the record of rendezvous has an entry with a rule that is none")
        return self._rules[number - 1] if number else None

    def _name(self, space: str, raw: bytes, parent: int) -> str:
        if space in ("bind", "connect"):
            return _address(raw)
        if space in ("thread", "window") or (space == "process" and len(raw) == 4):
            return str(int.from_bytes(raw, "little"))
        name = raw.decode("utf-16-le", "replace")
        return self._directory(parent) + name if space in ("object", "desktop") and parent else name

    def _directory(self, number: int) -> str:
        """The name of the directory that a relative name is below, with a backslash at its end."""
        parts: list[str] = []
        while number and len(parts) < _DEPTH:
            _, text, size, _, _, _, _, _, parent = self._raw((number - 1) % _ENTRIES_N)
            if text in (0, _NO_TEXT):
                parts.append("...")
                break
            parts.append(self._text(text, size).decode("utf-16-le", "replace").rstrip("\\"))
            number = parent
        return "\\".join(reversed(parts)) + "\\"


def _address(raw: bytes) -> str:
    if len(raw) != 20:
        raise InterposerError("the record of rendezvous has an address that is none")
    stream, family = raw[0], raw[1]
    port = int.from_bytes(raw[2:4], "big")
    protocol = "tcp" if stream else "udp"
    if family == 6:
        return f"{protocol} [{ipaddress.IPv6Address(raw[4:20])}]:{port}"
    return f"{protocol} {ipaddress.IPv4Address(raw[4:8])}:{port}"
