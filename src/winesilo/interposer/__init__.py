"""Where the C library is and the files it reads."""

from winesilo.interposer.config import Config, agent_path, library_path

__all__ = ["Config", "agent_path", "library_path"]
