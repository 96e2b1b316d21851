r"""``silo diff``: in what a silo differs from a new one - files, registry keys and values, services.

Files are compared by the mounted drive, not by the marks that overlayfs leaves in the layers: what is
missing there was deleted, whatever the kernel wrote to remember it.  Only folders that some private layer
has are looked into.  The registry is compared by the silo's hive (docs/design/registry.md): a private key has
all its values, the base's subkeys show through it, and links without a target hide what was deleted.
"""

from __future__ import annotations

import filecmp
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from winesilo.host import registry_file
from winesilo.host.files import os_errors
from winesilo.host.registry_file import (
    REG_BINARY,
    REG_DWORD,
    REG_EXPAND_SZ,
    REG_LINK,
    REG_MULTI_SZ,
    REG_NONE,
    REG_SZ,
    Key,
    Registry,
    Value,
)
from winesilo.host.runtime import HostRuntime
from winesilo.host.template import LINK_VALUE, SERVICES, Links, canonical, read_base
from winesilo.vm.hives import first, known_drivers
from winesilo.vm.registry import read_hive, unseal
from winesilo.vm.store import Record, Store

ADDED: Final = "added"
CHANGED: Final = "changed"
DELETED: Final = "deleted"

#: The key below a private one that says that none of the base's subkeys show through (regindex.c).
_MARK: Final = "\uffffwinesilo"
#: Names of the types in winnt.h that values usually have.
_TYPES: Final = {
    REG_NONE: "REG_NONE",
    REG_SZ: "REG_SZ",
    REG_EXPAND_SZ: "REG_EXPAND_SZ",
    REG_BINARY: "REG_BINARY",
    REG_DWORD: "REG_DWORD",
    REG_LINK: "REG_LINK",
    REG_MULTI_SZ: "REG_MULTI_SZ",
}
_TEXTS: Final = (REG_SZ, REG_EXPAND_SZ, REG_LINK)
#: A link, as on Windows, in Wine 10; keys are shown by this name, which programs use.
_CONTROL: Final = r"Machine\System\CurrentControlSet"
_CURRENT_USER: Final = "User\\S-1-5-21-0-0-0-1000"
#: The registry's roots as programs know them, by ours; the first that fits.
_ROOTS: Final = (
    ("Machine", "HKEY_LOCAL_MACHINE"),
    (_CURRENT_USER, "HKEY_CURRENT_USER"),
    ("User", "HKEY_USERS"),
)


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Attributes:
        change: ``added``, ``changed`` or ``deleted``.
        kind: ``file``, ``folder``, ``key``, ``value`` or ``service``.
        name: the file's or key's path, or the service's name.
        value: of a registry value, its name; the empty one is the default value.  Else None.
        old: of a value, what it was: ``type`` and ``data`` (a text, a number, a list of texts, or hexadecimal
            digits).  None where there was none.
        new: the same of what it is.
    """

    change: str
    kind: str
    name: str
    value: str | None = None
    old: dict[str, Any] | None = None
    new: dict[str, Any] | None = None


# -- files ----------------------------------------------------------------------------------------


def files(
    root: Path, layers: Sequence[Path], below: Sequence[Path], check: Callable[[], None]
) -> list[Change]:
    """The differences between two views of a drive.

    Args:
        root: where the silo's is mounted.
        layers: its private layers; what none of them has is not looked at.
        below: the layers that all silos have, topmost first.
        check: called often; raises to give up.
    """
    return [
        Change(change, "folder" if is_folder else "file", "C:\\" + str(path).replace("/", "\\"))
        for path, change, is_folder in sorted(_folder(root, layers, below, Path(), check))
    ]


def _folder(
    root: Path, layers: Sequence[Path], below: Sequence[Path], folder: Path, check: Callable[[], None]
) -> Iterator[tuple[Path, str, bool]]:
    check()
    new = set(_names(root / folder))
    old = {name: layer for layer in reversed(below) for name in _names(layer / folder)}
    for name in old.keys() - new:
        yield folder / name, DELETED, _is_folder(old[name] / folder / name)
    for name in new:
        path = folder / name
        if name not in old:
            yield from _whole(root, path)
            continue
        is_folder, was_folder = _is_folder(root / path), _is_folder(old[name] / path)
        if is_folder != was_folder:
            yield path, DELETED, was_folder
            yield from _whole(root, path)
        elif is_folder:
            if any(_is_folder(layer / path) for layer in layers):
                yield from _folder(root, layers, below, path, check)
        elif any(os.path.lexists(layer / path) for layer in layers):
            change = _of_file(root / path, old[name] / path)
            if change is not None:
                yield path, change, False


def _whole(root: Path, path: Path) -> Iterator[tuple[Path, str, bool]]:
    """A file, or a folder with all that is in it."""
    is_folder = _is_folder(root / path)
    yield path, ADDED, is_folder
    if is_folder:
        for name in _names(root / path):
            yield from _whole(root, path / name)


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):  # also one that a program has just deleted
        return []


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _of_file(new: Path, old: Path) -> str | None:
    """What became of a file that a private layer has; None: it only was copied there."""
    try:
        if new.is_symlink() or old.is_symlink():
            same = new.is_symlink() and old.is_symlink() and new.readlink() == old.readlink()
        else:
            same = filecmp.cmp(new, old, shallow=False)
    except FileNotFoundError:  # a program has just deleted it
        return DELETED
    return None if same else CHANGED


# -- registry -------------------------------------------------------------------------------------


class RegistryDiff:
    """The differences between a silo's registry and that of a new silo.

    Args:
        hive: the silo's.
        fresh: a new silo's.
        base: the base's, which shows through both.
        links: the base's symbolic links (:func:`winesilo.host.template.link_table`).
    """

    def __init__(self, hive: Registry, fresh: Registry, base: Registry, links: Links) -> None:
        self._control = canonical(_CONTROL, links)
        self._hive, self._fresh, self._base = hive, fresh, base
        self._children = _children(base)
        self._hidden = tuple(key.path.lower() for key in fresh if _hides(key))

    def changed_keys(self) -> list[Change]:
        """Keys that were added or deleted; what is below a deleted one is not named."""
        found = [*self._of_hive(), *self._behind_marks()]
        return sorted(found, key=lambda change: change.name.lower())

    def _of_hive(self) -> Iterator[Change]:
        added: dict[str, str] = {}
        for key in self._hive:
            if _hides(key):
                if self._existed(key.path):
                    yield Change(DELETED, "key", self._shown(key.path))
            elif not _is_mark(key.path):
                path = key.path  # those above it may stand there by their subkeys only
                while path and path.lower() not in added and not self._existed(path):
                    added[path.lower()] = path
                    path = path.rpartition("\\")[0]
        yield from (Change(ADDED, "key", self._shown(path)) for path in added.values())

    def _behind_marks(self) -> Iterator[Change]:
        """Subkeys of keys that were deleted and made anew."""
        for key in self._hive:
            if not _is_mark(key.path):
                continue
            above = key.path.rpartition("\\")[0]
            for name in self._children.get(above.lower(), ()):
                path = f"{above}\\{name}"
                if path not in self._hive and self._existed(path):
                    yield Change(DELETED, "key", self._shown(path))

    def changed_values(self) -> list[Change]:
        """Values that were added, changed or deleted, also all of new keys."""
        found: list[Change] = []
        for key in self._hive:
            if _hides(key) or _is_mark(key.path):
                continue
            before = self._fresh.get(key.path) or (
                None if self._is_hidden(key.path) else self._base.get(key.path)
            )
            found += _values(key, before or Key(key.path), self._shown(key.path))
        return sorted(found, key=lambda change: (change.name.lower(), (change.value or "").lower()))

    def _is_hidden(self, path: str) -> bool:
        folded = path.lower()
        return any(folded == hidden or folded.startswith(hidden + "\\") for hidden in self._hidden)

    def _existed(self, path: str) -> bool:
        known = self._fresh.get(path)
        if known is not None:
            return not _hides(known)
        return not self._is_hidden(path) and (path in self._base or path.lower() in self._children)

    def _shown(self, path: str) -> str:
        end = len(self._control)
        if (path.lower() + "\\").startswith(self._control.lower() + "\\"):
            path = _CONTROL + path[end:]
        return shown(path)


def changed_services(changes: Iterable[Change]) -> list[Change]:
    """Services that were added, changed or deleted, by the changes of keys and values."""
    folder = shown(SERVICES).lower() + "\\"
    found: dict[str, str] = {}
    for change in changes:
        if not (change.name.lower() + "\\").startswith(folder):
            continue
        name, _, rest = change.name[len(folder) :].partition("\\")
        itself = not rest and change.value is None
        if name and (itself or name not in found):
            found[name] = change.change if itself else CHANGED
    ordered = sorted(found, key=str.lower)
    return [Change(found[name], "service", name) for name in ordered]


def _children(registry: Registry) -> dict[str, set[str]]:
    """The names of the subkeys of each key that has any, by the key's path in lower case."""
    children: dict[str, set[str]] = {}
    for key in registry:
        path = key.path
        while path:
            above, _, name = path.rpartition("\\")
            known = children.setdefault(above.lower(), set())
            if name in known:
                break
            known.add(name)
            path = above
    return children


def _hides(key: Key) -> bool:
    return key.link and key.get(LINK_VALUE) is None


def _is_mark(path: str) -> bool:
    return path.rpartition("\\")[2].lower().startswith(_MARK)


def _values(key: Key, before: Key, path: str) -> Iterator[Change]:
    for name, value in key.values.items():
        old = before.get(name)
        if old is None:
            yield Change(ADDED, "value", path, name, None, data_of(value))
        elif old != value:
            yield Change(CHANGED, "value", path, name, data_of(old), data_of(value))
    for name, value in before.values.items():
        if key.get(name) is None:
            yield Change(DELETED, "value", path, name, data_of(value), None)


def data_of(value: Value) -> dict[str, Any]:
    """A value for JSON: its type's name (or number) and its data."""
    number = value.as_dword()
    data: str | int | list[str]
    if number is not None:
        data = number
    elif value.kind in _TEXTS:
        data = value.as_text()
    elif value.kind == REG_MULTI_SZ:
        data = value.as_text().split("\0") if value.as_text() else []
    else:
        data = value.data.hex()
    return {"type": _TYPES.get(value.kind, value.kind), "data": data}


def shown(path: str) -> str:
    """A key's path as programs know it."""
    for ours, theirs in _ROOTS:
        if path.lower() == ours.lower() or path.lower().startswith(ours.lower() + "\\"):
            return theirs + path[len(ours) :]
    return path


# -- a silo ---------------------------------------------------------------------------------------


def diff(
    runtime: HostRuntime, store: Store, record: Record, root: Path, check: Callable[[], None]
) -> dict[str, Any]:
    """The document that ``silo diff --json`` prints.

    Args:
        runtime: the host.
        store: where its silos are.
        record: the silo.
        root: where its C: is mounted.
        check: called often; raises to give up.

    Returns:
        silo, and the changes of files, keys, values and services.

    Raises:
        SiloCorrupt: its hive is damaged, or a layer is missing.
        HostError: something can't be read.
    """
    place = store.silo(record.name)
    lower = store.lower_layers(record)
    private = len(lower) - len(store.shared_layers())
    with os_errors(f"compare silo {record.name!r}"):
        changed = files(root, [place.upper, *lower[:private]], lower[private:], check)
        own = place.catalogue.read_text() if place.catalogue.is_file() else None
        known = known_drivers(runtime.paths, own)
        fresh = registry_file.parse(
            unseal(first(runtime, record.id, record.windows, known), place.hive).decode()
        )
        hive, base = registry_file.parse(read_hive(place.hive).decode()), read_base(runtime.paths.base)
    registry = RegistryDiff(hive, fresh, base, runtime.info.links)
    keys, values = registry.changed_keys(), registry.changed_values()
    return {
        "silo": record.name,
        "files": [_short(change) for change in changed],
        "keys": [_short(change) for change in keys],
        "values": [asdict(change) for change in values],
        "services": [_short(change) for change in changed_services([*keys, *values])],
    }


def _short(change: Change) -> dict[str, str]:
    return {"change": change.change, "kind": change.kind, "name": change.name}
