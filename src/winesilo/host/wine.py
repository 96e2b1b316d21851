"""Finding Wine, checking its version, and the environment its processes get."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from winesilo.errors import WineNotFound, WineTooOld
from winesilo.host import process

MINIMUM: Final = (8, 0)
#: Names the loader to use instead of searching for one.
OVERRIDE: Final = "WINESILO_WINE"
_DIRECTORIES: Final = (
    "/usr/lib/wine",
    "/usr/lib64/wine",
    "/opt/wine-stable/bin",
    "/opt/wine-staging/bin",
    "/opt/wine-devel/bin",
    "/usr/bin",
    "/usr/local/bin",
)
_INSTALL_HINT: Final = "install it: apt-get install wine64 (Debian, Ubuntu) or dnf install wine-core (Fedora)"
_KEPT_VARIABLES: Final = (
    "PATH",
    "LANG",
    "LANGUAGE",
    "TZ",
    "USER",
    "LOGNAME",
    "WINEDLLPATH",
    "LD_LIBRARY_PATH",
)


@dataclass(frozen=True, slots=True)
class Wine:
    """A Wine installation.

    Attributes:
        loader: the 64-bit loader (an ELF program, not a wrapper script).
        server: the wineserver.
        version: major and minor number.
        version_text: what ``wine64 --version`` prints.
    """

    loader: Path
    server: Path
    version: tuple[int, int]
    version_text: str

    def executables(self) -> list[Path]:
        """The Unix programs that Wine processes exec: the loader and its preloader."""
        beside = [self.loader.with_name(name) for name in ("wine64-preloader", "wine-preloader")]
        return [self.loader, *(path for path in beside if path.is_file())]


def find() -> Wine:
    """Find Wine 8.0 or newer, 64-bit.

    Raises:
        WineNotFound: none is installed (or ``WINESILO_WINE`` is wrong).
        WineTooOld: only older ones are.
    """
    too_old: str | None = None
    for loader in _candidates():
        server = _server_for(loader)
        if server is None:
            continue
        text = process.run([str(loader), "--version"], env=_version_env(), timeout_s=30).stdout.strip()
        version = parse_version(text)
        if version is None:
            continue
        if version < MINIMUM:
            too_old = f"{loader} is {text}"
            continue
        return Wine(loader, server, version, text)
    if too_old is not None:
        raise WineTooOld(f"{too_old}; winesilo needs Wine 8.0 or newer", _INSTALL_HINT)
    if override := os.environ.get(OVERRIDE):
        raise WineNotFound(f"{OVERRIDE}={override} is not a 64-bit Wine loader", f"unset {OVERRIDE}")
    raise WineNotFound("no 64-bit Wine was found on this machine", _INSTALL_HINT)


def parse_version(text: str) -> tuple[int, int] | None:
    """The numbers in ``wine-8.0 (Debian 8.0~repack-4)`` or ``wine-9.0-rc1``; None if there are none."""
    match = re.match(r"wine-(\d+)\.(\d+)", text)
    return (int(match.group(1)), int(match.group(2))) if match else None


def dll_folders() -> list[Path]:
    """Where Wine looks for its own DLLs besides its installation (``WINEDLLPATH``)."""
    return [
        Path(os.path.normpath(folder))
        for folder in os.environ.get("WINEDLLPATH", "").split(":")
        if folder.startswith("/") and Path(folder).is_dir()
    ]


def environment(prefix: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a Wine process of the host or of a silo.

    Nothing of ours leaks in by accident: a few variables are kept, the rest is set here.  TMPDIR is
    left out because Debian's Wine 10 aborts with it, DISPLAY because services have no screen.

    Args:
        prefix: the Wine prefix.
        extra: set on top.
    """
    env = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    env.update({name: value for name, value in os.environ.items() if name.startswith("LC_")})
    env.setdefault("PATH", os.defpath)
    env["HOME"] = str(prefix)
    env["WINEPREFIX"] = str(prefix)
    env["WINEDEBUG"] = os.environ.get("WINEDEBUG", "-all")
    env["WINEARCH"] = "win64"
    # no offers to install Mono or Gecko (which appwiz.cpl makes), no entries in the desktop's menus
    env["WINEDLLOVERRIDES"] = "appwiz.cpl=;winemenubuilder.exe=d"
    env.update(extra or {})
    return env


def _candidates() -> Iterator[Path]:
    if override := os.environ.get(OVERRIDE):
        found = [Path(override)]
    else:
        found = [Path(folder) / name for folder in _DIRECTORIES for name in ("wine64", "wine")]
        found += [Path(place) for name in ("wine64", "wine") if (place := shutil.which(name))]
    seen: set[Path] = set()
    for path in found:
        real = Path(os.path.realpath(path))
        if real not in seen and is_elf64(real):
            seen.add(real)
            yield real


def is_elf64(path: Path) -> bool:
    """Whether the file is a 64-bit ELF program that we may run."""
    try:
        with path.open("rb") as stream:
            head = stream.read(5)
    except OSError:
        return False
    return head == b"\x7fELF\x02" and os.access(path, os.X_OK)


def _server_for(loader: Path) -> Path | None:
    for name in ("wineserver64", "wineserver"):
        path = loader.with_name(name)
        if os.access(path, os.X_OK):
            return path
    found = shutil.which("wineserver")
    return Path(found) if found else None


def _version_env() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/nonexistent"}
