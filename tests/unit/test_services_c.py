"""The pure C parts of the services, with sanitizers: unit tests, and fuzz targets on fixed inputs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from test_interposer_c import FUZZ, MUTATIONS, ROOT, SEED, run

SERVICES = ROOT / "services"
TESTS = ROOT / "tests" / "c" / "services"
TARGETS = FUZZ / "services"
#: What needs no Windows, by the test or fuzz target that is of it.
PARTS = {
    "telnet": ["tlntsvr/telnet.c", "tlntsvr/edit.c"],
    "edit": ["tlntsvr/edit.c"],
    "index": ["cisvc/index.c"],
    "url": ["iis/url.c", "iis/text.c"],
    "text": ["iis/text.c"],
    "head": ["iis/head.c"],
    "iso": ["imapi/iso.c"],
    "pdu": ["rpceptmapper/pdu.c"],
}
FLAGS = [
    *("-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror"),
    *("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
    *(f"-I{folder}" for folder in (TESTS, FUZZ, *SERVICES.iterdir()) if folder.is_dir()),
]

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


def build(output: Path, part: str, *sources: Path) -> Path:
    parts = [str(SERVICES / source) for source in PARTS[part]]
    done = subprocess.run(
        ["gcc", *FLAGS, "-o", str(output), *map(str, sources), *parts],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return output


@needs_gcc
@pytest.mark.parametrize("part", sorted(path.stem.removeprefix("test_") for path in TESTS.glob("test_*.c")))
def test_unit(part: str, tmp_path: Path) -> None:
    run(build(tmp_path / part, part, TESTS / f"test_{part}.c"))


@needs_gcc
@pytest.mark.parametrize("part", sorted(path.stem.removeprefix("fuzz_") for path in TARGETS.glob("fuzz_*.c")))
def test_fuzz(part: str, tmp_path: Path) -> None:
    corpus = sorted((FUZZ / "corpus" / part).iterdir())
    program = build(tmp_path / part, part, TARGETS / f"fuzz_{part}.c", FUZZ / "run.c")
    words = ["--mutations", str(MUTATIONS), "--seed", str(SEED), "--keep", str(tmp_path / "failed")]
    assert run(program, *corpus, *words) == f"{len(corpus)} files, {MUTATIONS} mutations\n"
