r"""The Windows versions a silo can report, as ``winecfg`` sets them.

The table is that of ``programs/winecfg/appdefaults.c`` in Wine 10; Wine 8.0 offers a part of it, and
reads all (``dlls/ntdll/version.c``).  Versions of the three platforms are told in different places: Windows
NT in ``Windows NT\CurrentVersion`` and in three keys of the control set, Windows 95 to ME in
``Windows\CurrentVersion``, Win32s by its name in Wine's own settings.  32-bit programs have their own
``Software`` key, which gets the same.
"""

from __future__ import annotations

import copy
import enum
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from winesilo.errors import UsageError
from winesilo.host.registry_file import Key, Registry, Value
from winesilo.host.template import windows_time

#: What to set in a key; None deletes a value.
Changes = Mapping[str, Value | None]


class Platform(enum.Enum):
    """Which family of Windows."""

    NT = "Windows NT"
    WIN9X = "Windows 95"
    WIN32S = "Win32s"


@dataclass(frozen=True, slots=True)
class WindowsVersion:
    """One row: its name, and what programs are told.

    Attributes:
        service_pack: the text; Win32s has its version there, Windows 98 its edition.
        csd: the service pack as a number, major in the high byte.
        kind: the product type of Windows NT.
    """

    name: str
    product: str
    major: int
    minor: int
    build: int
    service_pack: str = ""
    csd: int = 0
    kind: str = "WinNT"
    platform: Platform = Platform.NT


_ROWS: Final = (
    WindowsVersion("win11", "Windows 11", 10, 0, 22000),
    WindowsVersion("win10", "Windows 10", 10, 0, 19043),
    WindowsVersion("win81", "Windows 8.1", 6, 3, 9600),
    WindowsVersion("win8", "Windows 8", 6, 2, 9200),
    WindowsVersion("win2008r2", "Windows Server 2008 R2", 6, 1, 7601, "Service Pack 1", 0x100, "ServerNT"),
    WindowsVersion("win7", "Windows 7", 6, 1, 7601, "Service Pack 1", 0x100),
    WindowsVersion("win2008", "Windows Server 2008", 6, 0, 6002, "Service Pack 2", 0x200, "ServerNT"),
    WindowsVersion("vista", "Windows Vista", 6, 0, 6002, "Service Pack 2", 0x200),
    WindowsVersion("win2003", "Windows Server 2003", 5, 2, 3790, "Service Pack 2", 0x200, "ServerNT"),
    WindowsVersion("winxp64", "Windows XP", 5, 2, 3790, "Service Pack 2", 0x200),
    WindowsVersion("winxp", "Windows XP", 5, 1, 2600, "Service Pack 3", 0x300),
    WindowsVersion("win2k", "Windows 2000", 5, 0, 2195, "Service Pack 4", 0x400),
    WindowsVersion("winme", "Windows ME", 4, 90, 3000, " ", platform=Platform.WIN9X),
    WindowsVersion("win98", "Windows 98", 4, 10, 2222, " A ", platform=Platform.WIN9X),
    WindowsVersion("win95", "Windows 95", 4, 0, 950, platform=Platform.WIN9X),
    WindowsVersion("nt40", "Windows NT 4.0", 4, 0, 1381, "Service Pack 6a", 0x600),
    WindowsVersion("nt351", "Windows NT 3.51", 3, 51, 1057, "Service Pack 5", 0x500),
    WindowsVersion("win31", "Windows 3.1", 3, 10, 0, "Win32s 1.3", platform=Platform.WIN32S),
    WindowsVersion("win30", "Windows 3.0", 3, 0, 0, "Win32s 1.3", platform=Platform.WIN32S),
    WindowsVersion("win20", "Windows 2.0", 2, 0, 0, "Win32s 1.3", platform=Platform.WIN32S),
)
VERSIONS: Final = {row.name: row for row in _ROWS}


def check_version(name: object) -> str:
    """Return ``name`` if it is a known version.

    Raises:
        UsageError: listing those that are.
    """
    if not isinstance(name, str) or name.lower() not in VERSIONS:
        raise UsageError(
            f"{name!r} is not a Windows version winesilo knows", f"one of: {', '.join(VERSIONS)}"
        )
    return name.lower()


def apply(hive: Registry, template: Registry, name: str, wine: tuple[int, int]) -> None:
    """Write the version into a silo's hive.

    Args:
        hive: the hive; keys that it does not have yet, and that must change, are copied from the template.
        template: the base's keys that may carry a version, with all above them (``template.build``).
        name: one of ``VERSIONS``.
        wine: Wine's version; before 9.0 it takes the version from CurrentVersion alone, later from
            CurrentMajorVersionNumber, and CurrentVersion stays at 6.3 as on Windows.

    Raises:
        UsageError: ``name`` is unknown, or programs of the silo have deleted a key that is needed.
    """
    changes = dict(_changes(VERSIONS[check_version(name)], wine))
    for source in template:
        folded = source.path.lower()
        for suffix, wanted in changes.items():
            if folded.endswith("\\" + suffix):
                _write(hive, template, source, wanted)


def _changes(row: WindowsVersion, wine: tuple[int, int]) -> Iterator[tuple[str, Changes]]:
    """What to write, by the lower-case ends of the keys' paths."""
    nt, win9x = row.platform is Platform.NT, row.platform is Platform.WIN9X
    modern = row.major == 10 and wine >= (9, 0)
    build = _text(str(row.build), nt)
    name = _text(f"Microsoft {row.product}", nt)
    yield (
        r"microsoft\windows nt\currentversion",
        {
            "CurrentVersion": _text("6.3" if modern else f"{row.major}.{row.minor}", nt),
            "CurrentMajorVersionNumber": _number(row.major, nt),
            "CurrentMinorVersionNumber": _number(row.minor, nt),
            "CSDVersion": _text(row.service_pack, nt),
            "CurrentBuild": build,
            "CurrentBuildNumber": build,
            "ProductName": name,
        },
    )
    yield r"control\productoptions", {"ProductType": _text(row.kind, nt)}
    yield r"control\windows", {"CSDVersion": _number(row.csd, nt)}
    yield r"control\session manager\environment", {"OS": _text("Windows_NT", nt)}
    yield (
        r"microsoft\windows\currentversion",
        {
            "VersionNumber": _text(f"{row.major}.{row.minor}.{row.build}", win9x),
            "SubVersionNumber": _text(row.service_pack, win9x),
            "ProductName": _text(f"Microsoft {row.product}", win9x),
        },
    )
    yield r"software\wine", {"Version": _text(row.name, row.platform is Platform.WIN32S)}


def _text(text: str, there: bool) -> Value | None:
    return Value.text(text) if there else None


def _number(number: int, there: bool) -> Value | None:
    return Value.dword(number) if there else None


def _write(hive: Registry, template: Registry, source: Key, wanted: Changes) -> None:
    key = hive.get(source.path)
    if key is None:
        if all(source.get(name) == value for name, value in wanted.items()):
            return  # as in the base: no private copy is needed
        key = _make_private(hive, template, source.path)
    _check_not_deleted(key)
    key.modified = windows_time(time.time())
    for name, value in wanted.items():
        if value is None:
            key.delete(name)
        else:
            key.set(name, value)


def _make_private(hive: Registry, template: Registry, path: str) -> Key:
    """Copy a key of the template and what is missing above it, from the root down."""
    parts = path.split("\\")
    key = Key("")
    for end in range(1, len(parts) + 1):
        above = "\\".join(parts[:end])
        known = hive.get(above)
        key = known or hive.add(copy.deepcopy(template.get(above) or Key(above)))
        _check_not_deleted(key)
    return key


def _check_not_deleted(key: Key) -> None:
    """A link without a target stands for a key of the base that was deleted."""
    if key.link:
        raise UsageError(
            f"the silo's registry does not have the key {key.path} any more, which tells the Windows version",
            "make the key in the silo again, with reg add",
        )
