"""Every system call of the installed Wine is hooked, or it is said why it need not be."""

from __future__ import annotations

import shutil
import subprocess

import pytest

import namespaces
from winesilo.host import wine


def test_every_call_is_classified() -> None:
    if shutil.which("nm") is None:
        pytest.skip("nm is not installed")
    loader = wine.find().loader
    places = [f"{folder}/wine/x86_64-unix/ntdll.so" for folder in ("*", "lib", "lib64")]
    library = next(path for place in places for path in loader.parents[1].glob(place))
    listed = subprocess.run(
        ["nm", "-D", "--defined-only", str(library)], capture_output=True, text=True, check=True, timeout=60
    )
    exported = {line.split()[-1] for line in listed.stdout.splitlines() if line.split()[-1].startswith("Nt")}
    known = set(namespaces.hooked()) | {name for names in namespaces.unhooked().values() for name in names}
    assert len(exported) > 200
    assert exported - known == set(), "add them to syscalls.def or unhooked.def"
