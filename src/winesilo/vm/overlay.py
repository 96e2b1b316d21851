"""The overlay of one silo: its layers above the base, its private files on top."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from winesilo.host.overlayfs import Method, Overlay
from winesilo.vm.store import Record, Store


def overlay_of(store: Store, record: Record, method: Method, target: Path | None = None) -> Overlay:
    """What to mount for a silo, at ``target`` or in its own folder.

    Raises:
        SiloCorrupt: one of its layers is missing.
    """
    place = store.silo(record.name)
    return Overlay(store.lower_layers(record), place.upper, place.work, target or place.root, method)


@contextlib.contextmanager
def mounted(overlay: Overlay) -> Iterator[None]:
    """Mount for the time of a ``with`` block."""
    overlay.execute()
    try:
        yield
    finally:
        overlay.unmount()
