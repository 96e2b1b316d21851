"""The Windows versions a silo can report, as ``winecfg`` sets them.

The table is that of ``programs/winecfg/appdefaults.c`` in Wine; 64-bit versions only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from winesilo.errors import UsageError
from winesilo.host.registry_file import Registry, Value


@dataclass(frozen=True, slots=True)
class WindowsVersion:
    """One row: what to write where."""

    name: str
    product: str
    major: int
    minor: int
    build: int
    service_pack: str = ""
    csd: int = 0
    kind: str = "WinNT"


_ROWS: Final = (
    WindowsVersion("win11", "Windows 11", 10, 0, 22000),
    WindowsVersion("win10", "Windows 10", 10, 0, 19043),
    WindowsVersion("win81", "Windows 8.1", 6, 3, 9600),
    WindowsVersion("win8", "Windows 8", 6, 2, 9200),
    WindowsVersion("win2008r2", "Windows Server 2008 R2", 6, 1, 7601, "Service Pack 1", 0x100, "ServerNT"),
    WindowsVersion("win7", "Windows 7", 6, 1, 7601, "Service Pack 1", 0x100),
    WindowsVersion("win2008", "Windows Server 2008", 6, 0, 6002, "Service Pack 2", 0x200, "ServerNT"),
    WindowsVersion("vista", "Windows Vista", 6, 0, 6002, "Service Pack 2", 0x200),
    WindowsVersion("win2003", "Windows 2003", 5, 2, 3790, "Service Pack 2", 0x200, "ServerNT"),
    WindowsVersion("winxp64", "Windows XP", 5, 2, 3790, "Service Pack 2", 0x200),
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


def apply(hive: Registry, name: str, wine: tuple[int, int]) -> None:
    """Write the version into a hive made from the host's version template.

    Args:
        hive: the hive.
        name: one of ``VERSIONS``.
        wine: Wine's version; before 9.0 it takes the version from CurrentVersion alone, later from
            CurrentMajorVersionNumber, and CurrentVersion stays at 6.3 as on Windows.
    """
    row = VERSIONS[check_version(name)]
    modern = row.major == 10 and wine >= (9, 0)
    for key in hive:
        folded = key.path.lower()
        if folded.endswith(r"\software\microsoft\windows nt\currentversion"):
            key.set("CurrentVersion", Value.text("6.3" if modern else f"{row.major}.{row.minor}"))
            key.set("CurrentBuild", Value.text(str(row.build)))
            key.set("CurrentBuildNumber", Value.text(str(row.build)))
            key.set("CSDVersion", Value.text(row.service_pack))
            key.set("ProductName", Value.text(f"Microsoft {row.product}"))
            key.set("CurrentMajorVersionNumber", Value.dword(row.major))
            key.set("CurrentMinorVersionNumber", Value.dword(row.minor))
        elif folded.endswith(r"\control\productoptions"):
            key.set("ProductType", Value.text(row.kind))
        elif folded.endswith(r"\control\windows"):
            key.set("CSDVersion", Value.dword(row.csd))
