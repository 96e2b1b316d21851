r"""Putting packages of services into a running silo, and taking them out again.

What is done to the silo is written down in it, in ``C:\windows\winesilo\packages\NAME``, before it is done:
``record.json`` says what, ``files\N`` are the files that were replaced, ``undo.txt`` takes the registry back.
So an installation that fails, or is killed, is taken back whole, and the record goes where the silo's files
go: into clones, out with the silo.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from winesilo.errors import PackageError, PackageNotFound, ServiceExists, ServiceNotFound, WinesiloError
from winesilo.host.files import os_errors, remove_tree, write_atomic
from winesilo.host.process import finish
from winesilo.interposer.config import services_path
from winesilo.services.control import ServiceControl
from winesilo.vm import copying, guestpath, package_file
from winesilo.vm.package_file import Copy, Package

if TYPE_CHECKING:
    from winesilo.vm.engine import Engine
    from winesilo.vm.instance import Instance

log = logging.getLogger(__name__)

FOLDER: Final = r"C:\windows\winesilo\packages"
REGISTER_TIMEOUT_S: Final = 120.0

Check = Callable[[], None]


def install(engine: Engine, name: str, what: str, check: Check) -> dict[str, Any]:
    """Put a package into a running silo: files, services, registry; all of it or nothing.

    Args:
        engine: the host's silos.
        name: the silo.
        what: the absolute path of a package's folder, or the name of one that winesilo brings along.
        check: called often; raises to give up.

    Returns:
        Its name and the names of its services.

    Raises:
        PackageError: it is wrong, or installed already; its registry values can't be set.
        ServiceExists: the silo has a service of one of its names.
        SiloNotFound, SiloNotRunning, InvalidName, InvalidPath, ServiceError, DiskFull, HostError: as it says.
    """
    package = package_file.load(Path(what) if what.startswith("/") else shipped(what))
    with engine.changing(name, check) as instance, os_errors(f"install {package.name!r}"):
        work = _Work(instance, package.name, check)
        if work.complete:
            raise PackageError(
                f"{package.name!r} is installed in silo {name!r} already",
                f"to install it anew: silo service {name} uninstall {package.name}",
            )
        with ServiceControl(instance.agent, instance.record.id, silo_name=name) as control:
            work.take_back(control)  # what a killed installation left
            _check_new(control, package)
            try:
                work.do(control, package)
            except BaseException:
                work.take_back(control)
                raise
    return {"name": package.name, "services": [service.name for service in package.services]}


def uninstall(engine: Engine, name: str, package: str, check: Check) -> None:
    """Take a package out of a running silo: services are stopped and deleted, files and registry as before.

    Raises:
        PackageNotFound: it is not installed.
        SiloNotFound, SiloNotRunning, InvalidName, ServiceError, DiskFull, HostError: as it says.
    """
    package_file.check_package_name(package)
    with engine.changing(name, check) as instance, os_errors(f"uninstall {package!r}"):
        work = _Work(instance, package, check)
        if not work.exists:
            raise PackageNotFound(f"{package!r} is not installed in silo {name!r}")
        with ServiceControl(instance.agent, instance.record.id, silo_name=name) as control:
            work.stop_services(control)
            work.take_back(control)


def shipped(name: str) -> Path:
    """The folder of a package that winesilo brings along.

    Raises:
        PackageNotFound: there is none of that name; the hint lists those that are.
    """
    folder = services_path()
    names = sorted(path.parent.name for path in folder.glob(f"*/{package_file.FILE_NAME}"))
    if name not in names:
        raise PackageNotFound(
            f"there is no package {name!r}", f"there are: {', '.join(names)}; or name a folder, with a '/'"
        )
    return folder / name


def _check_new(control: ServiceControl, package: Package) -> None:
    for service in package.services:
        with contextlib.suppress(ServiceNotFound):
            control.show(service.name)
            raise ServiceExists(f"the silo has a service {service.name!r} already")


class _Work:
    """A package in a silo: what was done for it, and taking that back.

    Args:
        instance: the silo.
        package: the package's name.
        check: called often; raises to give up.
    """

    def __init__(self, instance: Instance, package: str, check: Check) -> None:
        self._instance = instance
        self._check = check
        self._folder = guestpath.to_unix(instance.root, f"{FOLDER}\\{package}")
        self._windows_folder = f"{FOLDER}\\{package}"
        self._record: dict[str, Any] = self._read()

    @property
    def exists(self) -> bool:
        """Whether anything of it was begun."""
        return self._folder.is_dir()

    @property
    def complete(self) -> bool:
        """Whether it was installed whole."""
        return bool(self._record.get("complete"))

    def _read(self) -> dict[str, Any]:
        try:
            record = json.loads((self._folder / "record.json").read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise PackageError(f"{self._folder / 'record.json'} is damaged") from error
        return dict(record)

    def _write(self) -> None:
        write_atomic(self._folder / "record.json", json.dumps(self._record, indent=1).encode())

    # -- doing --------------------------------------------------------------------------------

    def do(self, control: ServiceControl, package: Package) -> None:
        """Install it."""
        (self._folder / "files").mkdir(parents=True)
        self._record = {
            "complete": False,
            "description": package.description,
            "paths": [],
            "services": [service.name for service in package.services],
        }
        self._write()
        for copy in package.copies:
            self._check()
            self._copy(copy)
        for service in package.services:
            self._check()
            control.create(service.name, service.command, **service.options)
        self._register("".join(f"{line}\n" for line in package.registry), "undo.txt")
        self._record["complete"] = True
        self._write()

    def _copy(self, copy: Copy) -> None:
        self._make_folders(guestpath.split(copy.target)[:-1])
        place = guestpath.to_unix(self._instance.root, copy.target)
        if copy.source is None:
            self._make_folders(guestpath.split(copy.target))
        elif copy.source.is_dir():
            self._make_folders(guestpath.split(copy.target))
            for entry in sorted(copy.source.iterdir()):
                self._copy(Copy(entry, f"{copy.target}\\{entry.name}"))
        else:
            self._note(copy.target, place)
            copying.copy_in(copy.source, self._instance.root, copy.target, self._check)

    def _make_folders(self, parts: list[str]) -> None:
        for n in range(1, len(parts) + 1):
            path = guestpath.join(parts[:n])
            place = guestpath.to_unix(self._instance.root, path)
            if not place.is_dir():
                self._note(path, place)
                place.mkdir()

    def _note(self, path: str, place: Path) -> None:
        """Write down that a path is about to be made or replaced; a file that is there is kept."""
        paths = self._record["paths"]
        kept = None
        if place.is_file():
            kept = f"files/{len(paths)}"
            shutil.copy2(place, self._folder / kept)
        paths.append({"path": path, "kept": kept})
        self._write()

    def _register(self, lines: str, undo: str) -> None:
        """Change the silo's registry, from inside it: only there are its keys and the base's one."""
        if not lines:
            return
        (self._folder / "list.txt").write_text(lines, encoding="utf-8")
        shutil.copyfile(services_path() / "register.exe", self._folder / "register.exe")
        words = [f"{self._windows_folder}\\{file}" for file in ("register.exe", "list.txt", undo)]
        output = self._folder / "output.txt"
        with output.open("wb") as stream:
            process = self._instance.spawn(words, stream)
        done = finish(process, timeout_s=REGISTER_TIMEOUT_S)
        said = output.read_text("utf-8", "replace").strip()
        if done.returncode != 0:
            raise PackageError(f"the registry values were not set: {said or done.returncode}")
        for file in ("register.exe", "list.txt", "output.txt"):
            (self._folder / file).unlink()

    # -- taking back --------------------------------------------------------------------------

    def stop_services(self, control: ServiceControl) -> None:
        """Stop its services, and what depends on them."""
        for name in self._record.get("services", ()):
            with contextlib.suppress(ServiceNotFound):
                if control.show(name).state not in ("stopped", "dead"):
                    control.stop(name, with_dependents=True, force=True)

    def take_back(self, control: ServiceControl) -> None:
        """Undo what the record says, the last first.

        It goes on after what fails, keeps the record then, and raises the first error.
        """
        if not self.exists:
            return
        self._check = lambda: None  # who gave up does not want it half done
        steps: list[Callable[[], None]] = []
        undo = self._folder / "undo.txt"
        if undo.is_file():
            steps.append(lambda: self._register(undo.read_text("utf-8"), "redo.txt"))
        for name in reversed(self._record.get("services", [])):
            steps.append(partial(_delete_service, control, name))
        for entry in reversed(self._record.get("paths", [])):
            steps.append(partial(self._restore, entry["path"], entry["kept"]))
        first: Exception | None = None
        for step in steps:
            try:
                step()
            except (WinesiloError, OSError) as error:
                log.error("taking back %s: %s", self._folder.name, error)
                first = first or error
        if first is not None:
            raise first
        remove_tree(self._folder)
        for folder in (self._folder.parent, self._folder.parent.parent):
            with contextlib.suppress(OSError):  # another package is there
                folder.rmdir()

    def _restore(self, path: str, kept: str | None) -> None:
        place = guestpath.to_unix(self._instance.root, path)
        if kept is not None:
            os.replace(self._folder / kept, place)
        elif place.is_dir():
            with contextlib.suppress(OSError):  # something else is in it by now
                place.rmdir()
        else:
            place.unlink(missing_ok=True)


def _delete_service(control: ServiceControl, name: str) -> None:
    with contextlib.suppress(ServiceNotFound):
        control.delete(name)
