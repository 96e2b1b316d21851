"""32-bit programs: they run in the 64-bit loader (new WoW64), see what 64-bit ones see, and never run outside
the silo, also where a 32-bit loader is installed."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers import Machine, TemporarySilo, wait_until
from test_guest_programs import failures
from test_winver import look, wrong

from winesilo import Host
from winesilo.errors import ProgramError, WineNotFound
from winesilo.host import files, wine
from winesilo.host.wineserver import WineServer
from winesilo.vm.winver import VERSIONS

Guest = Callable[[str], Path]
PROGRAMS = (
    "objects",
    "pipes",
    "mailslots",
    "registry",
    "keys",
    "files",
    "processes",
    "jobs",
    "network",
    "sockets",
    "drivers",
)
#: A loader of an old WoW64 would be beside the 64-bit one, and runs what it is given without our library.
FAKE_LOADER = r"""
.globl _start
_start:
    movl $4, %eax
    movl $2, %ebx
    movl $text, %ecx
    movl $9, %edx
    int $0x80
    movl $1, %eax
    movl $77, %ebx
    int $0x80
.data
text: .ascii "unhooked\n"
"""


def link_or_copy(source: str, target: str) -> None:
    """The wineserver writes the files of the registry in place where they have a second name."""
    if source.endswith(".reg"):
        shutil.copy2(source, target)
    else:
        os.link(source, target)


class Plain:
    """The same prefix without winesilo: a copy of the base that shares its files."""

    def __init__(self, host: Host, folder: Path) -> None:
        self.folder = folder
        self.dlls = host.base.parent / "wine32"
        self.prefix = folder / "prefix"
        shutil.copytree(host.base, self.prefix, symlinks=True, copy_function=link_or_copy)
        self.wine = wine.find()

    def run(self, *argv: str, wrapper: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Run a program to its end; its output goes through a file, which services may keep open."""
        with (self.folder / "output").open("w+b") as output:
            done = subprocess.run(
                [*wrapper, str(self.wine.loader), *argv],
                env=wine.environment(self.prefix, wine32=self.dlls),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=120,
                check=False,
            )
            output.seek(0)
            text = output.read().decode("utf-8", "replace").replace("\r\n", "\n")
        return subprocess.CompletedProcess(argv, done.returncode, text)


@pytest.fixture(scope="module")
def plain(host32: Host, machine: Machine) -> Iterator[Plain]:
    folder = machine.root / "plain32"
    folder.mkdir()
    plain = Plain(host32, folder)
    server = WineServer(plain.wine, plain.prefix)
    yield plain
    server.stop()
    files.remove_tree(folder)


def failed(output: str) -> set[str]:
    return {line.removeprefix("not ok ").split(":")[0] for line in failures(output)}


def test_it_is_32_bits(silo32: TemporarySilo, guest: Guest) -> None:
    silo32.silo.copy_in(guest("processes32"), "C:\\")
    assert silo32.run(r"C:\processes32.exe", "bits") == "32 bits, emulated\n"
    assert silo32.run("cmd", "/c", r"C:\processes32.exe bits") == "32 bits, emulated\n"
    assert "Microsoft Windows" in silo32.run(r"C:\windows\syswow64\cmd.exe", "/c", "ver")


@pytest.mark.parametrize("program", PROGRAMS)
def test_as_on_plain_wine(silo32: TemporarySilo, plain: Plain, guest: Guest, program: str) -> None:
    """What a 32-bit program can do on plain Wine it can do in a silo."""
    image = guest(f"{program}32")
    shutil.copy(image, plain.prefix / "drive_c")
    outside = plain.run(rf"C:\{program}32.exe", "host").stdout
    assert "done " in outside
    silo32.silo.copy_in(image, "C:\\")
    inside = silo32.silo.run([rf"C:\{program}32.exe", "silo"], timeout=120).stdout
    assert "done " in inside
    worse = failed(inside) - failed(outside)
    assert not worse, failures(inside)


def test_apart_from_other_silos(host32: Host, silo32: TemporarySilo, guest: Guest) -> None:
    """Names made by a 32-bit program are its silo's, and 64-bit programs there find them."""
    code = r"C:\objects32.exe"
    with TemporarySilo(host32) as other:
        for silo in (silo32, other):
            for name in ("objects32", "objects", "processes32"):
                silo.silo.copy_in(guest(name), "C:\\")
        with silo32.silo.popen(
            [code, "hold", "w32"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as holder:
            assert holder.stdout is not None
            while holder.stdout.readline().strip() != b"ready":
                assert holder.poll() is None
            inside = silo32.run(r"C:\objects.exe", "probe", "w32")
            assert "found" in inside
            assert "absent" not in inside
            assert "found" not in other.run(code, "probe", "w32")
            assert "objects32.exe" not in other.run(r"C:\processes32.exe", "list")
            assert "objects32.exe" in silo32.run(r"C:\processes32.exe", "list")
            holder.communicate()


def test_event_log(silo32: TemporarySilo, guest: Guest) -> None:
    """32-bit programs write to the files of the 64-bit ones, and read what those have written."""
    for name in ("events", "events32"):
        silo32.silo.copy_in(guest(name), "C:\\")
    silo32.run(r"C:\events32.exe", "report", "Thirty", "1", "32", "from 32 bits")
    silo32.run(r"C:\events.exe", "report", "Sixty", "2", "64", "from 64 bits")
    lines = ["1|Thirty|32|1|from 32 bits", "2|Sixty|64|2|from 64 bits"]
    for program in (r"C:\events32.exe", r"C:\events.exe"):
        assert silo32.run(program, "list", "Application").splitlines() == lines
    assert [event.text for event in silo32.silo.events(log="Application")] == ["from 32 bits", "from 64 bits"]
    done = silo32.silo.run([r"C:\events32.exe", "silo"], timeout=200)
    assert failures(done.stdout) == []
    assert "done " in done.stdout


def test_registry_view(host32: Host, silo32: TemporarySilo) -> None:
    """What a 32-bit program writes below Software is in the silo's Wow6432Node, and nowhere else."""
    reg32, key, node = (
        r"C:\windows\syswow64\reg.exe",
        r"HKLM\Software\Microsoft",
        r"HKLM\Software\Wow6432Node",
    )
    before = (host32.base / "system.reg").read_bytes()
    silo32.run(reg32, "add", key, "/v", "Text", "/d", "mine", "/f")
    silo32.run(reg32, "add", key + r"\Below", "/v", "Text", "/d", "mine too", "/f")
    assert silo32.reg_get(node + r"\Microsoft", "Text") == "mine"
    assert silo32.reg_get(node + r"\Microsoft\Below", "Text") == "mine too"
    assert silo32.reg_get(key, "Text") is None
    with TemporarySilo(host32) as other:
        assert other.silo.run([reg32, "query", key, "/v", "Text"]).returncode != 0
        assert other.reg_get(node + r"\Microsoft", "Text") is None
    silo32.silo.restart()
    assert silo32.run(reg32, "query", key + r"\Below", "/v", "Text").count("mine too") == 1
    assert (host32.base / "system.reg").read_bytes() == before


def test_service(silo32: TemporarySilo, guest: Guest) -> None:
    silo32.silo.copy_in(guest("testsvc32"), "C:\\")
    shell = r"C:\windows\syswow64\cmd.exe"
    command = rf'{shell} /c "echo printed & echo also>&2 & C:\testsvc32.exe normal"'
    silo32.silo.create_service("Old", command)
    service = silo32.silo.service("Old")
    service.start()
    assert service.info().state == "running"
    wait_until(lambda: len(silo32.silo.logs("Old")) == 2, "what it printed")
    assert [line.text.rstrip() for line in silo32.silo.logs("Old")] == ["printed", "also"]
    assert any(process.name == "testsvc32.exe" for process in silo32.silo.ps())
    service.stop()
    assert service.info().state == "stopped"


def test_environment(silo32: TemporarySilo) -> None:
    """The first program of `silo exec` has the variables of its silo's registry."""
    key = r"HKCU\Environment"
    silo32.run("reg", "add", key, "/v", "MINE", "/t", "REG_EXPAND_SZ", "/d", "%SystemRoot%;mine", "/f")
    for command in (r"C:\windows\syswow64\cmd.exe", r"C:\windows\system32\cmd.exe"):
        assert silo32.run(command, "/c", "set MINE") == "MINE=C:\\windows;mine\n"


def test_windows_versions(host32: Host, guest: Guest) -> None:
    """Several at once; 32-bit and 64-bit programs of a silo are told the same."""
    names = ("winxp", "win2003", "win98", "win31", "win10")
    with contextlib.ExitStack() as stack:
        silos = {name: stack.enter_context(TemporarySilo(host32, windows=name)) for name in names}
        for name, silo in silos.items():
            for program, bits in (("winver", "64"), ("winver32", "32")):
                seen = look(silo, guest, program)
                assert seen["bits"] == bits
                assert wrong(seen, VERSIONS[name]) == {}, (name, program)


def test_without_the_files(silo: TemporarySilo, guest: Guest) -> None:
    """A base that can't run 32-bit programs says so, before anything runs."""
    silo.silo.copy_in(guest("processes32"), "C:\\")
    with pytest.raises(ProgramError, match="32-bit program") as refused:
        silo.silo.run([r"C:\processes32.exe", "bits"])
    assert refused.value.hint is not None
    assert "libwine:i386" in refused.value.hint


def test_folder_without_the_files(machine: Machine, tmp_path: Path) -> None:
    host = Host("t32-missing")
    with pytest.raises(WineNotFound, match="i386-windows"):
        host.init(wine32=str(tmp_path))
    assert not host.initialised


@pytest.fixture(scope="module")
def fake_loader(machine: Machine) -> Path:
    """A folder with a 32-bit loader, to lay over the folder of the 64-bit one."""
    folder = machine.root / "loader32"
    folder.mkdir()
    loader = wine.find().loader
    if not loader.name.endswith("64"):
        pytest.skip("this Wine's loaders have no names of their own for 32 bits")
    source = folder / "loader.s"
    source.write_text(FAKE_LOADER)
    program = folder / loader.name.removesuffix("64")
    for command in (
        ["as", "--32", "-o", str(folder / "loader.o"), str(source)],
        ["ld", "-m", "elf_i386", "-o", str(program), str(folder / "loader.o")],
    ):
        subprocess.run(command, check=True, timeout=60)
    return folder


def lay_over(folder: Path) -> list[str]:
    place = str(wine.find().loader.parent)
    return ["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={folder}:{place}", place]


@contextlib.contextmanager
def loader_installed(host: Host, folder: Path) -> Iterator[None]:
    """In the host's own mount namespace only."""
    namespaces = f"/proc/{host.status().pid}/ns"
    enter = ["nsenter", f"--mount={namespaces}/mnt", f"--pid={namespaces}/pid"]
    subprocess.run([*enter, *lay_over(folder)], check=True, timeout=60)
    try:
        yield
    finally:
        subprocess.run([*enter, "umount", "-l", str(wine.find().loader.parent)], check=True, timeout=60)


@pytest.mark.skipif(os.getuid() != 0, reason="laying a folder over Wine's needs root")
def test_old_loader_never_runs(
    host32: Host, silo32: TemporarySilo, plain: Plain, fake_loader: Path, guest: Guest
) -> None:
    """Plain Wine prefers a 32-bit loader, which has none of our hooks; a silo's processes must not."""
    image = guest("processes32")
    shutil.copy(image, plain.prefix / "drive_c")
    wrapper = ("unshare", "--mount", "sh", "-c", " ".join(lay_over(fake_loader)) + ' && exec "$@"', "sh")
    assert "unhooked" in plain.run(r"C:\processes32.exe", "bits", wrapper=wrapper).stdout
    silo32.silo.copy_in(image, "C:\\")
    with loader_installed(host32, fake_loader):
        assert silo32.run(r"C:\processes32.exe", "bits") == "32 bits, emulated\n"
        assert silo32.run("cmd", "/c", r"C:\processes32.exe bits") == "32 bits, emulated\n"
