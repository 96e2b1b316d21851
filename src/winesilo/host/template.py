r"""The registry a new silo starts with, and the table of the base's symbolic links.

A silo's hive mirrors ``\Registry`` under two keys, ``Machine`` and ``User``.  A private key holds all
its values; the base's subkeys show through it, but for those in whose place a link without a target
stands (docs/design/registry.md).  What a silo must not start again is masked: the host's drivers are
shared, so they are disabled, but for those that each silo runs by itself; of the services that the host
starts by itself, only two are started here.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from winesilo.host.registry_file import Key, Registry, Value, read

SERVICES: Final = r"Machine\System\CurrentControlSet\Services"
#: Started together with the SCM: what DCOM and RPC clients need, and the log that programs expect to run.
STARTED: Final = frozenset({"rpcss", "eventlog"})
_TYPE_DRIVERS: Final = 0x01 | 0x02  # SERVICE_KERNEL_DRIVER, SERVICE_FILE_SYSTEM_DRIVER
_START_AUTO: Final = 2
_START_DEMAND: Final = 3
_START_DISABLED: Final = 4
#: Tells the silo's SCM that a driver runs on the host (src/guest/scm/config.c).
_HOST_DRIVER: Final = "HostDriver"
#: Keys that carry the Windows version (programs/winecfg/appdefaults.c in Wine).
VERSION_KEYS: Final = (
    r"Machine\Software\Microsoft\Windows NT\CurrentVersion",
    r"Machine\Software\Microsoft\Windows\CurrentVersion",
    r"Machine\System\CurrentControlSet\Control\ProductOptions",
    r"Machine\System\CurrentControlSet\Control\Windows",
    r"Machine\System\CurrentControlSet\Control\Session Manager\Environment",
    r"User\S-1-5-21-0-0-0-1000\Software\Wine",
)
#: The same for 32-bit programs, where the base can run such.
VERSION_KEYS_32: Final = (
    r"Machine\Software\Wow6432Node\Microsoft\Windows NT\CurrentVersion",
    r"Machine\Software\Wow6432Node\Microsoft\Windows\CurrentVersion",
)
VOLATILE_KEYS: Final = (
    r"machine\hardware",
    r"machine\system\currentcontrolset\control\servicecurrent",
    r"user\s-1-5-21-0-0-0-1000\volatile environment",
)
#: Hidden in every silo, below the current control set: each SCM makes its own ServiceCurrent (the
#: number of its next service control pipe), and would start the drivers of the devices below Root.
HIDDEN: Final = (
    r"Machine\System\CurrentControlSet\Control\ServiceCurrent",
    r"Machine\System\CurrentControlSet\Enum\Root",
)
LINK_VALUE: Final = "SymbolicLinkValue"
#: Stands for the silo's hive in a template.
PLACEHOLDER: Final = "winesilo-@NUMBER@"

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
        target = key.get(LINK_VALUE)
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
    """Builds a hive out of private keys."""

    def __init__(self, base: Registry, links: Links) -> None:
        self.base = base
        self.links = dict(links)
        self.hive = Registry(f"REGISTRY\\User\\{PLACEHOLDER}")
        self.now = windows_time(time.time())

    def make_private(self, path: str) -> Key:
        """Copy a key of the base with its values, and its ancestors."""
        parts = canonical(path, self.links.items()).split("\\")
        key = Key("")
        for end in range(1, len(parts) + 1):
            ancestor = "\\".join(parts[:end])
            key = self.hive.get(ancestor) or self._copy(ancestor)
        return key

    def _copy(self, path: str) -> Key:
        source = self.base.get(path)
        key = copy.deepcopy(source) if source is not None else Key(path)
        key.modified = key.modified or self.now
        return self.hive.add(key)

    def hide(self, path: str) -> None:
        """Let a key of the base not show."""
        parent, _, name = path.rpartition("\\")
        self.hive.add(Key(f"{self.make_private(parent).path}\\{name}", self.now, link=True))


def build(
    base: Registry,
    links: Links,
    with_version: bool = False,
    masks: Callable[[str], bool] = lambda driver: True,
) -> Registry:
    """The hive of a new silo; :func:`fill_in` completes its text.

    Args:
        base: the base's registry, from :func:`read_base`.
        links: its symbolic links, from :func:`link_table`.
        with_version: also have private copies of the keys that may hold the Windows version.
        masks: whether a driver service is disabled (:meth:`winesilo.host.catalogue.Catalogue.masks`).
    """
    builder = _Builder(base, links)
    for path in ("Machine", "User"):
        builder.make_private(path)
    services = builder.make_private(SERVICES)
    for key in base.below(services.path):
        start = masked_start(key, masks) if key.path.count("\\") == services.path.count("\\") + 1 else None
        if start is not None:
            private = builder.make_private(key.path)
            private.set("Start", Value.dword(start))
            if start == _START_DISABLED:
                private.set(_HOST_DRIVER, Value.dword(1))
    for path in HIDDEN:
        builder.hide(path)
    if with_version:
        for path in VERSION_KEYS:
            builder.make_private(path)
        for path in VERSION_KEYS_32:
            if canonical(path, links) in base:
                builder.make_private(path)
    return builder.hive


def fill_in(text: bytes, silo_id: int) -> bytes:
    """The text of a hive built by :func:`build`, with a silo's number put in."""
    return text.replace(PLACEHOLDER.encode(), f"winesilo-{silo_id}".encode())


def volatile_keys(links: Links) -> list[str]:
    r"""Keys whose private copies must not be saved (lower-case, without ``\Registry\``), links followed."""
    return sorted({canonical(path, links).lower() for path in VOLATILE_KEYS} | set(VOLATILE_KEYS))


def catalogue_of(path: Path) -> str | None:
    """Which catalogue of drivers the templates were made with (its digest); None: it is not known."""
    return path.read_text(encoding="ascii") if path.is_file() else None


def windows_time(seconds: float) -> int:
    """100 ns since 1601, from seconds since 1970."""
    return int((seconds + 11_644_473_600) * 10_000_000)


def masked_start(key: Key, masks: Callable[[str], bool] = lambda driver: True) -> int | None:
    """The start type a base service gets in a silo, or None to leave it as it is."""
    kind = key.get("Type")
    start = key.get("Start")
    number = kind.as_dword() if kind else None
    if number is None:
        return None
    name = key.path.rpartition("\\")[2].lower()
    if number & _TYPE_DRIVERS:
        return _START_DISABLED if masks(name) else None
    automatic = start is not None and start.as_dword() == _START_AUTO
    wanted = name in STARTED
    if automatic == wanted:
        return None
    return _START_AUTO if wanted else _START_DEMAND
