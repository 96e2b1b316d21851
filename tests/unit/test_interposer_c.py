"""The interposer's pure C parts, with sanitizers: unit tests, and fuzz targets on a fixed set of inputs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "interposer"
UNIT = ROOT / "tests" / "c"
FUZZ = ROOT / "tests" / "fuzz"
PURE = [
    SOURCE / f"{name}.c"
    for name in (
        "names",
        "config",
        "addresses",
        "absent",
        "detach",
        "environment",
        "heap",
        "network",
        "nsi",
        "keyindex",
        "variables",
        "audit",
    )
]
#: What a hook needs besides, where a test has the rest of Wine pretended: test_hook_X is of hook_X.c.
HOOKS = [SOURCE / "silo.c", SOURCE / "hook_drive.c"]
#: What goes with one hook file besides.
WITH = {"hook_socket": [SOURCE / f"socket_{name}.c" for name in ("bind", "tables", "unix")]}
FLAGS = [
    *("-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror"),
    *("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
    f"-I{SOURCE}",
]
MUTATIONS = 20000
SEED = 20240229

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


def build(output: Path, *sources: Path) -> Path:
    done = subprocess.run(
        ["gcc", *FLAGS, "-o", str(output), *map(str, sources), *map(str, PURE)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return output


def run(program: Path, *arguments: str | Path) -> str:
    """Run it; anything on standard error (a failed check, a sanitizer) is a failure."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("LD_PRELOAD", "WINESILO_CONFIG")
    }
    # LeakSanitizer can't work where the process is traced
    environment |= {
        "ASAN_OPTIONS": "detect_leaks=" + ("0" if traced() else "1"),
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


def traced() -> bool:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return "\nTracerPid:\t0\n" not in status


@needs_gcc
@pytest.mark.parametrize("name", sorted(path.stem for path in UNIT.glob("test_*.c")))
def test_unit(name: str, tmp_path: Path) -> None:
    part = name.removeprefix("test_")
    hooks = [*HOOKS, SOURCE / f"{part}.c", *WITH.get(part, [])] if part.startswith("hook_") else []
    run(build(tmp_path / name, UNIT / f"{name}.c", *hooks))


@needs_gcc
@pytest.mark.parametrize("name", sorted(path.stem.removeprefix("fuzz_") for path in FUZZ.glob("fuzz_*.c")))
def test_fuzz(name: str, tmp_path: Path) -> None:
    corpus = sorted((FUZZ / "corpus" / name).iterdir())
    program = build(tmp_path / name, FUZZ / f"fuzz_{name}.c", FUZZ / "run.c")
    arguments: list[str | Path] = [
        *corpus,
        "--mutations",
        str(MUTATIONS),
        "--seed",
        str(SEED),
        "--keep",
        tmp_path / "failed",
    ]
    assert run(program, *arguments) == f"{len(corpus)} files, {MUTATIONS} mutations\n"


@needs_gcc
def test_sanitizers_are_on(tmp_path: Path) -> None:
    """A target that reads one byte too many must fail, or the others show nothing."""
    source = tmp_path / "bad.c"
    source.write_text(
        '#include "fuzz.h"\n'
        "const char *const fuzz_words[] = { NULL };\n"
        "int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)\n"
        "{\n"
        "    volatile uint8_t *copy = exact_copy(data, size);\n"
        "    int last = copy[size];\n"
        "    free((void *)copy);\n"
        "    return last & 0;\n"
        "}\n",
        encoding="ascii",
    )
    (tmp_path / "input").write_bytes(b"12345678")
    output = tmp_path / "bad"
    subprocess.run(
        ["gcc", *FLAGS, f"-I{FUZZ}", "-o", str(output), str(source), str(FUZZ / "run.c")],
        check=True,
        timeout=120,
    )
    done = subprocess.run(
        [output, tmp_path / "input"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert "heap-buffer-overflow" in done.stderr
