"""W3SVC of services/iis for the measurements: alone, with http.sys, set up alike on both sides."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from web import get

from winesilo import Silo
from winesilo.demo.workload import PREFIX_ADDRESS, Outside, Say, install_with
from winesilo.interposer.config import services_path

#: What W3SVC takes without a setting; the host's http.sys listens at all addresses, so it has another one.
PORT: Final = 47080
HOST_PORT: Final = 47081
_FOLDER: Final = r"inetpub\wwwroot"
_DLL: Final = r"windows\system32\inetsrv\iisw3adm.dll"
_KEY: Final = r"HKLM\System\CurrentControlSet\Services\W3SVC\Parameters"
_GROUPS: Final = r"HKLM\Software\Microsoft\Windows NT\CurrentVersion\Svchost"


def _set_up(run: Callable[[Sequence[str]], object], port: int) -> None:
    command = r"C:\windows\system32\svchost.exe -k iissvcs"
    run(["sc", "create", "W3SVC", "type=", "share", "binPath=", command])
    for key, name, kind, data in (
        (_GROUPS, "iissvcs", "REG_MULTI_SZ", "W3SVC"),
        (_KEY, "ServiceDll", "REG_EXPAND_SZ", f"C:\\{_DLL}"),
        (_KEY, "Root", "REG_SZ", f"C:\\{_FOLDER}"),
        (_KEY, "UrlPort", "REG_DWORD", str(port)),
    ):
        run(["reg", "add", key, "/v", name, "/t", kind, "/d", data, "/f"])


def _put_files(drive_c: Path) -> None:
    """The DLL and a page, below a folder that is or becomes C:."""
    for target in (drive_c / _DLL.replace("\\", "/"), drive_c / _FOLDER.replace("\\", "/") / "index.html"):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".dll":
            shutil.copy(services_path() / "iis" / target.name, target)
        else:
            target.write_text("<h1>It works!</h1>\n")


class W3Svc:
    """See the module; a :class:`winesilo.demo.workload.Measurable`."""

    service = "W3SVC"
    prefix_port = HOST_PORT

    def fetch(self, say: Say) -> None:
        """It is built already."""

    def prepare(self, template: Silo, say: Say) -> None:
        """Files and service."""
        say("installing W3SVC in the template")
        with tempfile.TemporaryDirectory(prefix="winesilo-w3svc-") as place:
            _put_files(Path(place))
            for path in Path(place).rglob("*"):
                if path.is_file():
                    folder = str(path.parent.relative_to(place)).replace("/", "\\")
                    install_with(template, ["cmd", "/c", f"if not exist C:\\{folder} mkdir C:\\{folder}"])
                    template.copy_in(path, f"C:\\{folder}")
        _set_up(lambda words: install_with(template, words), PORT)

    def install_in_prefix(self, template: Silo, prefix: Outside) -> None:
        """The same on the host."""
        del template
        _put_files(prefix.drive_c)
        _set_up(prefix.run, HOST_PORT)

    def wait_ready(self, silo: Silo) -> None:
        """Wait for its page."""
        get(f"http://{silo.address}:{PORT}/index.html")

    def wait_ready_in_prefix(self) -> None:
        """Wait for the host's page."""
        get(f"http://{PREFIX_ADDRESS}:{HOST_PORT}/index.html")
