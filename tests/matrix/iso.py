"""Reads ISO 9660 images: what is in their Joliet tree (ECMA-119, and the Joliet specification on it)."""

from __future__ import annotations

import struct
from pathlib import Path

from winesilo.errors import DemoError

__all__ = ["content"]

SECTOR = 2048


def files(image: bytes, extent: int, size: int, folder: str = "") -> dict[str, bytes]:
    """The files of an ISO image's Joliet tree, by their paths."""
    found: dict[str, bytes] = {}
    data = image[extent * SECTOR : extent * SECTOR + size]
    at = index = 0
    while at < size:
        length = data[at]
        if not length:
            at += SECTOR - at % SECTOR
            continue
        start, bytes_ = struct.unpack_from("<I4xI", data, at + 2)
        name = data[at + 33 : at + 33 + data[at + 32]].decode("utf-16-be") if index >= 2 else ""  # . and ..
        if index >= 2 and data[at + 25] & 2:
            found |= files(image, start, bytes_, f"{folder}{name}/")
        elif index >= 2:
            found[folder + name] = image[start * SECTOR : start * SECTOR + bytes_]
        at += length
        index += 1
    return found


def content(path: Path) -> tuple[str, dict[str, bytes]]:
    """Volume and files of an image, by its Joliet descriptor.

    Raises:
        DemoError: it has none, or its length is not what it says.
    """
    image = path.read_bytes()
    volume = image[17 * SECTOR : 18 * SECTOR]
    if volume[:7] != b"\x02CD001\x01":
        raise DemoError(f"{path.name} has no Joliet descriptor, but {volume[:7]!r}")
    if len(image) != struct.unpack_from("<I", volume, 80)[0] * SECTOR:
        raise DemoError(f"{path.name} has {len(image)} bytes, and says something else")
    extent, size = struct.unpack_from("<I4xI", volume, 156 + 2)
    return volume[40:72].decode("utf-16-be").strip(), files(image, extent, size)
