"""What is on disk for each silo: ``silo.json`` and the directories beside it.

A silo is made in a directory whose name begins with ``.new-`` and appears by a rename; it
disappears by a rename to ``.trash-``.  Leftovers of both are swept when the daemon starts.
"""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
import json
import logging
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from winesilo.errors import (
    AddressInUse,
    InvalidAddress,
    SiloCorrupt,
    SiloExists,
    SiloNotFound,
    UsageError,
)
from winesilo.host.files import disk_usage, os_errors, remove_tree, write_atomic
from winesilo.host.paths import HostPaths, check_name
from winesilo.interposer.network import parse_publish

log = logging.getLogger(__name__)

#: Of ``silo.json`` and of what lies beside it: hive, layers. See :data:`winesilo.host.base.FORMAT`.
FORMAT: Final = 2
#: Wine's stand-in for a machine whose name leads to a loopback address: every silo's own.
_ALIAS: Final = bytes((127, 12, 34, 56))
_NEW: Final = ".new-"
_TRASH: Final = ".trash-"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Record:
    """``silo.json``.

    Attributes:
        name: the silo's name, also its directory's.
        id: number unique in the host, never used again; part of its object names.
        address: its IPv4 address.
        created: ISO 8601 time.
        windows: Windows version it reports, or None for the base's.
        layers: ids of read-only file layers above the base, topmost first.
        links: names of silos whose addresses it may reach.
        publish: its published ports (see :func:`winesilo.vm.network.parse_publish`).
        pending_layer: a layer that the silo's upper directory is just becoming (see ``freeze``).
    """

    name: str
    id: int
    address: str
    created: str
    windows: str | None = None
    layers: list[str] = field(default_factory=list)
    pending_layer: str | None = None
    links: list[str] = field(default_factory=list)
    publish: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SiloPaths:
    """The paths of one silo."""

    directory: Path

    @property
    def json(self) -> Path:
        """The record."""
        return self.directory / "silo.json"

    @property
    def upper(self) -> Path:
        """Files the silo changed."""
        return self.directory / "upper"

    @property
    def work(self) -> Path:
        """overlayfs' own."""
        return self.directory / "work"

    @property
    def root(self) -> Path:
        """Mount point of its C:."""
        return self.directory / "root"

    @property
    def hive(self) -> Path:
        """Its private registry."""
        return self.directory / "registry.hive"

    @property
    def catalogue(self) -> Path:
        """Its own catalogue of drivers and devices, if it was given one."""
        return self.directory / "catalogue.toml"

    @property
    def log(self) -> Path:
        """Directory of its logs."""
        return self.directory / "log"

    @property
    def services_log(self) -> Path:
        """What its services printed; see :mod:`winesilo.vm.printed`."""
        return self.log / "services.log"


def parse_record(text: str, path: Path) -> Record:
    """Read a record.

    Raises:
        SiloCorrupt: naming ``path``.
    """
    try:
        raw = json.loads(text)
        _check_format(_typed(raw["format"], int), path)
        record = Record(
            name=_typed(raw["name"], str),
            id=_typed(raw["id"], int),
            address=str(ipaddress.IPv4Address(_typed(raw["address"], str))),
            created=_typed(raw["created"], str),
            windows=None if raw.get("windows") is None else _typed(raw["windows"], str),
            layers=[check_name(layer, "layer") for layer in raw.get("layers", [])],
            pending_layer=(
                None if raw.get("pending_layer") is None else check_name(raw["pending_layer"], "layer")
            ),
            links=[check_name(link, "silo") for link in _typed(raw.get("links", []), list)],
            publish=[str(parse_publish(_typed(rule, str))) for rule in _typed(raw.get("publish", []), list)],
        )
        if record.id < 1 or record.name != path.parent.name:
            raise ValueError("its name or id does not fit")
    except (ValueError, KeyError, TypeError, UsageError) as error:
        raise SiloCorrupt(
            f"{path} can't be read: {error}",
            f"restore it from a backup, or remove the silo: silo rm -f {path.parent.name}",
            path=str(path),
        ) from error
    return record


def _check_format(number: int, path: Path) -> None:
    if number == FORMAT:
        return
    age = "an earlier" if number < FORMAT else "a later"
    raise SiloCorrupt(
        f"the silo {path.parent.name!r} was made by {age} winesilo: {path} has format {number}, not {FORMAT}",
        f"use that one, or remove the silo: silo rm -f {path.parent.name}",
        path=str(path),
    )


def _typed(value: Any, kind: type[_T]) -> _T:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{value!r} is not {kind.__name__}")
    return value


def render_record(record: Record) -> bytes:
    """The text of ``silo.json``."""
    return (json.dumps({"format": FORMAT, **dataclasses.asdict(record)}, indent=1) + "\n").encode()


class Store:
    """All silos of one host, on disk.

    Args:
        paths: the host.
    """

    def __init__(self, paths: HostPaths) -> None:
        self.paths = paths

    # -- reading ------------------------------------------------------------------------------

    def silo(self, name: str) -> SiloPaths:
        """The paths of a silo, which need not exist.

        Raises:
            InvalidName: the name is not allowed.
        """
        return SiloPaths(self.paths.silos / check_name(name, "silo"))

    def names(self) -> list[str]:
        """Names of all silos, readable or not."""
        try:
            entries = sorted(os.listdir(self.paths.silos))
        except FileNotFoundError:
            return []
        return [name for name in entries if not name.startswith(".") and self.silo(name).directory.is_dir()]

    def exists(self, name: str) -> bool:
        """Whether there is a silo of that name, readable or not."""
        return self.silo(name).directory.is_dir()

    def load(self, name: str) -> Record:
        """Read one silo.

        Raises:
            SiloNotFound, SiloCorrupt.
        """
        place = self.silo(name)
        if not place.directory.is_dir():
            raise SiloNotFound(f"there is no silo {name!r}", "see: silo ls", name=name)
        try:
            text = place.json.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SiloCorrupt(
                f"{place.json} can't be read: {error}",
                f"restore it from a backup, or remove the silo: silo rm -f {name}",
                path=str(place.json),
            ) from error
        return self._finish_freeze(parse_record(text, place.json))

    def load_all(self) -> Iterator[Record | SiloCorrupt]:
        """Every silo, or the error that reading it raised (``details['name']`` is its name)."""
        for name in self.names():
            try:
                yield self.load(name)
            except SiloNotFound:
                continue
            except SiloCorrupt as error:
                error.details["name"] = name
                yield error

    def private_bytes(self, name: str) -> int:
        """Disk space that the silo's own files and registry take."""
        place = self.silo(name)
        total = disk_usage(place.upper)
        for path in (place.hive, place.json):
            try:
                total += path.stat().st_blocks * 512
            except OSError:
                continue
        return total

    # -- writing ------------------------------------------------------------------------------

    def create(self, record: Record, hive: bytes, catalogue: bytes | None = None) -> None:
        """Make a new silo, all or nothing.

        Args:
            record: what it is.
            hive: the content of its registry file.
            catalogue: the content of its own catalogue of drivers and devices.

        Raises:
            SiloExists: the name is taken.
            DiskFull: no space.
        """
        with os_errors(f"create silo {record.name!r}"):
            if self.exists(record.name):
                raise SiloExists(
                    f"the silo {record.name!r} exists already", f"see: silo inspect {record.name}"
                )
            self.paths.silos.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix=f"{_NEW}{record.name}-", dir=self.paths.silos))
            try:
                self._fill(SiloPaths(temporary), record, hive)
                if catalogue is not None:
                    SiloPaths(temporary).catalogue.write_bytes(catalogue)
                temporary.rename(self.silo(record.name).directory)
            except BaseException:
                remove_tree(temporary)
                raise

    def _fill(self, place: SiloPaths, record: Record, hive: bytes) -> None:
        for folder in (place.upper, place.work, place.root, place.log):
            folder.mkdir(parents=True)
        write_atomic(place.hive, hive)
        write_atomic(place.json, render_record(record))

    def save(self, record: Record) -> None:
        """Replace a silo's record."""
        with os_errors(f"save silo {record.name!r}"):
            write_atomic(self.silo(record.name).json, render_record(record))

    def save_hive(self, name: str, hive: bytes) -> None:
        """Replace the registry file of a silo that does not run."""
        with os_errors(f"save the registry of silo {name!r}"):
            write_atomic(self.silo(name).hive, hive)

    def remove(self, name: str) -> None:
        """Remove a silo (it must not be mounted) and the layers nobody needs any more.

        Raises:
            SiloNotFound.
        """
        place = self.silo(name)
        trash = self.paths.silos / f"{_TRASH}{name}-{os.urandom(4).hex()}"
        with os_errors(f"remove silo {name!r}"):
            try:
                place.directory.rename(trash)
            except FileNotFoundError:
                raise SiloNotFound(f"there is no silo {name!r}", "see: silo ls", name=name) from None
            remove_tree(trash)
            self.collect_layers()

    def sweep(self) -> None:
        """Remove what interrupted runs left."""
        with os_errors("clean up after interrupted runs"):
            for entry in self.paths.silos.glob(".*"):
                if entry.name.startswith((_NEW, _TRASH)):
                    remove_tree(entry)
            for probe in self.paths.data.glob(".overlay-probe-*"):
                remove_tree(probe)
            self.collect_layers()

    # -- numbers and addresses ----------------------------------------------------------------

    def next_id(self) -> int:
        """A number that no silo of this host has had."""
        path = self.paths.data / "next-id"
        try:
            stored = int(path.read_text())
        except (OSError, ValueError):
            stored = 1
        used = [record.id for record in self.load_all() if isinstance(record, Record)]
        number = max([stored, *(known + 1 for known in used)])
        write_atomic(path, f"{number + 1}\n".encode())
        return number

    def choose_address(self, wanted: str | None, silo_id: int) -> str:
        """The address of a new silo.

        Args:
            wanted: what the user asked for, or None to choose a free one.
            silo_id: the new silo's number.

        Raises:
            InvalidAddress, AddressInUse.
        """
        used = {record.address: record.name for record in self.load_all() if isinstance(record, Record)}
        if wanted is None:
            return next(free for free in addresses(self.paths, silo_id) if free not in used)
        address = check_address(wanted)
        if address in used:
            raise AddressInUse(
                f"the address {address} belongs to the silo {used[address]!r}",
                "leave --address out to get a free one",
                name=used[address],
            )
        return address

    # -- layers -------------------------------------------------------------------------------

    def freeze(self, record: Record) -> Record:
        """Turn a stopped silo's private files into a read-only layer below a new, empty one.

        Safe to interrupt: the record names the layer before the files move, and whoever reads the
        record next completes or undoes it.
        """
        with os_errors(f"freeze the files of silo {record.name!r}"):
            if not any(self.silo(record.name).upper.iterdir()):
                return record
            self.paths.layers.mkdir(exist_ok=True)
            layer = f"{record.id}-{os.urandom(6).hex()}"
            pending = dataclasses.replace(record, pending_layer=layer)
            self.save(pending)
            self.silo(record.name).upper.rename(self.paths.layers / layer)
            return self._finish_freeze(pending)

    def _finish_freeze(self, record: Record) -> Record:
        if record.pending_layer is None:
            return record
        place = self.silo(record.name)
        layers = record.layers
        if (self.paths.layers / record.pending_layer).is_dir():
            remove_tree(place.work)
            place.work.mkdir()
            place.upper.mkdir(exist_ok=True)
            layers = [record.pending_layer, *layers]
        done = dataclasses.replace(record, layers=layers, pending_layer=None)
        self.save(done)
        return done

    def lower_layers(self, record: Record) -> list[Path]:
        """The read-only directories below the silo's own files, topmost first.

        Raises:
            SiloCorrupt: a layer is missing.
        """
        lower = [self.paths.layers / layer for layer in record.layers]
        for path in lower:
            if not path.is_dir():
                raise SiloCorrupt(
                    f"the silo {record.name!r} needs the file layer {path}, which is missing",
                    "restore it from a backup",
                    path=str(path),
                )
        return [*lower, *self.shared_layers()]

    def shared_layers(self) -> list[Path]:
        """Those that all silos have, topmost first."""
        return [self.paths.programs, self.paths.base / "drive_c"]

    def collect_layers(self) -> None:
        """Remove layers that no silo refers to; none, while a silo's record can't be read."""
        used: set[str] = set()
        for record in self.load_all():
            if isinstance(record, SiloCorrupt):
                log.warning("layers are kept: %s", record.message)
                return
            used.update(record.layers)
        if self.paths.layers.is_dir():
            for layer in self.paths.layers.iterdir():
                if layer.name not in used:
                    remove_tree(layer)


def new_record(name: str, silo_id: int, address: str, windows: str | None, layers: Iterable[str]) -> Record:
    """A record created now."""
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    return Record(name, silo_id, address, created, windows, list(layers))


def check_address(address: object) -> str:
    """Return ``address`` if a silo may have it.

    The second octet stays below 128 because its top bit marks the address that stands in for
    ``::1`` (see :func:`winesilo.interposer.config.twin_address`).

    Raises:
        InvalidAddress: not of the form 127.A.B.C with A from 1 to 127.
    """
    try:
        parsed = ipaddress.IPv4Address(address if isinstance(address, str) else "")
    except ValueError:
        parsed = ipaddress.IPv4Address(0)
    octets = parsed.packed
    if octets[0] != 127 or not 1 <= octets[1] <= 127 or octets[3] in (0, 255) or octets == _ALIAS:
        raise InvalidAddress(
            f"{address!r} is not an address for a silo",
            "use 127.A.B.C with A from 1 to 127 and C from 1 to 254",
        )
    return str(parsed)


def addresses(paths: HostPaths, silo_id: int) -> Iterator[str]:
    """Addresses to try for a new silo, best first.

    The second octet comes from the host's directory, so that hosts of different users seldom choose
    the same ones.
    """
    second = 1 + zlib.crc32(os.fsencode(paths.data)) % 127
    for step in range(256 * 254):
        number = (silo_id - 1 + step) % (256 * 254)
        if (second, number // 254, number % 254 + 1) != tuple(_ALIAS[1:]):
            yield f"127.{second}.{number // 254}.{number % 254 + 1}"
