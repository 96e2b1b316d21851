"""Copies of Wine's DLLs, of which some exports lead to a DLL of ours.

Some functions of Wine's DLLs do nothing, or less than Windows'.  Silos get copies of these DLLs in which an
export that :file:`winesilo.dll` has too is a forwarder to it; all else is as it was.  So programs, and Wine's
own DLLs, find ours whatever way they look for the function.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from typing import Final

import pefile

from winesilo.errors import InterposerError

#: Where the linker of Wine writes that a DLL is its own (``dlls/ntdll/unix/loader.c``, ``is_builtin``
#: and tools/winebuild); a file without it is a native DLL.
_SIGNATURE: Final = b"Wine builtin DLL\0"
_SIGNATURE_AT: Final = 0x40
#: Sizes and places in "PE Format", Windows documentation: COFF file header, optional header (PE32, PE32+),
#: section header, export directory table.
_FILE_HEADER: Final = 4
_OPTIONAL_HEADER: Final = 24
_SECTION_HEADER: Final = 40
_DIRECTORIES_AT: Final = {0x10B: 96, 0x20B: 112}
_EXPORT_TABLE: Final = 40
_EXPORT: Final = 0
_DEBUG: Final = 6
_READ_ONLY_DATA: Final = 0x4000_0040
_NAME: Final = b".silo\0\0\0"


def is_builtin(image: bytes) -> bool:
    """Whether the PE file is one of Wine's own DLLs."""
    return image[_SIGNATURE_AT : _SIGNATURE_AT + len(_SIGNATURE)] == _SIGNATURE


def exports(image: bytes) -> frozenset[str]:
    """The names that a PE file exports.

    Raises:
        InterposerError: it is no PE file.
    """
    return frozenset(_Dll(image).named)


def redirect(image: bytes, names: Collection[str], target: str) -> bytes:
    """A copy of one of Wine's DLLs, as a native DLL, with some of its exports forwarded.

    Sections at its end that only debuggers read are left out: they are most of such a file.

    Args:
        image: the PE file.
        names: exports to forward; those that the file does not have are not added.
        target: the DLL they lead to, without its extension.

    Raises:
        InterposerError: it is no PE file with exports.
    """
    return _Dll(image).with_forwarders({name: f"{target}.{name}".encode() for name in names})


class _Dll:
    """A PE file whose exports are read."""

    def __init__(self, image: bytes) -> None:
        self.image = image
        try:
            self.pe = pefile.PE(data=image, fast_load=True)
            self.pe.parse_data_directories([_EXPORT])
            self.directory = self.pe.OPTIONAL_HEADER.DATA_DIRECTORY[_EXPORT]
        except (pefile.PEFormatError, IndexError) as error:
            raise InterposerError(f"a DLL can't be read: {error}", "reinstall Wine and winesilo") from error
        exported = getattr(self.pe, "DIRECTORY_ENTRY_EXPORT", None)
        symbols = exported.symbols if exported is not None else []
        self.named = {
            symbol.name.decode("ascii", "replace"): symbol.ordinal for symbol in symbols if symbol.name
        }

    def with_forwarders(self, forwarders: dict[str, bytes]) -> bytes:
        if not self.named:
            raise InterposerError("a DLL of Wine's exports nothing", "reinstall Wine")
        kept = self._kept_sections()
        last = kept[-1]
        alignment = self.pe.OPTIONAL_HEADER.SectionAlignment
        address = _aligned(last.VirtualAddress + max(last.Misc_VirtualSize, last.SizeOfRawData), alignment)
        section = self._export_section(address, forwarders)
        end = max(part.PointerToRawData + part.SizeOfRawData for part in kept)
        file_alignment = self.pe.OPTIONAL_HEADER.FileAlignment
        body = bytearray(self.image[:end].ljust(_aligned(end, file_alignment), b"\0"))
        place = len(body)
        body += section.ljust(_aligned(len(section), file_alignment), b"\0")
        header = struct.pack(
            "<8sIIIIIIHHI",
            _NAME, len(section), address, len(body) - place, place, 0, 0, 0, 0, _READ_ONLY_DATA,
        )  # fmt: skip
        self._write_headers(body, len(kept), header, address, len(section), alignment)
        return bytes(body)

    def _kept_sections(self) -> list[pefile.SectionStructure]:
        """Without those of debug information at the end, whose names are in the string table ("/14")."""
        kept = list(self.pe.sections)
        while len(kept) > 1 and kept[-1].Name.startswith(b"/"):
            kept.pop()
        return kept

    def _export_section(self, address: int, forwarders: dict[str, bytes]) -> bytes:
        """An export directory table, its address table and the forwarders, those that were there too.

        A forwarder is one because it lies in the directory: so all of them must move.
        The tables of names and ordinals stay where they are.
        """
        old = self.pe.DIRECTORY_ENTRY_EXPORT.struct
        functions = list(
            struct.unpack(
                f"<{old.NumberOfFunctions}I", self._read(old.AddressOfFunctions, 4 * old.NumberOfFunctions)
            )
        )
        begin, size = self.directory.VirtualAddress, self.directory.Size
        own = {self.named[name] - old.Base: text for name, text in forwarders.items() if name in self.named}
        texts = bytearray()
        texts_at = address + _EXPORT_TABLE + 4 * len(functions)
        for index, function in enumerate(functions):
            text = own.get(index)
            if text is None and begin <= function < begin + size:
                text = self.pe.get_string_at_rva(function)
            if text is not None:
                functions[index] = texts_at + len(texts)
                texts += text + b"\0"
        table = struct.pack(
            "<IIHHIIIIIII",
            old.Characteristics, old.TimeDateStamp, old.MajorVersion, old.MinorVersion, old.Name, old.Base,
            len(functions), old.NumberOfNames,
            address + _EXPORT_TABLE, old.AddressOfNames, old.AddressOfNameOrdinals,
        )  # fmt: skip
        return table + struct.pack(f"<{len(functions)}I", *functions) + bytes(texts)

    def _read(self, rva: int, size: int) -> bytes:
        data = bytes(self.pe.get_data(rva, size))
        if len(data) != size:
            raise InterposerError("a DLL of Wine's ends within its exports", "reinstall Wine")
        return data

    def _write_headers(
        self, body: bytearray, kept: int, section: bytes, address: int, size: int, alignment: int
    ) -> None:
        base = self.pe.DOS_HEADER.e_lfanew
        optional = base + _OPTIONAL_HEADER
        sections = optional + self.pe.FILE_HEADER.SizeOfOptionalHeader
        room = self.pe.OPTIONAL_HEADER.SizeOfHeaders
        place = sections + kept * _SECTION_HEADER
        if place + _SECTION_HEADER > room:
            raise InterposerError(
                "a DLL of Wine's has no room for another section", "report this, with Wine's version"
            )
        body[_SIGNATURE_AT : _SIGNATURE_AT + len(_SIGNATURE)] = bytes(len(_SIGNATURE))
        struct.pack_into("<H", body, base + _FILE_HEADER + 2, kept + 1)
        struct.pack_into("<II", body, base + _FILE_HEADER + 8, 0, 0)  # the symbol table was at the end
        struct.pack_into("<I", body, optional + 56, _aligned(address + size, alignment))  # SizeOfImage
        struct.pack_into("<I", body, optional + 64, 0)  # CheckSum
        directories = optional + _DIRECTORIES_AT[self.pe.OPTIONAL_HEADER.Magic]
        struct.pack_into("<II", body, directories + 8 * _EXPORT, address, size)
        if self.pe.OPTIONAL_HEADER.DATA_DIRECTORY[_DEBUG].VirtualAddress >= address:
            struct.pack_into("<II", body, directories + 8 * _DEBUG, 0, 0)
        body[place:room] = section.ljust(room - place, b"\0")


def _aligned(value: int, alignment: int) -> int:
    return -(-value // alignment) * alignment
