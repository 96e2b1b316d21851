"""The command line as an ordinary user runs it, also where the tests run as root."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import Cli, Machine, Place, wait_until

from winesilo.host import files

NOBODY = 65534
SETPRIV = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
#: Development tools, which the program does not need.
LEFT_OUT = (
    "mypy*",
    "ruff*",
    "pip*",
    "*_mypyc*",
    "pytest*",
    "_pytest",
    "xdist*",
    "execnet*",
    "importlinter",
    "grimp*",
    "*.dist-info",
)


#: setpriv itself may still reach what its child may not, so look from the child of a child.
AGAIN = (
    "import os, sys; "
    "os.execv(sys.executable, [sys.executable, '-c', 'import sys; print(tuple(sys.version_info[:2]))'])"
)


def readable_python() -> str:
    """An interpreter of our version that an ordinary user may run; ours may be in root's own folders."""
    ours = sys.version_info[:2]
    for candidate in (sys.executable, "/usr/bin/python3"):
        done = subprocess.run(
            [*SETPRIV, candidate, "-c", AGAIN],
            capture_output=True,
            check=False,
            cwd="/",
        )
        if done.stdout.decode().strip() == str(tuple(ours)):
            return candidate
    pytest.skip(f"no Python {ours} that an ordinary user may run")


@contextlib.contextmanager
def user_command_line(machine: Machine, place: Place) -> Iterator[Cli]:
    """The command line run by an ordinary user, with a copy of the program that this user may read.

    Not in the machine's folder, where tests look for what has been left behind: this user's host may run.
    """
    if os.getuid() != 0:
        yield Cli({**os.environ, "WINESILO_HOST": "user"})
        return
    python = readable_python()
    own = Machine(place.private("home/.local/share/winesilo/hosts/default"))
    own.root.chmod(0o755)
    home, library, runtime = own.root / "home", own.root / "library", own.root / "run"
    shutil.copytree(sysconfig.get_path("purelib"), library, ignore=shutil.ignore_patterns(*LEFT_OUT))
    shutil.copytree(Path(__file__).resolve().parents[2] / "src" / "winesilo", library / "winesilo")
    for folder in (home, runtime):
        folder.mkdir(mode=0o700)
        os.chown(folder, NOBODY, NOBODY)
    environment = {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(library),
        "PYTHONDONTWRITEBYTECODE": "1",
        "XDG_RUNTIME_DIR": str(runtime),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
    }
    cli = Cli(environment, (*SETPRIV, python, "-m", "winesilo.cli"), home)
    try:
        yield cli
        cli("host", "stop", "-f")
        wait_until(lambda: not own.processes(), "nothing is left")
    finally:
        own.end_all()
        files.remove_tree(own.root)
