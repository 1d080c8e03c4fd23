"""Command lines of a shell, taken apart as far as that can be done without running them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

HOLE = re.compile(r"\$?\$\{(?:in|out|params)\.[^}]*\}")
"""Placeholders of ports and params: what they become is declared."""

_TOKEN = re.compile(
    r"(?P<comment>(?<![^\s;&|()])\#[^\n]*)"
    r"|(?P<space>(?:[^\S\n]|\\\n)+)"
    r"|(?P<redirect>\d*(?:<<<|<<-?|<>|<&|>>|>&|>\||&>>?|<|>))"
    r"|(?P<end>\n|;+|\|\|?|&&?|[()])"
    r"|(?P<word>(?:'[^']*'|\"(?:[^\"\\]|\\.)*\"|\\.|`[^`]*`|\$\([^()]*\)|\$\{[^}]*\}|[^\s;&|()<>'\"\\`])+)"
    r"|(?P<odd>.)",
    re.DOTALL,
)
_PIECE = re.compile(r"'(?P<plain>[^']*)'|\"(?P<quoted>(?:[^\"\\]|\\.)*)\"|\\(?P<escaped>.)|(?P<other>.)", re.DOTALL)
_INNER = re.compile(r"'[^']*'|`(?P<old>[^`]*)`|\$\((?P<new>[^()]*)\)", re.DOTALL)
_WORDS_BEFORE = frozenset({"if", "then", "else", "elif", "while", "until", "do", "!", "{"})
_ASSIGNMENT = re.compile(r"\w+\+?=")


@dataclass(slots=True)
class Command:
    """One simple command: its words, without assignments before it, and the files that it is given as input."""

    words: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)


def commands(line: str) -> list[Command]:
    """Return the simple commands of a line, those of `$(...)` too.

    >>> [command.words for command in commands("LC_ALL=C sort -k1 x | head -1 > y; echo $(date)")]
    [['sort', '-k1', 'x'], ['head', '-1'], ['echo', '$(date)'], ['date']]
    """
    found = [Command()]
    inner: list[str] = []
    redirect = ""
    for match in _TOKEN.finditer(HOLE.sub("''", line)):
        text, kind = match[0], match.lastgroup
        if kind == "end":
            found.append(Command())
            redirect = ""
        elif kind == "redirect":
            redirect = text
        elif kind in {"word", "odd"}:
            inner += [each["old"] or each["new"] or "" for each in _INNER.finditer(_outside_quotes(text))]
            _place(found[-1], _plain(text), redirect)
            redirect = ""
    done = [command for command in found if command.words or command.reads]
    return done + [command for each in inner for command in commands(each)]


def _place(command: Command, word: str, redirect: str) -> None:
    """Put a word where it belongs in a command."""
    if redirect:
        if redirect.lstrip("0123456789") in {"<", "<>"} and word:
            command.reads.append(word)
    elif command.words or not (word in _WORDS_BEFORE or _ASSIGNMENT.match(word)):
        command.words.append(word)


def _plain(word: str) -> str:
    """Return a word without its quotes."""
    return "".join(
        piece["plain"] or piece["quoted"] or piece["escaped"] or piece["other"] or "" for piece in _PIECE.finditer(word)
    )


def _outside_quotes(word: str) -> str:
    """Return a word without what stands in single quotes, where nothing is run."""
    pieces = re.finditer(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^'\"]+|.", word, re.DOTALL)
    return "".join("" if piece[0].startswith("'") else piece[0] for piece in pieces)
