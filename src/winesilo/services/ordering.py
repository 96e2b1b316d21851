"""In which order services start and stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: Everything may use RPC without saying so; it goes last.
RPC_SERVICE: Final = "rpcss"


def stop_levels(dependencies: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Groups of services to stop one after the other, dependents first.

    Args:
        dependencies: for each service that is to stop, what it depends on; names that are not
            keys are ignored, case does not matter.

    Returns:
        Lists of names as given.  Services in a cycle end up in one list.
    """
    names = {name.lower(): name for name in dependencies}
    needs = {
        key: {d.lower() for d in dependencies[name] if d.lower() in names} - {key}
        for key, name in names.items()
    }
    for key, needed in needs.items():
        if key != RPC_SERVICE and RPC_SERVICE in names:
            needed.add(RPC_SERVICE)
    needs.get(RPC_SERVICE, set()).clear()

    levels: list[list[str]] = []
    while needs:
        needed_by_others = set().union(*needs.values())
        level = [key for key in needs if key not in needed_by_others] or list(needs)
        levels.append([names[key] for key in level])
        for key in level:
            del needs[key]
    return levels


def dependents(of: str, dependencies: Mapping[str, Sequence[str]]) -> list[str]:
    """The services in ``dependencies`` that depend on ``of``, directly or not, the outermost first."""
    wanted = of.lower()
    found: list[str] = []
    queue = [wanted]
    while queue:
        target = queue.pop(0)
        for name, needed in dependencies.items():
            new = name not in found and name.lower() != wanted
            if new and target in {d.lower() for d in needed}:
                found.append(name)
                queue.append(name.lower())
    return found[::-1]
