"""The other half of SECURITY.md: what is no boundary, shown by a program that makes Linux system calls."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from helpers import Cli, TemporarySilo

Guest = Callable[[str], Path]


def test_native_code_reaches_linux(silo: TemporarySilo, guest: Guest, scratch: Path) -> None:
    (scratch / "secret").write_text("a file outside of all silos")
    silo.silo.copy_in(guest("native"), "C:\\")
    assert silo.run(r"C:\native.exe", "read", str(scratch / "secret")) == "a file outside of all silos"


def test_the_pid_namespace_holds_native_code_too(silo: TemporarySilo, guest: Guest) -> None:
    """It sees the host's processes and no other: the host is the boundary."""
    silo.silo.copy_in(guest("native"), "C:\\")
    seen = {int(line) for line in silo.run(r"C:\native.exe", "list").split()}
    assert {1} < seen
    assert os.getpid() not in seen or os.getpid() < 100
    assert len(seen) < len([name for name in os.listdir("/proc") if name.isdigit()])


def test_a_users_host_has_no_privileges(user_cli: Cli, guest: Guest) -> None:
    program = guest("native")
    if user_cli.folder is not None:  # another user's home: ours may be closed to them
        program = Path(shutil.copy(program, user_cli.folder))
        program.chmod(0o644)
    user_cli.ok("host", "init", timeout=280)
    user_cli.ok("create", "native")
    try:
        user_cli.ok("start", "native")
        user_cli.ok("cp", str(program), "native:C:\\")
        status = user_cli.ok("exec", "native", "--", r"C:\native.exe", "read", "/proc/self/status")
        fields = dict(line.split(":\t", 1) for line in status.replace("\r", "").splitlines() if ":\t" in line)
        assert int(fields["CapEff"], 16) == 0
        assert "0" not in fields["Uid"].split()
        refused = user_cli("exec", "native", "--", r"C:\native.exe", "read", "/etc/shadow")
        assert refused.out.strip() == "refused 13"  # EACCES
    finally:
        user_cli.ok("rm", "-f", "native")
