r"""``silo audit``: every rendezvous of a running silo, and whether one is shared without being declared so.

Four sources: the record that the interposer keeps (:mod:`winesilo.interposer.record`), a look from
outside (:mod:`winesilo.vm.outside`), the silo's own registry keys, and the files of its private layer.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from winesilo.host.registry_file import Registry
from winesilo.interposer.config import PrivateKey
from winesilo.interposer.record import Rule
from winesilo.vm import outside, rendezvous
from winesilo.vm.instance import Instance, catalogue_rules
from winesilo.vm.network import Networks
from winesilo.vm.rendezvous import Rendezvous, Rules
from winesilo.vm.views import iso

_KEY_RULE: Final = Rule("built in", "private", "", "keys are written in the silo's own hive")
_FILE_RULE: Final = Rule("built in", "private", "", "files are written in the silo's own layer")
_SERVICE_RULE: Final = Rule("built in", "private", "", "each silo has a service database of its own")
#: The control sets' services, as the index of keys spells them.
_SERVICES: Final = tuple(
    rf"machine\system\{control}\services" for control in ("currentcontrolset", "controlset001")
)


def audit(instance: Instance, networks: Networks, hive: Registry) -> dict[str, Any]:
    """The document that ``silo audit --json`` prints.

    Args:
        instance: a running silo.
        networks: what its sockets may do.
        hive: the registry that a new silo starts with.

    Returns:
        silo, started, complete (nothing was lost), lost, unfinished, counts by class, and the
        rendezvous, the undeclared ones first.
    """
    recorded = instance.recorded()
    rules = Rules(recorded.rules, catalogue_rules(instance.catalogue))
    found = rendezvous.of_record(recorded)
    found += _from_outside(instance, networks, rules)
    found += written_keys(instance.private_keys(), hive)
    found += written_files(instance.place.upper)
    listed = rendezvous.listed(found)
    return {
        "silo": instance.record.name,
        "started": iso(instance.started),
        "complete": not recorded.lost and not recorded.unfinished,
        "lost": recorded.lost,
        "unfinished": recorded.unfinished,
        "counts": dict(rendezvous.counts(listed)),
        "rendezvous": [one.as_dict() for one in listed],
    }


def _from_outside(instance: Instance, networks: Networks, rules: Rules) -> list[Rendezvous]:
    pids = frozenset(int(process["pid"]) for process in instance.processes())
    place = instance.seen_from_outside(
        frozenset((port["protocol"], port["host_port"]) for port in networks.ports(instance.record))
    )
    handles = instance.agent.handles(sorted(pids))
    found = outside.of_handles(handles, pids, place, rules)
    return found + outside.of_descriptors(instance.unix_pids(), place)


def written_keys(keys: list[PrivateKey], hive: Registry) -> list[Rendezvous]:
    """The keys that the silo's programs have written, and the services among them.

    Args:
        keys: those of the silo's own registry.
        hive: the registry that a new silo starts with.
    """
    found = []
    for key in keys:
        if key.path in hive or (key.kind == "changed" and key.parent and not key.written):
            continue  # the latter may have been copied up only for the sake of a key below it
        how = "changed" if key.kind == "replaced" else key.kind
        found.append(Rendezvous("key", rf"\Registry\{key.path}", "private", (how,), ("registry",), _KEY_RULE))
        folder, _, name = key.path.rpartition("\\")
        if folder.lower() in _SERVICES and key.kind != "changed":
            found.append(Rendezvous("service", name, "private", (how,), ("registry",), _SERVICE_RULE))
    return found


def written_files(upper: Path) -> list[Rendezvous]:
    r"""The files of a private layer: what was written, made or deleted, as paths of C:."""
    return [
        Rendezvous("file", "C:\\" + str(path).replace("/", "\\"), "private", (how,), ("files",), _FILE_RULE)
        for path, how in _files(upper)
    ]


def _files(upper: Path) -> Iterator[tuple[Path, str]]:
    for folder, directories, files in os.walk(upper):
        for name in [*files, *directories]:
            path = Path(folder, name)
            status = path.lstat()
            if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:  # overlayfs' mark of what was deleted
                yield path.relative_to(upper), "deleted"
            elif not stat.S_ISDIR(status.st_mode):
                yield path.relative_to(upper), "written"
            elif not any(path.iterdir()):
                yield path.relative_to(upper), "created"
