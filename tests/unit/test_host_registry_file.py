"""Wine's text registry format."""

from __future__ import annotations

import pytest

from winesilo.host.registry_file import (
    REG_BINARY,
    REG_LINK,
    REG_MULTI_SZ,
    REG_NONE,
    Key,
    Registry,
    RegistrySyntaxError,
    Value,
    parse,
    render,
)

SAMPLE = r"""WINE REGISTRY Version 2
;; All keys relative to REGISTRY\\Machine

#arch=win64

[Software\\A [x\]] 1700000000
#time=1da1747c66d0000
#class="cls"
@="default \"quoted\" \\ back"
"b\"in"=hex:01,02,\
  03,ff
"d"=dword:0000002a
"e"=str(2):"%PATH%;x"
"m"=str(7):"a\0b\0"
"none"=hex(0):
"u"="\xe9\x20ac\xd83d\xde00\n"

[Software\\Link] 1700000000
#time=1da1747c66d0000
#link
"SymbolicLinkValue"=hex(6):5c,00,52,00
"""


def test_parse_reads_every_form() -> None:
    registry = parse(SAMPLE)
    assert registry.relative_to == r"REGISTRY\Machine"
    assert registry.arch == "win64"
    key = registry.get(r"software\a [X]")
    assert key is not None
    assert key.path == r"Software\A [x]"
    assert key.modified == 0x1DA1747C66D0000
    assert key.class_name == "cls"
    values = {name: (value.kind, value.data) for name, value in key.values.items()}
    assert values[""] == (1, 'default "quoted" \\ back\0'.encode("utf-16-le"))
    assert values['b"in'] == (REG_BINARY, bytes([1, 2, 3, 255]))
    assert key.values["d"].as_dword() == 42
    assert key.values["e"].as_text() == "%PATH%;x"
    assert values["m"] == (REG_MULTI_SZ, "a\0b\0\0".encode("utf-16-le"))
    assert values["none"] == (REG_NONE, b"")
    assert key.values["u"].as_text() == "\xe9\u20ac\U0001f600\n"
    link = next(registry.links())
    assert link.path == r"Software\Link"
    assert link.values["SymbolicLinkValue"].kind == REG_LINK


def test_render_and_parse_again_gives_the_same() -> None:
    first = parse(SAMPLE)
    second = parse(render(first))
    assert list(first) == list(second)
    assert (first.relative_to, first.arch) == (second.relative_to, second.arch)


@pytest.mark.parametrize(
    "text",
    ["", 'a b\\c]d[e"f', "\x01" + "7", "\x1f\t\n", "\u00e9a", "\u20ac9", "\U0001f600", "é\0x", "\ud800"],
)
def test_strings_survive(text: str) -> None:
    registry = Registry("X")
    key = registry.add(Key("K" + text.replace("\0", "").replace("\\", "")))
    key.set("n" + text.replace("\0", ""), Value.text(text))
    again = parse(render(registry))
    assert list(again) == list(registry)


def test_binary_of_every_length() -> None:
    registry = Registry("X")
    key = registry.add(Key("K"))
    for size in range(80):
        key.set(f"v{size}", Value(REG_BINARY, bytes(range(size))))
    assert list(parse(render(registry))) == list(registry)


def test_an_unterminated_string_is_kept_byte_by_byte() -> None:
    registry = Registry("X")
    registry.add(Key("K")).set("v", Value(1, "ab".encode("utf-16-le")))
    assert list(parse(render(registry))) == list(registry)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("WINE REGISTRY Version 1\n", 1),
        ("WINE REGISTRY Version 2\n[K\n", 2),
        ('WINE REGISTRY Version 2\n"v"=dword:1\n', 2),
        ("WINE REGISTRY Version 2\n[K]\nrubbish\n", 3),
        ('WINE REGISTRY Version 2\n[K]\n"v"=dword:zz\n', 3),
        ('WINE REGISTRY Version 2\n[K]\n"v"=hex:0q\n', 3),
        ('WINE REGISTRY Version 2\n[K]\n"v=1\n', 3),
    ],
)
def test_errors_name_the_line(text: str, line: int) -> None:
    with pytest.raises(RegistrySyntaxError) as caught:
        parse(text)
    assert caught.value.details["line"] == line


def test_names_ignore_case() -> None:
    key = Key("K")
    key.set("Start", Value.dword(2))
    key.set("START", Value.dword(3))
    assert list(key.values) == ["Start"]
    assert key.get("start") == Value.dword(3)
    key.delete("sTART")
    assert not key.values
