r"""Values of a service's registry key that the SCM does not tell.

``HKLM\System\CurrentControlSet\Services\NAME`` of a silo is a union: if the key exists in the silo's hive
it is complete there, else the base's key counts.  ``CurrentControlSet`` is a plain key in prefixes
made by Wine 8.0 and a link to ``ControlSet001`` in those made by 10.0; the hive has the canonical path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from winesilo.rpc.guest import REG_DWORD, RegistryValue, key_get, key_set

if TYPE_CHECKING:
    from collections.abc import Iterator

    from winesilo.host.agent import Agent

_BASE: Final = r"\Registry\Machine"
_CONTROL_SETS: Final = (r"\System\CurrentControlSet", r"\System\ControlSet001")
#: Every service's key has it, so it tells whether a key exists.
_ALWAYS_THERE: Final = "Type"

DEPENDENCIES: Final = "DependOnService"
DELAYED_START: Final = "DelayedAutoStart"
#: How long the SCM waits for a first report, REG_SZ in milliseconds (a REG_DWORD is ignored).
PIPE_TIMEOUT: Final = "ServicesPipeTimeout"
DEFAULT_PIPE_TIMEOUT_S: Final = 10.0


class ServiceKeys:
    """Reads and writes values of service keys.

    Args:
        agent: the host's agent.
        silo_id: number of the silo; None for the host itself.
    """

    def __init__(self, agent: Agent, silo_id: int | None) -> None:
        self._agent = agent
        self._private = None if silo_id is None else rf"\Registry\User\winesilo-{silo_id}\Machine"

    def dependencies(self, service: str) -> tuple[str, ...]:
        """The services it depends on."""
        return self.dependencies_and_delay(service)[0]

    def dependencies_and_delay(self, service: str) -> tuple[tuple[str, ...], bool]:
        """The services it depends on, and whether as an auto-start service it starts later."""
        for key in _keys(self._roots(), service):
            if key_get(self._agent, key, _ALWAYS_THERE) is not None:
                needed = key_get(self._agent, key, DEPENDENCIES)
                delayed = key_get(self._agent, key, DELAYED_START)
                return needed.as_strings() if needed else (), bool(delayed and delayed.as_int() == 1)
        return (), False

    def set_delayed_start(self, service: str, delayed: bool) -> bool:
        """Write the setting where the silo's key is; False if the silo has no key of its own."""
        data = RegistryValue(REG_DWORD, int(delayed).to_bytes(4, "little"))
        roots = [self._private or _BASE]
        return any(key_set(self._agent, key, DELAYED_START, data) for key in _keys(roots, service))

    def pipe_timeout_s(self) -> float:
        """How long the SCM waits for a service's first report."""
        for root in self._roots():
            for control_set in _CONTROL_SETS:
                value = key_get(self._agent, rf"{root}{control_set}\Control", PIPE_TIMEOUT)
                if value is not None:
                    return _milliseconds(value) or DEFAULT_PIPE_TIMEOUT_S
        return DEFAULT_PIPE_TIMEOUT_S

    def _roots(self) -> list[str]:
        return [self._private, _BASE] if self._private else [_BASE]


def _keys(roots: list[str], service: str) -> Iterator[str]:
    for root in roots:
        for control_set in _CONTROL_SETS:
            yield rf"{root}{control_set}\Services\{service}"


def _milliseconds(value: RegistryValue) -> float:
    text = (*value.as_strings(), "")[0]
    return int(text) / 1000 if text.isdecimal() else 0.0
