"""Reading packages of services: what is right becomes lines and services, what is wrong is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from winesilo.errors import InvalidName, InvalidPath, PackageError, WinesiloError
from winesilo.vm import package_file

ROOT = Path(__file__).resolve().parents[2]


def load(folder: Path, text: str) -> package_file.Package:
    (folder / "service.toml").write_text(text, encoding="utf-8")
    return package_file.load(folder)


def value(kind: str, data: str) -> str:
    return f'name = "p"\n[[value]]\nkey = \'HKLM\\Software\\X\'\nname = "v"\ntype = "{kind}"\ndata = {data}\n'


@pytest.mark.parametrize(
    ("kind", "data", "number", "encoded"),
    [
        ("sz", '"ä"', 1, "e4000000"),
        ("expand-sz", '"%a"', 2, "250061000000"),
        ("binary", '"00ff"', 3, "00ff"),
        ("dword", "258", 4, "02010000"),
        ("multi-sz", '["a", "b"]', 7, "610000006200000000" + "00"),
        ("multi-sz", "[]", 7, "0000"),
        ("qword", "1", 11, "0100000000000000"),
    ],
)
def test_values(tmp_path: Path, kind: str, data: str, number: int, encoded: str) -> None:
    package = load(tmp_path, value(kind, data))
    assert package.registry == (f"set\tHKLM\\Software\\X\tv\t{number}\t{encoded}",)


def test_append(tmp_path: Path) -> None:
    package = load(tmp_path, value("multi-sz", '"x"').replace("data", "append"))
    assert package.registry == ("append\tHKLM\\Software\\X\tv\tx",)


def test_failure_actions(tmp_path: Path) -> None:
    text = 'name = "p"\n[[service]]\nname = "S"\ncommand = "c"\nfailure-reset = 60\nfailure-on-error = true\n'
    (service,) = load(tmp_path, text + 'failure-actions = ["restart:1000", "none"]').services
    assert service.options == {
        "failure_actions": ["restart:1000", "none"],
        "failure_reset_s": 60,
        "failure_on_error": True,
    }
    for wrong in ('["explode"]', '["restart:soon"]', "[1]", '"restart"'):
        with pytest.raises(PackageError, match="service 1"):
            load(tmp_path, text + f"failure-actions = {wrong}")


def test_service(tmp_path: Path) -> None:
    package = load(
        tmp_path,
        'name = "p"\n[[service]]\nname = "S"\ncommand = "c"\ntype = "share-process"\ndepends-on = ["A"]\n'
        "svchost-group = \"g\"\ndll = 'x.dll'\n",
    )
    (service,) = package.services
    assert (service.name, service.command) == ("S", "c")
    assert service.options == {"service_type": "share-process", "dependencies": ["A"]}
    dll, group = package.registry
    assert dll.startswith("set\tHKLM\\System\\CurrentControlSet\\Services\\S\\Parameters\tServiceDll\t2\t")
    assert group.startswith("append\t")
    assert group.endswith("\\Svchost\tg\tS")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", PackageError),
        ("name = 1", PackageError),
        ('name = "../x"', InvalidName),
        ('name = "p"\nunknown = 1', PackageError),
        ('name = "p"\nfile = 1', PackageError),
        ('name = "p"\n[[file]]\nsource = "../x"\ntarget = "C:\\\\x"', PackageError),
        ('name = "p"\n[[file]]\nsource = "service.toml"\ntarget = "D:\\\\x"', InvalidPath),
        ('name = "p"\n[[file]]\nsource = "service.toml"\ntarget = "C:\\\\"', InvalidPath),
        ('name = "p"\n[[service]]\nname = "a/b"\ncommand = "x"', InvalidName),
        ('name = "p"\n[[service]]\nname = "a"\ncommand = "x"\ndepends-on = [1]', PackageError),
        ('name = "p"\n[[service]]\nname = "a"\ncommand = "x"\nnonsense = "y"', PackageError),
        ('name = "p"\n[[class]]\nclsid = "1234"', PackageError),
        (value("dword", '"x"'), PackageError),
        (value("dword", "-1"), PackageError),
        (value("dword", "true"), PackageError),
        (value("sz", "1"), PackageError),
        (value("binary", '"x"'), PackageError),
        (value("multi-sz", '["", "a"]'), PackageError),
        (value("never", '"x"'), PackageError),
        (value("sz", '"x"').replace("HKLM", "HKCR"), PackageError),
        (value("sz", '"x"').replace('"v"', '"a\\tb"'), PackageError),
        (value("sz", '"x"').replace("data", "append"), PackageError),
        (value("multi-sz", '["x"]') + 'append = "y"', PackageError),
        ("name = ", PackageError),
    ],
)
def test_wrong(tmp_path: Path, text: str, error: type[WinesiloError]) -> None:
    with pytest.raises(error):
        load(tmp_path, text)


def test_no_package(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"no service\.toml"):
        package_file.load(tmp_path)


@pytest.mark.parametrize("name", sorted(path.parent.name for path in ROOT.glob("services/*/service.toml")))
def test_shipped(name: str) -> None:
    """Each package of ours is whole, has a README, and is in the table."""
    package = package_file.load(ROOT / "src" / "winesilo" / "_native" / "services" / name)
    assert package.name == name
    assert package.services
    assert "stand-in" in (ROOT / "services" / name / "README.md").read_text(encoding="utf-8").lower()
    assert f"({name}/README.md)" in (ROOT / "services" / "README.md").read_text(encoding="utf-8")
