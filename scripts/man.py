"""Turns a man page in Markdown into roff: ``man.py SOURCE TARGET``.

Knows what our pages use: headings, paragraphs, ``term`` / ``:   definition`` pairs, tables, indented code,
``*emphasis*`` and ```code```. There is no need for pandoc, which would be the largest dependency.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path


def inline(text: str) -> str:
    """Emphasis and code as fonts; what roff would take for a request or an escape is protected."""
    text = text.replace("\\", "\\e")
    text = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", text)
    text = re.sub(r"\*([^*]+)\*", r"\\fI\1\\fR", text)
    text = text.replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text


def blocks(source: str) -> Iterator[list[str]]:
    """Paragraphs: lines without an empty one between them."""
    for block in re.split(r"\n\s*\n", source):
        lines = [line for line in block.splitlines() if line.strip()]
        if lines:
            yield lines


def render(source: str) -> str:
    """The whole page."""
    out = []
    for lines in blocks(source):
        first = lines[0]
        if first.startswith("# "):
            name, section = first[2:].rstrip(")").split("(")
            out.append(f'.TH {name.upper()} {section} "" winesilo')
        elif first.startswith("## "):
            out.append(f'.SH "{inline(first[3:])}"')
        elif first.startswith("### "):
            out.append(f'.SS "{inline(first[4:])}"')
        elif first.startswith("|"):
            rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
            for term, *meaning in rows[2:]:
                out += [".TP", inline(term), inline(" ".join(meaning))]
        elif first.startswith("    "):
            out += [".PP", ".nf", ".RS 4", *(inline(line[4:]) for line in lines), ".RE", ".fi"]
        elif len(lines) > 1 and any(line.startswith(":   ") for line in lines):
            begin = next(i for i, line in enumerate(lines) if line.startswith(":   "))
            definition = [lines[begin][4:], *(line.strip() for line in lines[begin + 1 :])]
            out += [".TP", inline(" ".join(lines[:begin])), inline(" ".join(definition))]
        else:
            out += [".PP", inline(" ".join(lines))]
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(render(Path(sys.argv[1]).read_text()))
