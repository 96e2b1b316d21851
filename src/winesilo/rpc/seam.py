"""The one place where errors of impacket and of the agent's pipes become ours."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from impacket.dcerpc.v5.rpcrt import DCERPCException

from winesilo.errors import (
    AgentError,
    AgentGone,
    RpcError,
    ServiceError,
    ServiceExists,
    ServiceNotFound,
    WinesiloError,
)
from winesilo.rpc import codes

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLASSES: Final[dict[int, type[ServiceError]]] = {
    codes.ERROR_SERVICE_DOES_NOT_EXIST: ServiceNotFound,
    codes.ERROR_SERVICE_EXISTS: ServiceExists,
    codes.ERROR_DUPLICATE_SERVICE_NAME: ServiceExists,
}

_HINTS: Final[dict[int, str]] = {
    codes.ERROR_SERVICE_MARKED_FOR_DELETE: (
        "it goes away when the last program closes its handle to it; restart the silo to force that"
    ),
    codes.ERROR_SERVICE_DATABASE_LOCKED: "another service is starting; try again",
    codes.ERROR_FILE_NOT_FOUND: "check the service's program: silo service NAME show SERVICE",
}


def service_error(code: int, what: str, hint: str | None = None) -> ServiceError:
    """The exception for a Win32 code of the service control manager.

    Args:
        code: the Win32 code.
        what: what failed, for example ``cannot start service 'x'``.
        hint: what fixes it; without one, a standing hint for the code is used.
    """
    known = codes.describe(code)
    cls = _CLASSES.get(code, ServiceError)
    return cls(f"{what}: {known}", hint or _HINTS.get(code), code=code, code_name=known.name)


@contextlib.contextmanager
def rpc_errors(what: str) -> Iterator[None]:
    """Raise foreign errors as ours.

    Args:
        what: what fails if it fails, for example ``cannot open service 'x'``.

    Raises:
        ServiceError: (or a subclass) the server answered with a Win32 code.
        RpcError: a fault, a broken pipe, a time-out, or bytes that make no sense.
        AgentGone: the agent ended.
    """
    try:
        yield
    except AgentGone:
        raise
    except AgentError as error:
        raise _agent_error(error, what) from error
    except WinesiloError:
        raise
    except DCERPCException as error:
        code = error.get_error_code()
        if code:
            raise service_error(code, what) from error
        raise RpcError(f"{what}: {error}") from error
    except Exception as error:
        # impacket's marshalling raises anything, plain Exception too, for bytes it can't read
        raise RpcError(f"{what}: the answer makes no sense ({error})") from error


def _agent_error(error: AgentError, what: str) -> RpcError:
    if error.status:
        return RpcError(f"{what}: {codes.describe(error.status)}", code=error.status)
    return RpcError(f"{what}: {error.message}")
