"""The registry that a silo starts with: the template, a catalogue of drivers, a Windows version."""

from __future__ import annotations

from winesilo.host import catalogue, registry_file, template
from winesilo.host.files import os_errors
from winesilo.host.paths import HostPaths
from winesilo.host.runtime import HostRuntime
from winesilo.vm import winver
from winesilo.vm.registry import seal


def known_drivers(paths: HostPaths, own: str | None) -> catalogue.Catalogue:
    """What is known of drivers and devices.

    Args:
        paths: the host's.
        own: the text of a catalogue of the silo's own, whose entries come first.

    Raises:
        UsageError: one of the catalogues is wrong.
    """
    known = catalogue.load([paths.catalogue])
    if own is None:
        return known
    return catalogue.Catalogue([*catalogue.parse(own.encode(), "the silo's catalogue"), *known.entries])


def first(runtime: HostRuntime, number: int, version: str | None, known: catalogue.Catalogue) -> bytes:
    """The hive of a new silo, sealed.

    Args:
        runtime: the host.
        number: the silo's.
        version: one of ``winver.VERSIONS``; None as the base.
        known: which drivers it may start.
    """
    paths = runtime.paths
    with os_errors("read the registry template"):
        if template.catalogue_of(paths.template_catalogue) == known.digest():
            content = paths.hive_template.read_bytes()
        else:
            hive = template.build(template.read_base(paths.base), runtime.info.links, masks=known.masks)
            content = registry_file.render(hive).encode()
    if version is not None:
        content = with_version(runtime, content, version)
    return seal(template.fill_in(content, number))


def template_of(paths: HostPaths, version: str | None) -> registry_file.Registry:
    """The template that a silo's hive was made from.

    Args:
        paths: the host's.
        version: the silo's own Windows version, if it has one.
    """
    with os_errors("read the registry template"):
        return registry_file.read(paths.hive_template if version is None else paths.version_template)


def with_version(runtime: HostRuntime, content: bytes, version: str) -> bytes:
    """A hive's text with another Windows version in it.

    Raises:
        UsageError: as :func:`winesilo.vm.winver.apply` says.
    """
    hive = registry_file.parse(content.decode())
    with os_errors("read the registry template"):
        keys = registry_file.read(runtime.paths.version_template)
    winver.apply(hive, keys, version, runtime.wine.version)
    return registry_file.render(hive).encode()
