"""PEP 517 build back end: setuptools, after compiling the native parts.

The C library (gcc) and the Windows helpers (mingw-w64) are built by the Makefiles beside their sources
into ``src/winesilo/_native``, from where setuptools takes them as package data. docs/dependencies.md says
which compiler builds what and why.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import build_meta as _setuptools
from setuptools.build_meta import (
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

ROOT = Path(__file__).resolve().parent.parent
TOOLS = {
    "make": "make",
    "gcc": "gcc libc6-dev",
    "x86_64-w64-mingw32-gcc": "gcc-mingw-w64-x86-64",
    "i686-w64-mingw32-gcc": "gcc-mingw-w64-i686",
    "x86_64-w64-mingw32-widl": "mingw-w64-tools",
}

Settings = dict[str, str | list[str] | None] | None


def build_natives() -> None:
    """Compile the C library and the Windows helpers into the package.

    Raises:
        SystemExit: a compiler is missing or a compilation failed; the message names the Debian packages.
    """
    missing = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if missing:
        sys.exit(f"winesilo: cannot compile the native parts; run: apt-get install {' '.join(missing)}")
    guest = ("src/guest", "src/guest/scm", "src/guest/svchost", "src/guest/api", "src/guest/dllhost")
    for part in ("src/interposer", *guest, "services"):
        words = ["make", "--no-print-directory", f"-j{os.cpu_count() or 1}", "-C", str(ROOT / part)]
        done = subprocess.run(words, check=False)
        if done.returncode != 0:
            sys.exit(f"winesilo: make -C {part} failed with exit code {done.returncode}")


def build_wheel(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    """Build a wheel; see PEP 517."""
    build_natives()
    return str(_setuptools.build_wheel(wheel_directory, config_settings, metadata_directory))


def build_editable(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    """Build an editable wheel; see PEP 660."""
    build_natives()
    return str(_setuptools.build_editable(wheel_directory, config_settings, metadata_directory))
