"""What a silo's files and registry differ in from a new silo's."""

from __future__ import annotations

from pathlib import Path

import pytest

from winesilo.host.registry_file import REG_LINK, Key, Registry, Value
from winesilo.vm.diff import RegistryDiff, changed_services, data_of, files, shown

SERVICES = r"Machine\System\CurrentControlSet\Services"


def registry(*keys: Key) -> Registry:
    made = Registry()
    for key in keys:
        made.add(key)
    return made


def key(path: str, **values: str | int) -> Key:
    made = Key(path)
    for name, data in values.items():
        made.set(name, Value.text(data) if isinstance(data, str) else Value.dword(data))
    return made


def deleted(path: str) -> Key:
    return Key(path, link=True)


BASE = registry(
    key(r"Machine\Software\Classes\.txt", type="text"),
    key(r"Machine\Software\Only\Below\Deep", a=1),
    key(r"Machine\System\Secret", a=1),
    key(rf"{SERVICES}\Spooler", Start=2, Type=0x10),
    key(rf"{SERVICES}\Spooler\Parameters", a=1),
)
FRESH = registry(
    key("Machine"),
    key(rf"{SERVICES}\Spooler", Start=3, Type=0x10),
    deleted(r"Machine\System\Secret"),
)


def diff(*keys: Key) -> RegistryDiff:
    return RegistryDiff(registry(*FRESH, *keys), FRESH, BASE, [])


def short(found: RegistryDiff) -> list[tuple[str, str]]:
    return [(change.change, change.name) for change in found.changed_keys()]


def services(found: RegistryDiff) -> list[tuple[str, str]]:
    changes = changed_services([*found.changed_keys(), *found.changed_values()])
    return [(change.change, change.name) for change in changes]


def test_a_new_silo_has_no_changes() -> None:
    found = diff()
    assert found.changed_keys() == found.changed_values() == []
    assert services(found) == []


def test_copied_up_keys_are_no_changes() -> None:
    found = diff(key(r"machine\software\classes\.TXT", Type="text"), key(r"Machine\Software\Only"))
    assert found.changed_keys() == found.changed_values() == []


def test_values() -> None:
    changed = key(r"Machine\Software\Classes\.txt", type="html", new=7)
    gone = key(r"Machine\Software\Only\Below\Deep")
    found = [(c.change, c.name, c.value, c.old, c.new) for c in diff(changed, gone).changed_values()]
    text = r"HKEY_LOCAL_MACHINE\Software\Classes\.txt"
    number, one = {"type": "REG_DWORD", "data": 7}, {"type": "REG_DWORD", "data": 1}
    old, new = ({"type": "REG_SZ", "data": data} for data in ("text", "html"))
    assert found == [
        ("added", text, "new", None, number),
        ("changed", text, "type", old, new),
        ("deleted", r"HKEY_LOCAL_MACHINE\Software\Only\Below\Deep", "a", one, None),
    ]


def test_added_keys_with_those_above_them() -> None:
    below = key(r"Machine\Software\Mine\Settings", a=1)
    root = r"HKEY_LOCAL_MACHINE\Software"
    assert short(diff(below)) == [("added", rf"{root}\Mine"), ("added", rf"{root}\Mine\Settings")]


def test_deleted_keys() -> None:
    """Also those that stand in the base by their subkeys only, and not those that no silo sees."""
    found = diff(deleted(r"Machine\Software\Only\Below"), deleted(r"Machine\System\Nothing"))
    assert short(found) == [("deleted", r"HKEY_LOCAL_MACHINE\Software\Only\Below")]


def test_deleted_and_made_anew() -> None:
    only = r"Machine\Software\Only"
    found = diff(key(only, a=1), Key(rf"{only}\{chr(0xFFFF)}winesilo", link=True))
    assert short(found) == [("deleted", r"HKEY_LOCAL_MACHINE\Software\Only\Below")]
    assert [(c.change, c.value) for c in found.changed_values()] == [("added", "a")]


def test_what_no_silo_sees_is_new_when_it_is_made() -> None:
    found = RegistryDiff(registry(key(r"Machine\System\Secret", a=1)), FRESH, BASE, [])
    assert short(found) == [("added", r"HKEY_LOCAL_MACHINE\System\Secret")]


def test_services() -> None:
    found = diff(
        key(rf"{SERVICES}\Mine", Type=0x10),
        key(rf"{SERVICES}\Mine\Parameters", a=1),
        key(rf"{SERVICES}\Spooler\Parameters", a=2),
    )
    assert services(found) == [("added", "Mine"), ("changed", "Spooler")]
    gone = RegistryDiff(registry(deleted(rf"{SERVICES}\Spooler")), FRESH, BASE, [])
    assert services(gone) == [("deleted", "Spooler")]


def test_control_sets() -> None:
    """Where the current one is a link, it is what keys are shown below."""
    made = registry(
        key(r"Machine\system\controlset001\Services\Mine", Type=0x10), key(r"Machine\System\ControlSet002")
    )
    links = [(r"machine\system\currentcontrolset", r"machine\system\controlset001")]
    found = RegistryDiff(made, Registry(), registry(key(r"Machine\System", a=1)), links)
    assert ("added", r"HKEY_LOCAL_MACHINE\System\CurrentControlSet\Services\Mine") in short(found)
    assert ("added", r"HKEY_LOCAL_MACHINE\System\ControlSet002") in short(found)
    assert services(found) == [("added", "Mine")]
    assert found.changed_values()[0].name == r"HKEY_LOCAL_MACHINE\System\CurrentControlSet\Services\Mine"


@pytest.mark.parametrize(
    ("value", "kind", "data"),
    [
        (Value.text("a\0b\0", 7), "REG_MULTI_SZ", ["a", "b"]),
        (Value(7, b"\0\0"), "REG_MULTI_SZ", []),
        (Value(3, b"\1\2"), "REG_BINARY", "0102"),
        (Value(REG_LINK, "\\Registry".encode("utf-16-le")), "REG_LINK", "\\Registry"),
        (Value(4, b"\1"), "REG_DWORD", "01"),
        (Value(11, bytes(8)), 11, "00" * 8),
    ],
)
def test_data(value: Value, kind: str | int, data: object) -> None:
    assert data_of(value) == {"type": kind, "data": data}


def test_shown() -> None:
    assert shown(r"User\S-1-5-21-0-0-0-1000\Software") == r"HKEY_CURRENT_USER\Software"
    assert shown(r"User\.Default") == r"HKEY_USERS\.Default"
    assert shown("Machinery") == "Machinery"


def test_files(tmp_path: Path) -> None:
    """The mounted drive is what counts; folders that no private layer has are not looked into."""
    base, programs, layer, root = (tmp_path / name for name in ("base", "programs", "layer", "root"))
    for folder in (
        base / "windows/temp",
        base / "windows/fonts",
        programs / "windows",
        layer / "windows/temp",
    ):
        folder.mkdir(parents=True)
    for folder in (root / "windows/fonts", root / "dir/sub"):
        folder.mkdir(parents=True)
    contents = {"same": "1", "changed": "1", "gone": "1", "becomes-folder": "1", "unlooked": "1"}
    for name, text in contents.items():
        (base / "windows" / name).write_text(text)
    (programs / "windows" / "changed").write_text("2")
    (root / "windows" / "same").write_text("1")
    (root / "windows" / "changed").write_text("3")
    (root / "windows" / "unlooked").write_text("2")
    (root / "windows" / "becomes-folder").mkdir()
    (root / "windows/fonts/new").write_text("")
    (root / "dir/sub/file").write_text("")
    (root / "link").symlink_to("nowhere")
    for name in ("same", "changed", "becomes-folder"):
        (layer / "windows" / name).write_text("")
    found = files(root, [layer], [programs, base], lambda: None)
    assert [(change.change, change.kind, change.name) for change in found] == [
        ("added", "folder", "C:\\dir"),
        ("added", "folder", "C:\\dir\\sub"),
        ("added", "file", "C:\\dir\\sub\\file"),
        ("added", "file", "C:\\link"),
        ("added", "folder", "C:\\windows\\becomes-folder"),
        ("deleted", "file", "C:\\windows\\becomes-folder"),
        ("changed", "file", "C:\\windows\\changed"),
        ("deleted", "file", "C:\\windows\\gone"),
        ("deleted", "folder", "C:\\windows\\temp"),
    ]


def test_links_and_vanishing_files(tmp_path: Path) -> None:
    base, root = tmp_path / "base", tmp_path / "root"
    for folder in (base, root):
        folder.mkdir()
    (base / "same").symlink_to("a")
    (base / "other").symlink_to("a")
    (root / "same").symlink_to("a")
    (root / "other").symlink_to("b")
    found = files(root, [root], [base], lambda: None)
    assert [(change.change, change.name) for change in found] == [("changed", "C:\\other")]
