r"""The registry a new silo starts with, and the table of the base's symbolic links.

A silo's hive mirrors ``\Registry`` under two keys, ``Machine`` and ``User``, and holds only what
differs from the base.  A key that exists there carries all its values, and so do all its ancestors
(the interposer's union relies on it).  What a silo must not start again is masked: the host's
drivers are shared, so they are disabled, and only RpcSs is started with the SCM.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from winesilo.host.registry_file import Key, Registry, Value, read

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
    r"User\S-1-5-21-0-0-0-1000\Software\Wine",
)

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
    """The hive of a new silo.

    Args:
        base: the base's registry, from :func:`read_base`.
        links: its symbolic links, from :func:`link_table`.
        with_version: also carry the keys that hold the Windows version.
    """
    builder = _Builder(base, links)
    services = canonical(SERVICES, links)
    builder.copy_up(services)
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
    for root in ("User", "Whiteouts"):
        builder.hive.ensure(root).modified = builder.now
    return builder.hive


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
