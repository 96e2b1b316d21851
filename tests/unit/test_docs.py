"""The documentation says what the program does: same commands, same options, man page up to date."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from winesilo.cli.main import silo

ROOT = Path(__file__).resolve().parents[2]
MAN = ROOT / "docs" / "man"


def test_the_man_page_is_rendered_from_its_source(tmp_path: Path) -> None:
    target = tmp_path / "silo.1"
    subprocess.run([sys.executable, ROOT / "scripts/man.py", MAN / "silo.1.md", target], check=True)
    assert (MAN / "silo.1").read_text() == target.read_text(), (
        "run: scripts/man.py docs/man/silo.1.md docs/man/silo.1"
    )


def commands(command: click.Command, path: str = "silo") -> list[tuple[str, click.Command]]:
    found = [(path, command)]
    for name, child in getattr(command, "commands", {}).items():
        found += commands(child, f"{path} {name}")
    return found


@pytest.mark.parametrize(("path", "command"), commands(silo))
def test_the_man_page_knows_every_option(path: str, command: click.Command) -> None:
    text = (MAN / "silo.1.md").read_text()
    assert path.rsplit(maxsplit=1)[-1] in text
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            longest = max((*parameter.opts, *parameter.secondary_opts), key=len)
            shortest = min(parameter.opts, key=len)
            assert f"`{longest}" in text or f"`{shortest}" in text, f"{path} {longest}"


def test_the_readme_names_real_commands() -> None:
    text = (ROOT / "README.md").read_text()
    known = set(silo.commands)
    used = set(re.findall(r"^    silo (\w+)|; silo (\w+)", text, re.MULTILINE))
    assert {first or second for first, second in used} <= known


def test_the_map_names_real_places() -> None:
    text = (ROOT / "HACKING.md").read_text()
    for path in re.findall(r"^\| `([^`]+)`", text, re.MULTILINE):
        assert (ROOT / path).exists(), path


def test_every_dependency_is_explained() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    text = (ROOT / "docs" / "dependencies.md").read_text().lower()
    for name in re.findall(r'^    "([A-Za-z0-9-]+)[><=]', project, re.MULTILINE):
        assert name.lower() in text, name
