"""The event logs of a silo: which there are, what is in them, and which events are a service's.

They are read from the silo's own files and from its own registry, also while it is stopped;
docs/design/events.md has the rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from winesilo.errors import InvalidPath, SiloNotFound, WinesiloError
from winesilo.host.registry_file import Key, Registry, parse
from winesilo.vm import evt, guestpath, messages
from winesilo.vm.registry import read_hive
from winesilo.vm.store import Store
from winesilo.vm.views import iso

#: The current control set is a key of its own with Wine 8, a link with Wine 10.
_SERVICES: Final = (
    r"Machine\System\CurrentControlSet\Services",
    r"Machine\System\ControlSet001\Services",
)
_CONFIG: Final = r"C:\windows\system32\config"
#: The names that Windows gives the files of its three logs.
_SHORT: Final = {"appevent": "Application", "sysevent": "System", "secevent": "Security"}
_SCM: Final = "service control manager"
#: Where the texts of the system's errors are, in Wine.
_SYSTEM_MESSAGES: Final = r"C:\windows\system32\kernelbase.dll"
_VARIABLES: Final = {
    "systemroot": r"C:\windows",
    "windir": r"C:\windows",
    "systemdrive": "C:",
    "programfiles": r"C:\Program Files",
    "programfiles(x86)": r"C:\Program Files (x86)",
    "commonprogramfiles": r"C:\Program Files\Common Files",
    "programdata": r"C:\ProgramData",
}
#: winnt.h, EVENTLOG_SUCCESS and so on.
_LEVELS: Final = {
    0: "success",
    1: "error",
    2: "warning",
    4: "information",
    8: "audit success",
    16: "audit failure",
}


class _Silo:
    """Files and registry of one silo, as they lie on disk."""

    def __init__(self, store: Store, name: str) -> None:
        record = store.load(name)
        place = store.silo(name)
        lower = store.lower_layers(record)
        #: Its own files: not the programs that winesilo adds, and not the base's.
        self._own = [place.upper, *lower[:-2]]
        self._all = [place.upper, *lower]
        self._hive = _read_registry(place.hive)
        self._tables: dict[str, dict[int, str]] = {}

    def key(self, path: str) -> Key | None:
        """A key of its registry below ``Services``."""
        for services in _SERVICES:
            found = self._hive.get(f"{services}\\{path}")
            if found is not None:
                return found
        return None

    def value(self, path: str, name: str) -> str | None:
        """A text in its registry, below ``Services``, with the variables put in."""
        key = self.key(path)
        value = None if key is None else key.get(name)
        return None if value is None else _expanded(value.as_text())

    def logs(self) -> dict[str, Path]:
        """The files of its logs."""
        found: dict[str, Path] = {}
        seen: set[str] = set()
        for layer in self._own:
            folder = _inside(layer, _CONFIG)
            for path in sorted(folder.iterdir()) if folder is not None and folder.is_dir() else []:
                stem, extension = path.name.lower()[:-4], path.suffix.lower()
                if extension == ".evt" and stem not in seen:
                    seen.add(stem)
                    if path.is_file():  # else overlayfs notes that it was deleted
                        found[_SHORT.get(stem, path.stem)] = path
        for services in _SERVICES:
            for key in self._hive.below(f"{services}\\EventLog"):
                file = key.get("File")
                if file is not None and key.path.count("\\") == services.count("\\") + 2:
                    named = self._file(_expanded(file.as_text()), self._own)
                    if named is not None:
                        found[key.path.rpartition("\\")[2]] = named
        return found

    def _file(self, path: str, layers: Sequence[Path]) -> Path | None:
        """The topmost file of a Windows path."""
        for layer in layers:
            found = _inside(layer, path)
            if found is not None and found.is_file():
                return found
        return None

    def messages(self, path: str) -> dict[int, str]:
        """The messages of a program or DLL; empty without it."""
        if path not in self._tables:
            full = path if re.match(r"[A-Za-z]:|[\\/]", path) else rf"C:\windows\system32\{path}"
            file = self._file(full, self._all)
            try:
                self._tables[path] = {} if file is None else messages.table(file.read_bytes())
            except OSError:
                self._tables[path] = {}
        return self._tables[path]

    def text(self, log: str, record: evt.Record) -> str:
        """What an event says: its text, or else what would be inserted into it."""
        source = rf"EventLog\{log}\{record.source}"

        def find(value: str, number: int, *more: str) -> str | None:
            files = (self.value(source, value) or "").split(";")
            for file in filter(None, (part.strip() for part in (*files, *more))):
                text = self.messages(file).get(number)
                if text is not None:
                    return text
            return None

        def parameter(number: int) -> str | None:
            text = find("ParameterMessageFile", number, _SYSTEM_MESSAGES)
            return None if text is None else messages.insert(text, (), lambda _: None)

        text = find("EventMessageFile", record.event_id)
        if text is None:
            return "\n".join(messages.insert("%1", [string], parameter) for string in record.strings)
        return messages.insert(text, record.strings, parameter)

    def events(self, wanted: str | None) -> Iterator[tuple[str, evt.Record]]:
        """The events of one log, or of all."""
        for log, path in self.logs().items():
            if wanted is None or log.lower() == wanted.lower():
                try:
                    records = evt.read(path.read_bytes())
                except (OSError, evt.NotAnEventLog):
                    continue
                yield from ((log, record) for record in records)

    def is_of(self, service: str, log: str, record: evt.Record) -> bool:
        """Whether an event is a service's.

        Its source has the name of the service, the name for people or that of its program; or the file with
        its texts lies in the folder of that program; or the SCM says something of the service.
        """
        source = record.source.lower()
        if source == _SCM:
            return _subject(record.data).lower() == service.lower()
        program = _program(self.value(service, "ImagePath") or "")
        folder, _, file = program.rpartition("\\")
        display = self.value(service, "DisplayName")
        names = {service, display or service, file.removesuffix(".exe") or service}
        if source in {name.lower() for name in names}:
            return True
        texts = (self.value(rf"EventLog\{log}\{record.source}", "EventMessageFile") or "").lower()
        return folder.count("\\") > 0 and not folder.startswith("c:\\windows") and f"{folder}\\" in texts


def events(store: Store, name: str, service: str | None, log: str | None, lines: int) -> list[dict[str, Any]]:
    """The last events of a silo, in the order in which they were reported.

    Args:
        store: the host's silos.
        name: the silo.
        service: only those of one service.
        log: only those of one log.
        lines: how many at most.

    Raises:
        SiloNotFound, SiloCorrupt.
    """
    if not store.exists(name):
        raise SiloNotFound(f"there is no silo {name!r}", "see: silo ls", name=name)
    silo = _Silo(store, name)
    found = [
        (log_name, record)
        for log_name, record in silo.events(log)
        if service is None or silo.is_of(service, log_name, record)
    ]
    found.sort(key=lambda event: event[1].generated)
    return [_view(silo, log_name, record) for log_name, record in found[-lines:]]


def _view(silo: _Silo, log: str, record: evt.Record) -> dict[str, Any]:
    return {
        "time": iso(record.generated),
        "log": log,
        "number": record.number,
        "source": record.source,
        "event_id": record.event_id & 0xFFFF,
        "level": _LEVELS.get(record.kind, str(record.kind)),
        "category": record.category,
        "text": silo.text(log, record),
        "strings": list(record.strings),
        "data": record.data.hex(),
    }


def _read_registry(path: Path) -> Registry:
    """The silo's hive; an empty one if it can't be read: its events are there nevertheless."""
    try:
        return parse(read_hive(path).decode("utf-8", "replace"))
    except (OSError, WinesiloError):
        return Registry()


def _inside(layer: Path, path: str) -> Path | None:
    try:
        return guestpath.to_unix(layer, path)
    except InvalidPath:
        return None


def _expanded(text: str) -> str:
    return re.sub(r"%([^%]+)%", lambda match: _VARIABLES.get(match[1].lower(), match[0]), text)


def _program(command: str) -> str:
    """The program of a command line, in small letters."""
    command = command.strip().lower()
    if command.startswith('"'):
        return command[1:].partition('"')[0]
    program, found, _ = command.partition(".exe")
    return program + found if found else command.partition(" ")[0]


def _subject(data: bytes) -> str:
    """Which service an event of the SCM is about: ``NAME/STATE``, as Windows' event 7036 has it."""
    return data.decode("utf-16-le", "replace").rstrip("\0").rpartition("/")[0]
