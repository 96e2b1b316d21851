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
#: Where the files for 32-bit programs are, when Wine's own folder of DLLs does not have them.
_I386_DIRECTORIES: Final = (
    "/usr/lib/i386-linux-gnu/wine",
    "/usr/lib/wine",
    "/usr/lib32/wine",
    "/usr/lib/i386/wine",
)
#: Given as folder: no 32-bit programs.
NO_WINE32: Final = "none"
_MACHINE_I386: Final = 0x14C
#: Where distributions keep fonts (fonts-conf(5) has the same).
_FONT_FOLDERS: Final = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
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

    def find_i386(self, folder: str | None = None) -> Path | None:
        """The folder whose ``i386-windows`` has Wine's own DLLs for 32-bit programs.

        They run in the 64-bit loader (new WoW64), so nothing else of a 32-bit Wine is needed.

        Args:
            folder: look here only; ``none``: don't look.

        Returns:
            The folder; None if there is none.

        Raises:
            WineNotFound: the given one has no such files.
        """
        if folder == NO_WINE32:
            return None
        if folder is not None:
            given = Path(folder).expanduser().absolute()
            if not _has_i386(given):
                raise WineNotFound(
                    f"{given} has no i386-windows/ntdll.dll of Wine",
                    "name the folder that i386-windows is in, of the same version as the 64-bit Wine",
                )
            return given
        for candidate in [*self._dll_folders(), *(Path(name) for name in _I386_DIRECTORIES)]:
            if _has_i386(candidate):
                return candidate
        return None

    def link_i386(self, found: Path, place: Path) -> None:
        """Make ``place`` a folder of DLLs for ``WINEDLLPATH``.

        Wine loads the Unix half of a DLL from the folder its Windows half is in: both must be there.

        Args:
            found: from :meth:`find_i386`.
            place: the folder to make, or to make anew.

        Raises:
            WineNotFound: the Unix halves are not where they usually are.
        """
        own = next(
            (path for path in self._dll_folders() if (path / "x86_64-unix" / "ntdll.so").is_file()), None
        )
        if own is None:
            raise WineNotFound(
                f"the libraries of {self.loader} can't be found", "run: silo host init --wine32 none"
            )
        place.mkdir(exist_ok=True)
        for name, target in (("i386-windows", found), ("x86_64-unix", own)):
            (place / name).unlink(missing_ok=True)
            (place / name).symlink_to(target / name)

    def _dll_folders(self) -> list[Path]:
        """Where Wine's own DLLs may be; Debian's loader is in /usr/lib/wine, others' in /usr/bin."""
        above = self.loader.parent.parent
        names = ("lib/wine", "lib64/wine", "lib/x86_64-linux-gnu/wine", "x86_64-linux-gnu/wine", "wine")
        return [above / name for name in names]

    def own_dll(self, name: str) -> Path | None:
        """The file of one of Wine's own DLLs, for 64-bit programs; None if it is not where it usually is."""
        places = (folder / "x86_64-windows" / name for folder in self._dll_folders())
        return next((path for path in places if path.is_file()), None)

    def data_folders(self) -> list[Path]:
        """Wine's own data and the system's fonts, which Wine's programs read by Unix paths."""
        data = [parent / "share" / "wine" for parent in self.loader.parents if parent != Path("/")]
        return [path for path in (*data, *_FONT_FOLDERS) if path.is_dir()]

    def executables(self) -> list[Path]:
        """The Unix programs that Wine processes exec: the 64-bit loader and its preloader.

        A 32-bit loader, of an old WoW64, could not load our library: its programs would run on the host.
        """
        beside = [self.loader.with_name(name) for name in ("wine64-preloader", "wine-preloader")]
        return [self.loader, *(path for path in beside if is_elf64(path))]


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


def dll_folders(wine32: Path | None = None) -> list[Path]:
    """Where Wine looks for its own DLLs besides its installation (``WINEDLLPATH``).

    Args:
        wine32: the folder from :meth:`Wine.link_i386`.
    """
    own = [
        Path(os.path.normpath(folder))
        for folder in os.environ.get("WINEDLLPATH", "").split(":")
        if folder.startswith("/") and Path(folder).is_dir()
    ]
    return own if wine32 is None else [*own, wine32]


def environment(
    prefix: Path, extra: Mapping[str, str] | None = None, wine32: Path | None = None
) -> dict[str, str]:
    """The environment of a Wine process of the host or of a silo.

    Nothing of ours leaks in by accident: a few variables are kept, the rest is set here.  TMPDIR is
    left out because Debian's Wine 10 aborts with it, DISPLAY because services have no screen.

    Args:
        prefix: the Wine prefix.
        extra: set on top.
        wine32: the folder from :meth:`Wine.link_i386`.
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
    if wine32 is not None:
        env["WINEDLLPATH"] = ":".join([*filter(None, [env.get("WINEDLLPATH")]), str(wine32)])
    env.update(extra or {})
    return env


def machine_of(path: Path) -> int | None:
    """The machine a Windows program is for (the number in its PE header); None if it is no such file."""
    try:
        with path.open("rb") as stream:
            head = stream.read(64)
            if len(head) < 64 or head[:2] != b"MZ":
                return None
            stream.seek(int.from_bytes(head[60:64], "little"))
            header = stream.read(6)
    except OSError:
        return None
    return int.from_bytes(header[4:6], "little") if header[:4] == b"PE\0\0" and len(header) == 6 else None


def is_i386(path: Path) -> bool:
    """Whether the file is a 32-bit Windows program."""
    return machine_of(path) == _MACHINE_I386


def _has_i386(folder: Path) -> bool:
    return is_i386(folder / "i386-windows" / "ntdll.dll")


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
