"""Services of a silo: state, configuration, start and stop."""

from winesilo.services.control import DEFAULT_START_S, DEFAULT_STOP_S, ServiceControl
from winesilo.services.model import DEAD, Service, Stopped

__all__ = ["DEAD", "DEFAULT_START_S", "DEFAULT_STOP_S", "Service", "ServiceControl", "Stopped"]
