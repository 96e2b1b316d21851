r"""The catalogue of the host's drivers and devices: what a silo shares, gets privately, or is refused.

Entries are read from TOML files, the built-in one (``catalogue.toml`` beside this module) last; the
first that names a device or driver decides.  It has three uses: driver services are masked in a new
silo's service database, the interposer gets the names of devices, and ``silo audit`` shows the reasons.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from winesilo.errors import UsageError
from winesilo.host.files import os_errors

CLASSES: Final = ("shared", "private", "refused", "undeclared")
BUILT_IN: Final = Path(__file__).with_name("catalogue.toml")
#: What the interposer takes (CONFIG_DEVICES and struct config_device in src/interposer/config.h).
MAX_PATTERNS: Final = 512
MAX_PATTERN: Final = 94
#: Raised when :mod:`winesilo.host.template` makes something else of the same catalogue.
_TEMPLATES: Final = 2
_KEYS: Final = {"driver", "devices", "class", "reason"}
_HINT: Final = 'an [[entry]] has driver and devices (lists of names), class ("shared" ...) and reason'


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry.

    Attributes:
        drivers: names of driver services.
        devices: patterns of object names, absolute.
        kind: one of CLASSES.
        reason: why, for people.
        source: the file it comes from; ``built in``.
    """

    drivers: Sequence[str]
    devices: Sequence[str]
    kind: str
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Entries in the order in which they decide."""

    entries: Sequence[Entry]

    def driver(self, name: str) -> Entry | None:
        """The entry that decides about a driver service; None: there is none."""
        wanted = name.lower()
        for entry in self.entries:
            if wanted in (driver.lower() for driver in entry.drivers):
                return entry
        return None

    def masks(self, name: str) -> bool:
        """Whether a silo's service database has this driver disabled: all but its private ones."""
        entry = self.driver(name)
        return entry is None or entry.kind != "private"

    def patterns(self) -> list[tuple[str, Entry]]:
        """Every pattern with its entry, in order."""
        return [(pattern, entry) for entry in self.entries for pattern in entry.devices]

    def digest(self) -> str:
        """Changes when what is said about drivers does."""
        said = [(sorted(entry.drivers), entry.kind) for entry in self.entries if entry.drivers]
        return hashlib.sha256(repr((_TEMPLATES, said)).encode()).hexdigest()


def load(paths: Iterable[Path]) -> Catalogue:
    """Read files, those that exist, and the built-in one behind them.

    Args:
        paths: the first decides first.

    Raises:
        UsageError: one is no catalogue; naming the file and what is wrong.
    """
    entries: list[Entry] = []
    for path in paths:
        if path.is_file():
            entries += read(path)
    entries += read(BUILT_IN, "built in")
    count = sum(len(entry.devices) for entry in entries)
    if count > MAX_PATTERNS:
        raise UsageError(f"the catalogue names {count} devices; {MAX_PATTERNS} are possible", "use wildcards")
    return Catalogue(entries)


def read(path: Path, source: str | None = None) -> list[Entry]:
    """The entries of one file.

    Raises:
        UsageError: it is no catalogue.
        HostError: it can't be read.
    """
    with os_errors(f"read {path}"):
        content = path.read_bytes()
    return parse(content, source or str(path))


def parse(content: bytes, source: str) -> list[Entry]:
    """The entries of a catalogue's text.

    Raises:
        UsageError: naming ``source`` and what is wrong.
    """
    try:
        document = tomllib.loads(content.decode())
        if set(document) - {"entry"}:
            raise ValueError(f"unknown key {min(set(document) - {'entry'})!r}")
        rows = document.get("entry", [])
        if not isinstance(rows, list):
            raise ValueError("entry is no list: write [[entry]]")
        return [_entry(row, source) for row in rows]
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError are such
        raise UsageError(f"{source} is no catalogue of drivers and devices: {error}", _HINT) from error


def _entry(row: Any, source: str) -> Entry:
    if not isinstance(row, dict) or set(row) - _KEYS:
        raise ValueError(f"an entry with an unknown key: {row!r}")
    kind, reason = row.get("class"), row.get("reason")
    if kind not in CLASSES:
        raise ValueError(f"class is {kind!r}, not one of {', '.join(CLASSES)}")
    if not isinstance(reason, str) or not reason.strip() or not reason.isprintable():
        raise ValueError("an entry without a reason of one line")
    drivers, devices = _names(row, "driver"), _names(row, "devices")
    if not drivers and not devices:
        raise ValueError("an entry that names nothing")
    for pattern in devices:
        if not pattern.startswith("\\") or not 2 <= len(pattern) <= MAX_PATTERN:
            raise ValueError(
                rf"{pattern!r} is not a name like '\Device\X', of at most {MAX_PATTERN} characters"
            )
    return Entry(drivers, devices, kind, reason, source)


def _names(row: dict[str, Any], key: str) -> list[str]:
    names = row.get(key, [])
    if not isinstance(names, list):
        raise ValueError(f"{key} is no list")
    for name in names:
        if not isinstance(name, str) or not name or not name.isascii() or not name.isprintable():
            raise ValueError(f"{key} has {name!r}, which is no name")
    return names
