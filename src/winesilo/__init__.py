"""winesilo: OS-level virtual machines for Windows services, on Wine."""

__version__ = "0.1.0"
