"""Redirected exports, on DLLs that are compiled for it."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess

import pefile
import pytest

from winesilo.errors import InterposerError
from winesilo.host import redirect

SOURCE = """
__declspec(dllimport) int __stdcall imported(void);
__declspec(dllimport) int __stdcall other(void);
__declspec(dllexport) int calls(void) { return imported() + other(); }
__declspec(dllexport) int one(void) { return 1; }
__declspec(dllexport) int two(void) { return 2; }
int hidden(void) { return 3; }
int DllMain(void *instance, unsigned reason, void *reserved) { return 1; }
"""
DEFINITIONS = """
LIBRARY original.dll
EXPORTS
    one @7
    two
    moved = kernel32.Sleep
    three = hidden @30 NONAME
"""
PEER = """
LIBRARY peer.dll
EXPORTS
    imported@0
    other@0
"""
SIGNATURE = b"Wine builtin DLL\0"
PLAIN = "-Wl,--file-alignment=4096"


@pytest.fixture(scope="module", params=["x86_64", "i686"])
def original(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A DLL with exports by name and by number and a forwarder, with debug information, marked as Wine's."""
    compiler = shutil.which(f"{request.param}-w64-mingw32-gcc")
    if compiler is None:
        pytest.skip(f"no {request.param}-w64-mingw32-gcc")
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "a.c").write_text(SOURCE)
    (folder / "a.def").write_text(DEFINITIONS)
    (folder / "peer.def").write_text(PEER if request.param == "i686" else PEER.replace("@0", ""))
    dlltool = compiler.removesuffix("gcc") + "dlltool"
    kill_at = ["-k"] if request.param == "i686" else []
    command = [dlltool, *kill_at, "-d", "peer.def", "-l", "peer.a"]
    temporary = {**os.environ, "TMPDIR": str(folder)}  # dlltool leaves empty files there
    subprocess.run(command, cwd=folder, check=True, timeout=60, env=temporary)
    # as Wine's are linked: sections in the file as in memory
    entry = "DllMain" if request.param == "x86_64" else "_DllMain"
    command = [compiler, "-g", "-shared", "-nostdlib", PLAIN, f"-Wl,-e,{entry}", "a.c", "a.def", "peer.a"]
    subprocess.run([*command, "-o", "a.dll"], cwd=folder, check=True, timeout=60)
    image = bytearray((folder / "a.dll").read_bytes())
    image[0x40 : 0x40 + len(SIGNATURE)] = SIGNATURE
    return bytes(image)


def read(image: bytes) -> dict[str | int, bytes | int]:
    """Each export by name (or number) as its forwarder or its address."""
    with pefile.PE(data=image) as pe:
        return {
            symbol.name.decode() if symbol.name else symbol.ordinal: symbol.forwarder or symbol.address
            for symbol in pe.DIRECTORY_ENTRY_EXPORT.symbols
        }


def test_forwards_the_named_exports_only(original: bytes) -> None:
    before = read(original)
    after = read(redirect.redirect(original, {"two", "absent"}, "winesilo"))
    assert before["moved"] == b"kernel32.Sleep"
    assert before["two"] == read(original)["two"] != b"winesilo.two"
    assert after == {**before, "two": b"winesilo.two", "wine_two": before["two"]}


def test_adds_exports(original: bytes) -> None:
    before = read(original)
    made = redirect.redirect(original, {"two", "aaa", "ninth", "zzz"}, "winesilo", add=True)
    new = {name: f"winesilo.{name}".encode() for name in ("aaa", "ninth", "two", "zzz")}
    expected: dict[str | int, bytes | int] = {**before}
    expected.update(new, wine_two=before["two"])
    assert read(made) == expected
    with pefile.PE(data=made) as pe:
        table = pe.DIRECTORY_ENTRY_EXPORT.struct
        pointers = struct.unpack("<8I", pe.get_data(table.AddressOfNames, 32))
        names = [pe.get_string_at_rva(pointer) for pointer in pointers]
        ordinals = {symbol.name: symbol.ordinal for symbol in pe.DIRECTORY_ENTRY_EXPORT.symbols}
    assert names == sorted(names)
    assert ordinals[b"one"] == 7
    assert read(redirect.redirect(made, {"zzz"}, "other"))["zzz"] == b"other.zzz"


def test_keeps_ordinals(original: bytes) -> None:
    with pefile.PE(data=redirect.redirect(original, {"one"}, "winesilo")) as pe:
        numbers = {symbol.ordinal: symbol.forwarder for symbol in pe.DIRECTORY_ENTRY_EXPORT.symbols}
    assert numbers[7] == b"winesilo.one"
    assert numbers[30] is None


def test_is_a_native_dll_without_debug_information(original: bytes) -> None:
    made = redirect.redirect(original, {"one"}, "winesilo")
    assert redirect.is_builtin(original)
    assert not redirect.is_builtin(made)
    with pefile.PE(data=original) as pe:
        assert any(section.Name.startswith(b"/") for section in pe.sections)
        code = next(section.get_data() for section in pe.sections if section.Name.startswith(b".text"))
    with pefile.PE(data=made) as pe:
        assert not any(section.Name.startswith(b"/") for section in pe.sections[-2:])
        assert pe.sections[-1].Name == b".silo\0\0\0"
        assert pe.OPTIONAL_HEADER.SizeOfImage % pe.OPTIONAL_HEADER.SectionAlignment == 0
        end = pe.sections[-1].VirtualAddress + pe.sections[-1].Misc_VirtualSize
        assert end <= pe.OPTIONAL_HEADER.SizeOfImage
        assert (pe.FILE_HEADER.PointerToSymbolTable, pe.FILE_HEADER.NumberOfSymbols) == (0, 0)
        assert code == next(part.get_data() for part in pe.sections if part.Name.startswith(b".text"))


def test_a_second_time_forwards_more(original: bytes) -> None:
    once = redirect.redirect(original, {"one"}, "winesilo")
    twice = read(redirect.redirect(once, {"two"}, "winesilo"))
    expected = (b"winesilo.one", b"winesilo.two", b"kernel32.Sleep")
    assert (twice["one"], twice["two"], twice["moved"]) == expected


def imports(image: bytes) -> dict[bytes, list[bytes]]:
    """The names that a file imports, by DLL, as both of its tables have them."""
    with pefile.PE(data=image) as pe:
        for dll in pe.DIRECTORY_ENTRY_IMPORT:
            size = 8 * (len(dll.imports) + 1)
            first, original = dll.struct.FirstThunk, dll.struct.OriginalFirstThunk
            assert (
                pe.get_data(first, size)[: 4 * len(dll.imports)]
                == pe.get_data(original, size)[: 4 * len(dll.imports)]
            )
        return {dll.dll: sorted(each.name for each in dll.imports) for dll in pe.DIRECTORY_ENTRY_IMPORT}


def test_imports_the_originals_of_other_copies(original: bytes) -> None:
    assert imports(original) == {b"peer.dll": [b"imported", b"other"]}
    made = redirect.redirect(
        original, {"one"}, "winesilo", others={"peer.dll": {"imported"}, "b.dll": {"other"}}
    )
    assert imports(made) == {b"peer.dll": [b"other", b"wine_imported"]}
    assert read(made)["one"] == b"winesilo.one"


def test_lists_exports(original: bytes) -> None:
    assert redirect.exports(original) == {"calls", "one", "two", "moved"}


@pytest.mark.parametrize("image", [b"", b"MZ", b"MZ" + bytes(200), bytes(4096)])
def test_garbage(image: bytes) -> None:
    with pytest.raises(InterposerError):
        redirect.exports(image)


def test_no_room_for_a_section(original: bytes) -> None:
    """Headers that end right behind the section table: nothing is written over."""
    with pefile.PE(data=original) as pe:
        place = pe.DOS_HEADER.e_lfanew + 24 + 60
        kept = [section for section in pe.sections if not section.Name.startswith(b"/")]
        end = pe.sections[0].get_file_offset() + 40 * len(kept)
    tight = bytearray(original)
    struct.pack_into("<I", tight, place, end)
    with pytest.raises(InterposerError, match="no room"):
        redirect.redirect(bytes(tight), {"one"}, "winesilo")
