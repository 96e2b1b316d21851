r"""The registry a new silo starts with, and the table of the base's symbolic links.

A silo's hive mirrors ``\Registry`` under two keys, ``Machine`` and ``User``.  A private key holds all
its values and, for each child that is not private itself, a registry link to the base's key
(docs/design/registry.md).  What a silo must not start again is masked: the host's drivers are
shared, so they are disabled, and only RpcSs is started with the SCM.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from winesilo.host.registry_file import REG_LINK, Key, Registry, Value, read

SERVICES: Final = r"Machine\System\CurrentControlSet\Services"
#: The service that DCOM and RPC clients need; a silo starts it together with its SCM.
RPCSS: Final = "rpcss"
_TYPE_DRIVERS: Final = 0x01 | 0x02  # SERVICE_KERNEL_DRIVER, SERVICE_FILE_SYSTEM_DRIVER
_START_AUTO: Final = 2
_START_DEMAND: Final = 3
_START_DISABLED: Final = 4
#: Keys that carry the Windows version (programs/winecfg/appdefaults.c in Wine).
VERSION_KEYS: Final = (
    r"Machine\Software\Microsoft\Windows NT\CurrentVersion",
    r"Machine\System\CurrentControlSet\Control\ProductOptions",
    r"Machine\System\CurrentControlSet\Control\Windows",
)

#: Keys that every silo has privately from the start, besides its services and their ancestors: the
#: wineserver redirects 32-bit programs at Software, and the SCM writes to Control.
_ALWAYS_PRIVATE: Final = ("Machine\\Software", r"Machine\System\CurrentControlSet\Control", "User")
#: Volatile, so the base's files do not name it.
_VOLATILE_ROOT: Final = "Machine\\Hardware"
#: Stands for the silo's number in a template; see :func:`renumber`.
PLACEHOLDER: Final = 0

Links = list[tuple[str, str]]


def read_base(prefix: Path) -> Registry:
    r"""The base's registry as one tree below ``Machine`` and ``User``.

    Args:
        prefix: a Wine prefix whose wineserver does not run (its files are then complete).

    Raises:
        RegistrySyntaxError, OSError: a file can't be read.
    """
    merged = Registry("REGISTRY")
    for name in ("system.reg", "user.reg", "userdef.reg"):
        part = read(prefix / name)
        root = part.relative_to.partition("\\")[2]
        for key in part:
            key.path = f"{root}\\{key.path}" if key.path else root
            merged.add(key)
    return merged


def link_table(base: Registry) -> Links:
    r"""Every REG_LINK key: (its path, its target), both lower-case and without ``\Registry\``."""
    table: Links = []
    for key in base.links():
        target = key.get("SymbolicLinkValue")
        if target is None:
            continue
        root, _, path = target.as_text().lower().lstrip("\\").partition("\\")
        if root == "registry" and path:
            table.append((key.path.lower(), path.rstrip("\\")))
    return sorted(table)


def canonical(path: str, links: Iterable[tuple[str, str]]) -> str:
    r"""Follow symbolic links in ``path``; components that are no links keep their spelling.

    Gives up after as many steps as there are links, so a cycle ends too.
    """
    table = dict(links)
    for _ in range(len(table) + 1):
        parts = path.split("\\")
        for end in range(len(parts), 0, -1):
            target = table.get("\\".join(parts[:end]).lower())
            if target is not None:
                path = "\\".join([target, *parts[end:]])
                break
        else:
            return path
    return path


class _Builder:
    def __init__(self, base: Registry, links: Links) -> None:
        self.base = base
        self.links = links
        self.hive = Registry("REGISTRY\\User\\winesilo")
        self.now = windows_time(time.time())

    def copy_up(self, path: str) -> Key:
        """Copy a key of the base with its values, and its ancestors with theirs."""
        parts = canonical(path, self.links).split("\\")
        key = Key("")
        for end in range(1, len(parts) + 1):
            ancestor = "\\".join(parts[:end])
            if ancestor not in self.hive:
                known = self.base.get(ancestor)
                made = copy.deepcopy(known) if known is not None else Key(ancestor)
                made.path = _spelling(self.hive, made.path, parts[:end])
                made.modified = made.modified or self.now
                self.hive.add(made)
            key = self.hive.ensure(ancestor)
        return key


def _spelling(hive: Registry, path: str, parts: list[str]) -> str:
    parent = hive.get("\\".join(parts[:-1])) if len(parts) > 1 else None
    return f"{parent.path}\\{path.rpartition(chr(92))[2]}" if parent is not None else path


def build(base: Registry, links: Links, with_version: bool = False) -> Registry:
    r"""The hive of a new silo, for the silo number :data:`PLACEHOLDER`.

    Args:
        base: the base's registry, from :func:`read_base`.
        links: its symbolic links, from :func:`link_table`.
        with_version: also carry the keys that hold the Windows version.
    """
    builder = _Builder(base, links)
    services = canonical(SERVICES, links)
    for path in (services, *_ALWAYS_PRIVATE):
        builder.copy_up(path)
    depth = services.count("\\") + 1
    for key in list(base.below(services)):
        if key.path.count("\\") != depth:
            continue
        start = masked_start(key)
        if start is not None:
            builder.copy_up(key.path).set("Start", Value.dword(start))
    if with_version:
        for path in VERSION_KEYS:
            builder.copy_up(path)
    base.ensure(_VOLATILE_ROOT)
    return _sorted(builder.hive, _child_links(builder.hive, base, dict(links)))


def _child_links(hive: Registry, base: Registry, links: dict[str, str]) -> list[Key]:
    """A link for each child of a private key that is not private itself."""
    made: dict[str, Key] = {}
    for key in base:
        parts = key.path.split("\\")
        for end in range(2, len(parts) + 1):
            path = "\\".join(parts[:end])
            if path in hive or path.lower() in made:
                continue
            if "\\".join(parts[: end - 1]) not in hive:
                break
            made[path.lower()] = link_key(path, links.get(path.lower()), base.get(path))
    return list(made.values())


def link_key(path: str, mapped: str | None, base: Key | None) -> Key:
    r"""A link to the base's key at ``path`` or, if the base has a link there itself, to where that leads in the silo.

    Args:
        path: logical path without ``\Registry\``.
        mapped: the target of the base's own link there, a logical path.
        base: the base's key, for its time and class.
    """
    target = rf"\Registry\User\winesilo-{PLACEHOLDER}\{mapped}" if mapped else rf"\Registry\{path}"
    key = Key(path, link=True)
    if base is not None:
        key.modified, key.class_name = base.modified, base.class_name
    key.set("SymbolicLinkValue", Value(REG_LINK, target.encode("utf-16-le", "surrogatepass")))
    return key


def _sorted(hive: Registry, extra: list[Key]) -> Registry:
    """All keys in the wineserver's order; it takes the first one for a hint of the hive's root."""
    result = Registry(hive.relative_to, hive.arch)
    for key in sorted([*hive, *extra], key=lambda key: key.path.lower().split("\\")):
        result.add(key)
    return result


def renumber(hive: Registry, old: int, new: int) -> None:
    """Make the links of silo ``old``'s hive that lead into that hive itself lead into ``new``'s."""
    prefix = rf"\Registry\User\winesilo-{old}" + "\\"
    for key in hive.links():
        value = key.get("SymbolicLinkValue")
        target = value.as_text() if value else ""
        if target.lower().startswith(prefix.lower()):
            moved = rf"\Registry\User\winesilo-{new}" + "\\" + target[len(prefix) :]
            key.set("SymbolicLinkValue", Value(REG_LINK, moved.encode("utf-16-le", "surrogatepass")))


def windows_time(seconds: float) -> int:
    """100 ns since 1601, from seconds since 1970."""
    return int((seconds + 11_644_473_600) * 10_000_000)


def masked_start(key: Key) -> int | None:
    """The start type a base service gets in a silo, or None to leave it as it is."""
    kind = key.get("Type")
    start = key.get("Start")
    number = kind.as_dword() if kind else None
    if number is None:
        return None
    if number & _TYPE_DRIVERS:
        return _START_DISABLED
    if key.path.rpartition("\\")[2].lower() == RPCSS:
        return _START_AUTO
    if start is not None and start.as_dword() == _START_AUTO:
        return _START_DEMAND
    return None
