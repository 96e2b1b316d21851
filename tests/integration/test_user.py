"""As an ordinary user: everything works in a user namespace, without privileges."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import Cli


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
    audited = user_cli("audit", "one", "--json").json()
    assert audited["counts"]["undeclared"] == 0
    written = {one["name"]: one["how"] for one in audited["rendezvous"] if one["kind"] == "file"}
    assert written[r"C:\windows\kept.txt"] == ["written"]
    assert written[r"C:\windows\win.ini"] == ["deleted"]
    user_cli.ok("stop", "one")
    user_cli.ok("start", "one")
    assert "kept" in user_cli.ok("exec", "one", "--", "reg", "query", r"HKLM\Software\User", "/v", "a")
    assert user_cli.ok("exec", "one", "--", "cmd", "/c", r"type C:\windows\kept.txt").strip() == "kept"
    assert user_cli("exec", "one", "--", "cmd", "/c", r"type C:\windows\win.ini").code != 0
    assert user_cli("exec", "two", "--", "cmd", "/c", r"type C:\windows\win.ini").code == 0
    user_cli.ok("stop", "one")
    user_cli.ok("clone", "one", "three")
    user_cli.ok("rm", "-f", "one", "two", "three")
    assert {row["name"] for row in user_cli("ls", "--json").json()}.isdisjoint({"one", "two", "three"})


@pytest.mark.parametrize(("program", "gaps"), [("filenames", {"link-same-file"}), ("sharing", set())])
def test_files(user_cli: Cli, guest: Callable[[str], Path], program: str, gaps: set[str]) -> None:
    """Without privileges overlayfs can't rename folders of the base, which programs must not notice, and it
    forgets which of the base's files a copy is of, which they can (docs/design/files.md)."""
    user_cli.ok("host", "init", timeout=280)
    user_cli.ok("create", "files")
    try:
        user_cli.ok("start", "files")
        readable = Path(user_cli.environment["HOME"]) / f"{program}.exe"
        shutil.copyfile(guest(program), readable)
        user_cli.ok("cp", str(readable), "files:C:\\")
        output = user_cli("exec", "files", "--", rf"C:\{program}.exe", "silo").out
        failed = [line for line in output.splitlines() if line.startswith("not ok ")]
        assert {line.removeprefix("not ok ").split(":")[0] for line in failed} == gaps, failed
        assert "done " in output
    finally:
        user_cli.ok("rm", "-f", "files")


def test_no_namespaces_is_a_clear_error(user_cli: Cli, scratch: Path) -> None:
    """Where user namespaces are refused (in a chroot they always are), the error says what to enable."""
    if os.getuid() != 0:
        pytest.skip("only root can enter a chroot")
    user_cli.ok("host", "init", timeout=280)
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
