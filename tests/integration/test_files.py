"""``silo cp``: files and folders, in and out, of running and of stopped silos."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import Cli, TemporarySilo

NewSilo = Callable[..., TemporarySilo]


@pytest.mark.parametrize("running", [True, False])
def test_there_and_back(cli: Cli, new_silo: NewSilo, scratch: Path, running: bool) -> None:
    silo = new_silo(start=running)
    tree = scratch / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub" / "data.bin").write_bytes(os.urandom(100_000))
    (tree / "name with spaces.txt").write_text("text")
    cli.ok("cp", str(tree), f"{silo.name}:C:\\copied")
    cli.ok("cp", f"{silo.name}:C:\\copied", str(scratch / "back"))
    for path in ("sub/data.bin", "name with spaces.txt"):
        assert (scratch / "back" / path).read_bytes() == (tree / path).read_bytes()


def test_case_does_not_matter(cli: Cli, silo: TemporarySilo, scratch: Path) -> None:
    cli.ok("cp", f"{silo.name}:c:\\WINDOWS\\Win.INI", str(scratch / "win.ini"))
    assert (scratch / "win.ini").is_file()


def test_what_was_copied_in_is_seen_inside(cli: Cli, silo: TemporarySilo, scratch: Path) -> None:
    (scratch / "in.txt").write_text("from outside")
    cli.ok("cp", str(scratch / "in.txt"), f"{silo.name}:C:\\")
    assert silo.run("cmd", "/c", r"type C:\in.txt").strip() == "from outside"


def test_a_relative_path(
    cli: Cli, silo: TemporarySilo, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(scratch)
    (scratch / "relative.txt").write_text("x")
    cli.ok("cp", "relative.txt", f"{silo.name}:C:\\")
    cli.ok("cp", f"{silo.name}:C:\\relative.txt", "back.txt")
    assert (scratch / "back.txt").read_text() == "x"
