"""Reading a request's parameters, with clear errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from winesilo.errors import UsageError

_T = TypeVar("_T")


class Params:
    """The parameters of one request.

    Args:
        raw: as received.
    """

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = raw

    def _get(self, name: str, kind: type[_T]) -> _T | None:
        value = self._raw.get(name)
        if value is None:
            return None
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            raise UsageError(f"{name}: {value!r} is not {kind.__name__}")
        return value

    def text(self, name: str) -> str:
        """A required string.

        Raises:
            UsageError: missing or of another type.
        """
        value = self._get(name, str)
        if value is None:
            raise UsageError(f"{name} is missing")
        return value

    def optional_text(self, name: str) -> str | None:
        """A string or None."""
        return self._get(name, str)

    def flag(self, name: str) -> bool:
        """A boolean, False if missing."""
        return bool(self._get(name, bool))

    def integer(self, name: str, default: int) -> int:
        """A number."""
        value = self._get(name, int)
        return default if value is None else value

    def seconds(self, name: str, default: float) -> float:
        """A time-out.

        Raises:
            UsageError: not a number above 0.
        """
        value = self._raw.get(name)
        if value is None:
            return default
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 1e6:
            raise UsageError(f"{name}: {value!r} is not a number of seconds")
        return float(value)

    def texts(self, name: str) -> list[str]:
        """A list of strings, empty if missing."""
        value = self._get(name, list)
        if value is None:
            return []
        if not all(isinstance(item, str) for item in value):
            raise UsageError(f"{name}: not a list of strings")
        return list(value)

    def variables(self, name: str) -> dict[str, str]:
        """A mapping of strings, empty if missing."""
        value = self._get(name, dict)
        if value is None:
            return {}
        if not all(isinstance(key, str) and isinstance(item, str) for key, item in value.items()):
            raise UsageError(f"{name}: not a mapping of strings")
        return dict(value)

    def rest(self, *used: str) -> dict[str, Any]:
        """All parameters but those named."""
        return {name: value for name, value in self._raw.items() if name not in used and value is not None}
