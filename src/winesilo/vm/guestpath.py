r"""Windows paths of a silo and the files behind them.

Windows ignores the case of names, Linux does not: each component is looked up exactly first, then
in any case.  Symbolic links that lead out of the silo's C: are refused.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from winesilo.errors import InvalidPath, ProgramError, ProgramNotFound

_DRIVE: Final = re.compile(r"([A-Za-z]):")
_BAD_CHARACTERS: Final = re.compile(r'[\x00-\x1f<>:"|?*]')
_SCRIPTS: Final = (".bat", ".cmd")
_EXTENSIONS: Final = (".exe", ".com", *_SCRIPTS)
#: Where a program without a directory is looked for, after the working directory.
_SEARCH: Final = (r"C:\windows\system32", r"C:\windows", r"C:\windows\system32\wbem")


def split(path: str) -> list[str]:
    r"""The components of an absolute path on C:, without ``.`` and ``..``.

    Raises:
        InvalidPath: another drive, relative, or characters Windows does not allow.
    """
    match = _DRIVE.match(path)
    rest = path[match.end() :] if match else path
    if match is not None and match.group(1).upper() != "C":
        raise InvalidPath(f"'{path}' is on another drive", "a silo has only C:")
    if not rest.startswith(("\\", "/")):
        raise InvalidPath(f"'{path}' is not an absolute path of a silo", r"write it like C:\folder\file")
    parts: list[str] = []
    for part in re.split(r"[\\/]+", rest):
        if part in ("", "."):
            continue
        if part == "..":
            parts = parts[:-1]
        elif _BAD_CHARACTERS.search(part):
            raise InvalidPath(f"'{path}' has a character that Windows does not allow in names")
        else:
            parts.append(part)
    return parts


def join(parts: list[str]) -> str:
    r"""``C:\`` and the components."""
    return "C:\\" + "\\".join(parts)


def to_unix(root: Path, path: str) -> Path:
    """The file behind a Windows path; components that don't exist keep the given spelling.

    Args:
        root: where the silo's C: is mounted.
        path: an absolute Windows path.

    Raises:
        InvalidPath: see :func:`split`; or it leads out of the silo.
    """
    current = root
    for part in split(path):
        current = _child(current, part)
    real = os.path.realpath(current)
    if real != str(root) and not real.startswith(f"{os.path.realpath(root)}/"):
        raise InvalidPath(f"'{path}' leads out of the silo", "it is a symbolic link")
    return current


def _child(folder: Path, name: str) -> Path:
    exact = folder / name
    if os.path.lexists(exact):
        return exact
    folded = name.casefold()
    try:
        for entry in os.listdir(folder):
            if entry.casefold() == folded:
                return folder / entry
    except OSError:
        pass  # not a directory or missing: the spelling stays as given
    return exact


def from_unix(root: Path, path: Path) -> str:
    """The Windows path of a file below ``root``."""
    return join(list(path.relative_to(root).parts))


def find_program(root: Path, program: str, cwd: str) -> str:
    r"""The full Windows path of a program, as CreateProcess and cmd.exe would find it.

    Args:
        root: where the silo's C: is mounted.
        program: a full path, a path relative to ``cwd``, or a name.
        cwd: absolute Windows path.

    Raises:
        ProgramNotFound: with the name that was looked for.
        ProgramError: what was found can't be run.
        InvalidPath: another drive, or characters Windows does not allow.
    """
    if not program:
        raise ProgramNotFound("no program was given")
    if _DRIVE.match(program) or program.startswith(("\\", "/")):
        folders, name = [""], program
    elif re.search(r"[\\/]", program):
        folders, name = [cwd], program
    else:
        folders, name = [cwd, *_SEARCH], program
    for folder in folders:
        for candidate in _spellings(f"{folder}\\{name}" if folder else name):
            path = to_unix(root, candidate)
            if path.is_file():
                _check_program(path, program)
                return from_unix(root, path)
    raise ProgramNotFound(
        f"there is no program '{program}' in the silo",
        r"give its full path, like C:\folder\program.exe",
        path=program,
    )


def _check_program(path: Path, program: str) -> None:
    """Refuse what Wine would hand to start.exe: the exit code must be the program's own, or 125.

    Raises:
        ProgramError: it is neither a script of cmd.exe nor a program for Windows (``MZ``).
    """
    if path.suffix.lower() in _SCRIPTS:
        return
    with path.open("rb") as stream:
        if stream.read(2) == b"MZ":
            return
    raise ProgramError(
        f"'{program}' is not a program for Windows", "open documents with: cmd /c start", path=program
    )


def _spellings(path: str) -> list[str]:
    name = re.split(r"[\\/]", path)[-1]
    with_extensions = [path + extension for extension in _EXTENSIONS]
    return [path, *with_extensions] if "." in name else [*with_extensions, path]


def command(program: str, arguments: list[str]) -> list[str]:
    """The Wine command line for a program; scripts go through cmd.exe."""
    if program.lower().endswith(_SCRIPTS):
        return [r"C:\windows\system32\cmd.exe", "/c", program, *arguments]
    return [program, *arguments]
