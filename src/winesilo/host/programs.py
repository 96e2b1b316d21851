"""The layer of programs that silos have in place of Wine's, above the base's files.

It has what was built (services.exe, svchost.exe, winesilo.dll) and, made from the Wine that is installed, the
DLLs of which some exports lead to winesilo.dll (:mod:`winesilo.host.redirect`).
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from pathlib import Path
from typing import Final

from winesilo.errors import InterposerError
from winesilo.host import redirect
from winesilo.host.files import os_errors, remove_tree
from winesilo.host.wine import Wine

log = logging.getLogger(__name__)

#: Wine's DLLs that have functions of which winesilo.dll has better ones.
REDIRECTED: Final = ("advapi32.dll", "sechost.dll")
#: The one in which programs look for all of these functions, as documented: it gets those that it lacks.
_COMPLETE: Final = "advapi32.dll"
_TARGET: Final = "winesilo"
_FOLDER64: Final = Path("windows/system32")
_FOLDER32: Final = Path("windows/syswow64")


def prepare(built: Path, target: Path, wine: Wine, wine32: Path | None) -> list[str]:
    """Bring the layer up to date.

    Overlayfs copies its folders up: they must belong to who runs the host, and lie where the other
    layers do.

    Args:
        built: the folder with what was built, laid out as C:.
        target: the layer; what it was made from is noted in a file beside it.
        wine: the Wine that is installed.
        wine32: the folder from :meth:`Wine.link_i386`.

    Returns:
        The names that ``WINEDLLOVERRIDES`` must have as native, for Wine prefers its own.

    Raises:
        InterposerError: a DLL of Wine's is missing, or is none.
        DiskFull, HostError: it can't be written.
    """
    originals = _originals(wine, wine32)
    with os_errors("copy the silos' own programs"):
        made_from = _digest(built, originals)
        note = target.with_name(f"{target.name}.made-from")
        if not target.is_dir() or _text(note) != made_from:
            note.unlink(missing_ok=True)
            _make(built, target, originals)
            note.write_text(made_from)
        names = {path.name for folder in (_FOLDER64, _FOLDER32) for path in (target / folder).iterdir()}
    return sorted(name.removesuffix(".dll") for name in names)


def _originals(wine: Wine, wine32: Path | None) -> dict[Path, Path]:
    """Wine's files by the places where silos have the copies."""
    found: dict[Path, Path] = {}
    for name in REDIRECTED:
        own = wine.own_dll(name)
        if own is None:
            raise InterposerError(
                f"Wine's {name} is not where it usually is, near {wine.loader}",
                "reinstall Wine, or name another with WINESILO_WINE",
            )
        found[_FOLDER64 / name] = own
        if wine32 is not None:
            found[_FOLDER32 / name] = wine32 / "i386-windows" / name
    return found


def _make(built: Path, target: Path, originals: dict[Path, Path]) -> None:
    partial = target.with_name(f"{target.name}.partial")
    remove_tree(partial)
    shutil.copytree(built, partial, copy_function=shutil.copyfile)
    images = {place: _builtin(original) for place, original in originals.items()}
    for place, image in images.items():
        ours = redirect.exports((partial / place.parent / f"{_TARGET}.dll").read_bytes())
        others = {
            other.name: ours & redirect.exports(images[other])
            for other in images
            if other.parent == place.parent and other != place
        }
        add = place.name == _COMPLETE
        (partial / place).write_bytes(redirect.redirect(image, ours, _TARGET, add=add, others=others))
        log.debug("made %s from %s", place, originals[place])
    remove_tree(target)
    partial.rename(target)


def _builtin(path: Path) -> bytes:
    image = path.read_bytes()
    if not redirect.is_builtin(image):
        raise InterposerError(f"{path} is not a DLL of Wine's own", "reinstall Wine")
    return image


def _digest(built: Path, originals: dict[Path, Path]) -> str:
    """Changes when what the layer is made from does; Wine's files are told by size and time."""
    digest = hashlib.sha256(Path(__file__).with_name("redirect.py").read_bytes())
    for path in sorted(path for path in built.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(built)}\0".encode() + path.read_bytes())
    for place, original in sorted(originals.items()):
        status = original.stat()
        digest.update(f"{place}\0{original.resolve()}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None
