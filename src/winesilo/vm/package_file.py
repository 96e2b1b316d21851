r"""A package of services: a folder with ``service.toml`` and the files that it names.

name = "mine"                              # of the package; required
description = "a sentence"

[[file]]                                   # to copy; folders of the target are made
source = "mine.exe"                        # in the package's folder; may be a folder
target = 'C:\windows\system32\mine.exe'

[[folder]]                                 # to make
target = 'C:\inetpub\logs'

[[value]]                                  # of the registry; key: HKLM\... or HKCU\...
key = 'HKLM\SOFTWARE\Mine'
name = "Port"                              # "" is the default value
type = "dword"                             # sz, expand-sz, multi-sz, dword, qword, binary (hexadecimal)
data = 23

[[service]]                                # see `silo service NAME create`
name = "Mine"
command = 'C:\windows\system32\svchost.exe -k mygroup'
type = "share-process"                     # or own-process
start-type = "auto"                        # demand, disabled
depends-on = ["RpcSs"]
svchost-group = "mygroup"                  # adds the service to a group of svchost.exe
dll = '%SystemRoot%\system32\mine.dll'     # its ServiceDll there
failure-actions = ["restart:1000"]         # at its first, second ... failure
# also: display-name, description, delayed-start, error-control, account, load-order-group,
# failure-reset (seconds), failure-command, failure-on-error (true or false)

[[class]]                                  # of COM
clsid = "{...}"
name = "Mine.Thing"                        # for people
progid = "Mine.Thing.1"
appid = "{...}"
local-service = "Mine"                     # the service that has it; or
local-server = 'C:\windows\mine.exe'       # the program; or
inproc-server = 'C:\windows\mine.dll'      # the DLL
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from winesilo.errors import InvalidName, InvalidPath, PackageError, UsageError
from winesilo.services.model import check_name, failure_action
from winesilo.vm import guestpath

FILE_NAME: Final = "service.toml"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_GUID: Final = re.compile(r"\{[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}")
_KEY: Final = re.compile(r"HK(LM|CU)(\\[^\\\t\r\n]+)+")
_SERVICES: Final = r"HKLM\System\CurrentControlSet\Services"
_SVCHOST: Final = r"HKLM\Software\Microsoft\Windows NT\CurrentVersion\Svchost"
_CLASSES: Final = r"HKLM\Software\Classes"

#: Names of types, with their numbers (REG_*).
TYPES: Final = {"sz": 1, "expand-sz": 2, "binary": 3, "dword": 4, "multi-sz": 7, "qword": 11}

#: Rows of a service that :meth:`winesilo.services.control.ServiceControl.create` takes, by their names here.
_SERVICE_OPTIONS: Final[Mapping[str, tuple[str, type[Any]]]] = {
    "display-name": ("display_name", str),
    "description": ("description", str),
    "type": ("service_type", str),
    "start-type": ("start_type", str),
    "delayed-start": ("delayed_start", bool),
    "error-control": ("error_control", str),
    "account": ("account", str),
    "depends-on": ("dependencies", list),
    "failure-actions": ("failure_actions", list),
    "failure-reset": ("failure_reset_s", int),
    "failure-command": ("failure_command", str),
    "failure-on-error": ("failure_on_error", bool),
}


@dataclass(frozen=True, slots=True)
class Copy:
    """A file or folder to copy.

    Attributes:
        source: where it is; None for a folder to make.
        target: its Windows path.
    """

    source: Path | None
    target: str


@dataclass(frozen=True, slots=True)
class NewService:
    """A service to create.

    Attributes:
        name: key name.
        command: command line.
        options: the other arguments of :meth:`winesilo.services.control.ServiceControl.create`.
    """

    name: str
    command: str
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Package:
    """What a package puts into a silo.

    Attributes:
        name: of the package.
        description: a sentence for people.
        copies: files and folders, in this order.
        services: to create, in this order.
        registry: lines for ``register.exe`` (services/common/register.c), after the services exist.
    """

    name: str
    description: str
    copies: tuple[Copy, ...]
    services: tuple[NewService, ...]
    registry: tuple[str, ...]


def load(folder: Path) -> Package:
    """Read and check a package.

    Raises:
        PackageError: there is none, or it is wrong; the message says where.
        InvalidName, InvalidPath: a service's name or a target makes no sense.
    """
    path = folder / FILE_NAME
    try:
        table = _Table(tomllib.loads(path.read_text(encoding="utf-8")), str(path))
    except FileNotFoundError as error:
        raise PackageError(f"{folder} is no package: it has no {FILE_NAME}") from error
    except (OSError, ValueError) as error:
        raise PackageError(f"cannot read {path}: {error}") from error
    name = table.text("name")
    check_package_name(name)
    copies = [*(_file(row, folder) for row in table.rows("file"))]
    copies += [Copy(None, _target(row)) for row in table.rows("folder")]
    services: list[NewService] = []
    lines = [_value(row) for row in table.rows("value")]
    for row in table.rows("service"):
        services.append(_service(row))
        lines += _service_values(row, services[-1].name)
    for row in table.rows("class"):
        lines += _class(row)
    package = Package(name, table.optional("description") or "", tuple(copies), tuple(services), tuple(lines))
    table.check_used("file", "folder", "value", "service", "class")
    return package


def check_package_name(name: str) -> None:
    """Raise InvalidName unless it can be the name of a package."""
    if not _NAME.fullmatch(name):
        raise InvalidName(f"{name!r} can't be the name of a package", "use letters, digits, '_', '.' and '-'")


class _Table:
    """A table of the file, whose keys must all be known."""

    def __init__(self, raw: Mapping[str, Any], where: str) -> None:
        self._raw, self._where = raw, where
        self._used: set[str] = set()

    def get(self, key: str, kind: type[Any] | tuple[type[Any], ...]) -> Any:
        self._used.add(key)
        value = self._raw.get(key)
        if value is not None and (
            not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)
        ):
            raise self.wrong(f"{key} = {value!r} makes no sense")
        return value

    def optional(self, key: str) -> str | None:
        value = self.get(key, str)
        if value is not None and any(c in value for c in "\t\r\n\0"):
            raise self.wrong(f"{key} has a tab, a line end or a NUL")
        return str(value) if value is not None else None

    def text(self, key: str, *, empty: bool = False) -> str:
        value = self.optional(key)
        if value is None or not (value or empty):
            raise self.wrong(f"{key} is missing")
        return value

    def guid(self, key: str, *, required: bool = False) -> str | None:
        value = self.text(key) if required else self.optional(key)
        if value is not None and not _GUID.fullmatch(value):
            raise self.wrong(f"{key} = {value!r} is no GUID in braces")
        return value

    def rows(self, key: str) -> list[_Table]:
        rows = self.get(key, list) or []
        if not all(isinstance(row, dict) for row in rows):
            raise self.wrong(f"{key} is no list of tables: write [[{key}]]")
        return [_Table(row, f"{self._where}, {key} {number}") for number, row in enumerate(rows, 1)]

    def check_used(self, *more: str) -> None:
        unknown = sorted(set(self._raw) - self._used - set(more))
        if unknown:
            raise self.wrong(f"{unknown[0]} is not known there")

    def wrong(self, what: str) -> PackageError:
        return PackageError(f"{self._where}: {what}")


def _target(row: _Table) -> str:
    target = row.text("target")
    parts = guestpath.split(target)
    if not parts:
        raise InvalidPath(f"'{target}' is the drive itself")
    row.check_used()
    return guestpath.join(parts)


def _file(row: _Table, folder: Path) -> Copy:
    name = row.text("source")
    source = (folder / name).resolve()
    if not source.is_relative_to(folder.resolve()):
        raise row.wrong(f"source = {name!r} leads out of the package")
    if not source.exists():
        raise row.wrong(f"{source} does not exist")
    return Copy(source, _target(row))


def _service(row: _Table) -> NewService:
    name, command = check_name(row.text("name")), row.text("command")
    options: dict[str, Any] = {}
    for key, (argument, kind) in _SERVICE_OPTIONS.items():
        value = row.get(key, kind)
        if kind is list and not all(isinstance(item, str) for item in value or ()):
            raise row.wrong(f"{key} is no list of texts")
        if value is not None:
            options[argument] = value
    try:
        for action in options.get("failure_actions", ()):
            failure_action(action)
    except UsageError as error:
        raise row.wrong(str(error)) from error
    return NewService(name, command, options)


def _service_values(row: _Table, name: str) -> list[str]:
    """What stands in the service's key besides what the SCM writes, and its svchost group."""
    key = f"{_SERVICES}\\{name}"
    lines = []
    if (dll := row.optional("dll")) is not None:
        lines.append(_set(f"{key}\\Parameters", "ServiceDll", "expand-sz", dll))
    if (group := row.optional("load-order-group")) is not None:
        lines.append(_set(key, "Group", "sz", group))
    if (group := row.optional("svchost-group")) is not None:
        lines.append(f"append\t{_SVCHOST}\t{group}\t{name}")
    row.check_used()
    return lines


def _class(row: _Table) -> list[str]:
    clsid = row.guid("clsid", required=True)
    appid, progid, name = row.guid("appid"), row.optional("progid"), row.optional("name") or ""
    local_service = row.optional("local-service")
    key = f"{_CLASSES}\\CLSID\\{clsid}"
    lines = [_set(key, "", "sz", name)]
    for option, server in (("local-server", "LocalServer32"), ("inproc-server", "InprocServer32")):
        if (path := row.optional(option)) is not None:
            lines.append(_set(f"{key}\\{server}", "", "sz", path))
            if server == "InprocServer32":
                lines.append(_set(f"{key}\\{server}", "ThreadingModel", "sz", "Both"))
    if local_service is not None and appid is None:
        raise row.wrong("local-service needs an appid")
    if appid is not None:
        lines += [
            _set(key, "AppID", "sz", appid),
            _set(f"{_CLASSES}\\AppID\\{appid}", "", "sz", name),
        ]
        if local_service is not None:
            lines.append(_set(f"{_CLASSES}\\AppID\\{appid}", "LocalService", "sz", local_service))
    if progid is not None:
        lines += [
            _set(f"{key}\\ProgID", "", "sz", progid),
            _set(f"{_CLASSES}\\{progid}\\CLSID", "", "sz", str(clsid)),
        ]
    row.check_used()
    return lines


def _value(row: _Table) -> str:
    key, name, kind = row.text("key"), row.text("name", empty=True), row.text("type")
    if not _KEY.fullmatch(key):
        raise row.wrong(f"key = {key!r} does not begin with HKLM\\ or HKCU\\")
    data = row.get("data", (str, int, list))
    more = row.optional("append")
    row.check_used()
    if more is not None:
        if kind != "multi-sz" or data is not None or not more:
            raise row.wrong("append needs the type multi-sz, a text, and no data")
        return f"append\t{key}\t{name}\t{more}"
    try:
        return _set(key, name, kind, data)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise row.wrong(f"type = {kind!r} and data = {data!r} do not fit") from error


def _set(key: str, name: str, kind: str, data: object) -> str:
    return f"set\t{key}\t{name}\t{TYPES[kind]}\t{_encode(kind, data).hex()}"


def _encode(kind: str, data: object) -> bytes:
    """The data of a registry value."""
    if kind in ("dword", "qword"):
        if not isinstance(data, int):
            raise TypeError(kind)
        return data.to_bytes(4 if kind == "dword" else 8, "little")
    if kind == "multi-sz":
        if not isinstance(data, list) or not all(isinstance(text, str) and text for text in data):
            raise TypeError(kind)
        return "".join(f"{text}\0" for text in (*data, "")).encode("utf-16-le")
    if not isinstance(data, str):
        raise TypeError(kind)
    return bytes.fromhex(data) if kind == "binary" else f"{data}\0".encode("utf-16-le")
