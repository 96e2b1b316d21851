"""Copies of Wine's DLLs, of which some exports lead to a DLL of ours.

Some functions of Wine's DLLs do nothing, or less than Windows'.  Silos get copies of these DLLs in which an
export that :file:`winesilo.dll` has too is a forwarder to it, and one that Wine's has not got can be added;
all else is as it was.  So programs, and Wine's own DLLs, find ours whatever way they look for the function.

These DLLs themselves import such functions from each other, mostly for exports of theirs that are
forwarders now.  They go on to use the originals, which the copies have under other names as well: else
whatever program uses one of the DLLs would load ours.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping
from types import MappingProxyType
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
_PE32_PLUS: Final = 0x20B
_DIRECTORIES_AT: Final = {0x10B: 96, _PE32_PLUS: 112}
_EXPORT_TABLE: Final = 40
_EXPORT: Final = 0
_IMPORT: Final = 1
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


def original_name(name: str) -> str:
    """What the original of a forwarded export is called in a copy."""
    return f"wine_{name}"


def redirect(
    image: bytes,
    names: Collection[str],
    target: str,
    *,
    add: bool = False,
    others: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> bytes:
    """A copy of one of Wine's DLLs, as a native DLL, with some of its exports forwarded.

    Sections at its end that only debuggers read are left out: they are most of such a file.

    Args:
        image: the PE file.
        names: exports to forward.
        target: the DLL they lead to, without its extension.
        add: whether those that the file does not have are added; else they are left out.
        others: by the names of other DLLs (lower-case, with extension) of which there are copies, the exports
            that are forwarded in them.

    Raises:
        InterposerError: it is no PE file with exports.
    """
    dll = _Dll(image)
    wanted = names if add else set(names) & dll.named.keys()
    return dll.with_forwarders({name: f"{target}.{name}".encode() for name in sorted(wanted)}, others)


class _Dll:
    """A PE file whose exports are read."""

    def __init__(self, image: bytes) -> None:
        self.image = image
        try:
            self.pe = pefile.PE(data=image, fast_load=True)
            self.pe.parse_data_directories([_EXPORT, _IMPORT])
            self.directory = self.pe.OPTIONAL_HEADER.DATA_DIRECTORY[_EXPORT]
        except (pefile.PEFormatError, IndexError) as error:
            raise InterposerError(f"a DLL can't be read: {error}", "reinstall Wine and winesilo") from error
        exported = getattr(self.pe, "DIRECTORY_ENTRY_EXPORT", None)
        symbols = exported.symbols if exported is not None else []
        self.named = {
            symbol.name.decode("ascii", "replace"): symbol.ordinal for symbol in symbols if symbol.name
        }

    def with_forwarders(self, forwarders: dict[str, bytes], others: Mapping[str, Collection[str]]) -> bytes:
        if not self.named:
            raise InterposerError("a DLL of Wine's exports nothing", "reinstall Wine")
        kept = self._kept_sections()
        last = kept[-1]
        alignment = self.pe.OPTIONAL_HEADER.SectionAlignment
        address = _aligned(last.VirtualAddress + max(last.Misc_VirtualSize, last.SizeOfRawData), alignment)
        section = self._export_section(address, forwarders)
        thunks, section = self._import_originals(others, address, section)
        end = max(part.PointerToRawData + part.SizeOfRawData for part in kept)
        file_alignment = self.pe.OPTIONAL_HEADER.FileAlignment
        body = bytearray(self.image[:end].ljust(_aligned(end, file_alignment), b"\0"))
        for offset, thunk in thunks.items():
            body[offset : offset + len(thunk)] = thunk
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
        """An export directory table, its three tables and the texts they point to.

        A forwarder is one because it lies in the directory: so those that were there move, too.  Exports keep
        their ordinals; new ones come behind.  Names stay where they are; their table is sorted by them.
        """
        old = self.pe.DIRECTORY_ENTRY_EXPORT.struct
        functions = list(self._numbers("I", old.AddressOfFunctions, old.NumberOfFunctions))
        pointers = self._numbers("I", old.AddressOfNames, old.NumberOfNames)
        indices = self._numbers("H", old.AddressOfNameOrdinals, old.NumberOfNames)
        own = {self.named[name] - old.Base: text for name, text in forwarders.items() if name in self.named}
        originals = {
            original_name(name): self.named[name] - old.Base for name in forwarders if name in self.named
        }
        added = [name for name in forwarders if name not in self.named]
        count = len(pointers) + len(added) + len(originals)
        total = len(functions) + len(added) + len(originals)
        texts_at = address + _EXPORT_TABLE + 4 * total + 6 * count
        texts = bytearray()

        def put(text: bytes) -> int:
            place = texts_at + len(texts)
            texts.extend(text + b"\0")
            return place

        begin, size = self.directory.VirtualAddress, self.directory.Size
        functions += [functions[index] for index in originals.values()]
        for index, function in enumerate(functions):
            text = own.get(index)
            if text is None and begin <= function < begin + size:
                text = self.pe.get_string_at_rva(function)
            if text is not None:
                functions[index] = put(text)
        rows = [
            (self.pe.get_string_at_rva(pointer), pointer, index)
            for pointer, index in zip(pointers, indices, strict=True)
        ]
        for index, name in enumerate(originals, len(functions) - len(originals)):
            rows.append((name.encode(), put(name.encode()), index))
        for name in added:
            rows.append((name.encode(), put(name.encode()), len(functions)))
            functions.append(put(forwarders[name]))
        rows.sort()
        names_at = address + _EXPORT_TABLE + 4 * total
        table = struct.pack(
            "<IIHHIIIIIII",
            old.Characteristics, old.TimeDateStamp, old.MajorVersion, old.MinorVersion, old.Name, old.Base,
            total, count, address + _EXPORT_TABLE, names_at, names_at + 4 * count,
        )  # fmt: skip
        return (
            table
            + struct.pack(f"<{total}I", *functions)
            + struct.pack(f"<{count}I", *(pointer for _, pointer, _ in rows))
            + struct.pack(f"<{count}H", *(index for _, _, index in rows))
            + bytes(texts)
        )

    def _import_originals(
        self, others: Mapping[str, Collection[str]], address: int, section: bytes
    ) -> tuple[dict[int, bytes], bytes]:
        """What is to be written where in the file, and the section with the names that it refers to.

        An import by name is the address of a hint (here none) and the name: "PE Format", import lookup table.
        """
        layout = "<Q" if self.pe.OPTIONAL_HEADER.Magic == _PE32_PLUS else "<I"
        size = struct.calcsize(layout)
        thunks: dict[int, bytes] = {}
        for dll in getattr(self.pe, "DIRECTORY_ENTRY_IMPORT", []):
            forwarded = others.get(dll.dll.decode("ascii", "replace").lower(), ())
            for index, imported in enumerate(dll.imports):
                name = (imported.name or b"").decode("ascii", "replace")
                if name not in forwarded:
                    continue
                section = section.ljust(_aligned(len(section), 2), b"\0")
                thunk = struct.pack(layout, address + len(section))
                section += struct.pack("<H", 0) + original_name(name).encode() + b"\0"
                for table in (dll.struct.OriginalFirstThunk, dll.struct.FirstThunk):
                    if table:
                        thunks[self.pe.get_offset_from_rva(table + index * size)] = thunk
        return thunks, section

    def _numbers(self, kind: str, rva: int, count: int) -> tuple[int, ...]:
        layout = f"<{count}{kind}"
        return struct.unpack(layout, self._read(rva, struct.calcsize(layout)))

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
