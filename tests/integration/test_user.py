"""As an ordinary user: everything works in a user namespace, without privileges."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import Cli, Machine, wait_until

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


@pytest.fixture(scope="module")
def user_cli(machine: Machine) -> Iterator[Cli]:
    """The command line run by an ordinary user, with a copy of the program that this user may read."""
    if os.getuid() != 0:
        yield Cli({**os.environ, "WINESILO_HOST": "user"})
        return
    python = readable_python()
    machine.root.chmod(0o755)
    place = machine.root / "user"
    home, library, runtime = place / "home", place / "library", place / "run"
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
    yield cli
    cli("host", "stop", "-f")
    wait_until(lambda: not [words for words in machine.processes() if str(place) in words], "nothing is left")


def test_whole_life(user_cli: Cli) -> None:
    user_cli.ok("host", "init", timeout=280)
    user_cli.ok("create", "one")
    user_cli.ok("create", "two")
    user_cli.ok("start", "one", "two")
    assert user_cli.ok("exec", "one", "--", "cmd", "/c", "echo hello").strip() == "hello"
    user_cli.ok("exec", "one", "--", "reg", "add", r"HKLM\Software\User", "/v", "a", "/d", "kept", "/f")
    user_cli.ok("exec", "one", "--", "cmd", "/c", r"echo kept>C:\windows\kept.txt& del C:\windows\win.ini")
    assert user_cli("service", "one", "start", "Spooler", "--json").json()["state"] == "running"
    assert user_cli("service", "two", "show", "Spooler", "--json").json()["state"] == "stopped"
    user_cli.ok("stop", "one")
    user_cli.ok("start", "one")
    assert "kept" in user_cli.ok("exec", "one", "--", "reg", "query", r"HKLM\Software\User", "/v", "a")
    assert user_cli.ok("exec", "one", "--", "cmd", "/c", r"type C:\windows\kept.txt").strip() == "kept"
    assert user_cli("exec", "one", "--", "cmd", "/c", r"type C:\windows\win.ini").code != 0
    assert user_cli("exec", "two", "--", "cmd", "/c", r"type C:\windows\win.ini").code == 0
    user_cli.ok("stop", "one")
    user_cli.ok("clone", "one", "three")
    user_cli.ok("rm", "-f", "one", "two", "three")
    assert user_cli("ls", "--json").json() == []


def test_no_namespaces_is_a_clear_error(user_cli: Cli, scratch: Path) -> None:
    """Where user namespaces are refused (in a chroot they always are), the error says what to enable."""
    if os.getuid() != 0:
        pytest.skip("only root can enter a chroot")
    user_cli.ok("host", "stop", "-f")
    script = f'/bin/mount --rbind / {scratch} && exec /usr/sbin/chroot {scratch} "$@"'
    wrapped = Cli(
        user_cli.environment,
        ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *user_cli.command),
        user_cli.folder,
    )
    result = wrapped("create", "never")
    assert result.code == 1, result
    assert "user.max_user_namespaces" in result.err
    assert "Traceback" not in result.err
