"""The process that makes the base prefix, in namespaces of its own.

``python -m winesilo.host.base_worker HOST WINE32`` writes JSON lines to standard output: any number of
``{"progress": {"text", "done"}}``, then perhaps ``{"error": ...}``.  It dies with its parent.  Asked to
end (SIGTERM), it does so when everything in its namespaces has: nothing writes into the prefix then.
"""

from __future__ import annotations

import datetime
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Final

from winesilo.errors import HostError, WinesiloError, to_wire
from winesilo.host import catalogue, namespaces, nsinit, overlayfs, process, template, wine
from winesilo.host.base import FORMAT, HostInfo, OnProgress
from winesilo.host.files import os_errors, remove_tree, require_space, write_atomic
from winesilo.host.paths import HostPaths
from winesilo.host.registry_file import render
from winesilo.host.wineserver import WineServer

WINEBOOT_TIMEOUT_S: Final = 600.0
#: With less the prefix may be incomplete.
_SPACE_LEFT: Final = 16 << 20
_REPORT_EVERY_S: Final = 0.2
#: Files that Wine 8.0 and 10.0 put into system32; only for the progress bar.
_USUAL_FILES: Final = 750


def main(argv: list[str]) -> int:
    """Entry point: isolate, then make the base."""
    namespaces.die_with_parent(signal.SIGKILL)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    paths = HostPaths.of(argv[0])
    try:
        user_namespace = nsinit.enter()
    except WinesiloError as error:
        return _fail(error)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    child = os.fork()
    if child == 0:
        namespaces.die_with_parent(signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        nsinit.run_as_init(lambda: _guarded(paths, user_namespace, argv[1]))
    # The first process of a pid namespace can be waited for only when no other is left in it.
    signal.signal(signal.SIGTERM, lambda number, frame: os.kill(child, signal.SIGKILL))
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF


def _guarded(paths: HostPaths, user_namespace: bool, wine32: str) -> int:
    try:
        with os_errors("make the host's base"):
            make(paths, user_namespace, wine32)
    except WinesiloError as error:
        return _fail(error)
    return 0


def make(paths: HostPaths, user_namespace: bool, wine32: str) -> None:
    """Make base, template and host.json; see :func:`winesilo.host.base.init_host` for the errors."""
    _progress("looking for a way to mount silos' files", None)
    overlayfs.find_method(paths.data, user_namespace)
    installation = wine.find()
    folder = installation.find_i386(wine32)
    dlls = None
    if folder is not None:
        paths.wine32.mkdir(parents=True, exist_ok=True)
        installation.link_i386(folder, dlls := paths.wine32)
    prefix = paths.base_partial
    prefix.mkdir(parents=True)
    _progress(f"creating the base prefix with {installation.version_text}", 0.0)
    server = WineServer(installation, prefix, sys.stderr)
    try:
        boot(installation, prefix, "--init", _progress, dlls)
    except HostError:
        require_space(prefix, _SPACE_LEFT, "the base prefix")  # the likely reason
        raise
    finally:
        server.stop()
    require_space(prefix, _SPACE_LEFT, "the base prefix")  # the wineserver only mutters when it can't save
    _progress("reading the base's registry", 0.95)
    tidy(prefix)
    info = describe(paths, installation, prefix, str(folder) if folder else None)
    for folder in (paths.silos, paths.layers):
        folder.mkdir(exist_ok=True)
    _progress("saving", 0.99)
    os.sync()
    prefix.rename(paths.base)
    info.write(paths.host_json)
    _progress("the base is ready", 1.0)


def boot(
    installation: wine.Wine, prefix: Path, option: str, on_progress: OnProgress, wine32: Path | None
) -> None:
    """Run wineboot in ``prefix`` and report how far it is by counting files.

    Raises:
        HostError: it failed or took longer than ten minutes.
    """
    argv = [str(installation.loader), "wineboot.exe", option]
    env = wine.environment(prefix, wine32=wine32)
    with namespaces.fixed_addresses():
        child = process.spawn(argv, env=env, cwd=prefix, stderr=sys.stderr)
    waited = 0.0
    while True:
        try:
            code = child.wait(_REPORT_EVERY_S)
            break
        except process.TimeoutExpired:
            waited += _REPORT_EVERY_S
        if waited > WINEBOOT_TIMEOUT_S:
            child.kill()
            child.wait()
            raise HostError(f"wineboot did not end within {WINEBOOT_TIMEOUT_S:g} s")
        on_progress(
            "creating the base prefix", min(0.9, 0.9 * _count(prefix) / (_USUAL_FILES * (2 if wine32 else 1)))
        )
    if code != 0 or not (prefix / "drive_c" / "windows" / "system32").exists():
        raise HostError(f"wineboot failed (exit code {code})", "run with WINEDEBUG=err+all to see why")


def tidy(prefix: Path) -> None:
    """Replace links that lead out of the prefix's C: (My Documents and so on) by directories.

    Wine links the user's folders to the real home; a silo must not reach it.
    """
    drive = prefix / "drive_c"
    for folder, directories, files in os.walk(drive):
        for name in [*directories, *files]:
            path = Path(folder, name)
            if path.is_symlink():
                path.unlink()
                path.mkdir()
    remove_tree(prefix / "dosdevices" / "d:")


def describe(paths: HostPaths, installation: wine.Wine, prefix: Path, wine32: str | None) -> HostInfo:
    """Write the hive templates of ``prefix`` and return the record for host.json."""
    base = template.read_base(prefix)
    links = template.link_table(base)
    known = catalogue.load([paths.catalogue])
    for path, with_version in ((paths.hive_template, False), (paths.version_template, True)):
        write_atomic(path, render(template.build(base, links, with_version, known.masks)).encode())
    write_atomic(paths.template_catalogue, known.digest().encode())
    return HostInfo(
        format=FORMAT,
        wine=installation.version_text,
        loader=str(installation.loader),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        links=links,
        wine32=wine32,
    )


def _count(prefix: Path) -> int:
    windows = prefix / "drive_c" / "windows"
    total = 0
    for name in ("system32", "syswow64"):
        try:
            total += len(os.listdir(windows / name))
        except OSError:
            continue
    return total


def _progress(text: str, done: float | None) -> None:
    print(json.dumps({"progress": {"text": text, "done": done}}), flush=True)


def _fail(error: WinesiloError) -> int:
    print(json.dumps({"error": to_wire(error)}), flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
