r"""Placeholders of arguments and of command lines: `${in.x}`, `${out.x}` and `${params.x}`.

In an argument the value takes the placeholder's place, as no shell will read it. In a command line the *name* of an
environment variable does, quoted as its surroundings need: a value is never a part of what the shell reads as code.

    cat ${in.legs} | head      ->  cat "${ANABRANCH_IN_LEGS}" | head
    echo "day ${params.day}"   ->  echo "day ${ANABRANCH_PARAM_DAY}"
    awk '{print > "${out.x}"}' ->  awk '{print > "'"${ANABRANCH_OUT_X}"'"}'

Everything else that begins with `$` is left to the shell. `$${in.x}` stands for `${in.x}` itself.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from anabranch.model.errors import StepError, closest

if TYPE_CHECKING:
    from collections.abc import Mapping

_HOLE = r"\$?\$\{(?:in|out|params)\.[^}]*\}"
_PLACEHOLDER = re.compile(_HOLE)
_TOKEN = re.compile(
    rf"(?P<hole>{_HOLE})"
    r"|(?P<escaped>\\.)"
    r"|(?P<comment>(?<![^\s;&|()])#[^\n]*)"
    r"|(?P<here>(?<!<)<<-?[ \t]*(?P<mark>'[^'\n]+'|\"[^\"\n]+\"|\\?[A-Za-z_]\w*)[^\n]*\n)"
    r"|(?P<open>\$?\()|(?P<close>\))|(?P<quote>['\"`])|(?P<other>.)",
    re.DOTALL,
)
_TOO_MUCH = "read it from the JSON file named by ANABRANCH_CONTEXT"


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return an argument with values in the place of placeholders.

    >>> fill("--in=${in.legs}, $${in.legs}, $HOME", {"in.legs": "/data/my legs.csv"})
    '--in=/data/my legs.csv, ${in.legs}, $HOME'

    Raises:
        StepError: `unknown-port`; `not-an-argument`, the value holds what no argument can.
    """

    def replace(match: re.Match[str]) -> str:
        if match[0].startswith("$$"):
            return match[0][1:]
        value = values[_known(match[0], values)]
        try:
            whole = "\0" not in os.fsdecode(os.fsencode(value))
        except UnicodeEncodeError:
            whole = False
        if not whole:
            message = f"the value of `{match[0]}` has characters that no argument can hold"
            raise StepError(message, code="not-an-argument", hint=_TOO_MUCH)
        return value

    return _PLACEHOLDER.sub(replace, text)


def script(text: str, values: Mapping[str, str], variables: Mapping[str, str]) -> str:
    """Return a command line with references to variables in the place of placeholders.

    Quotes, substitutions, comments and here-documents are told apart as a shell does in all but odd cases; in those a
    value may be split at its spaces, and is still never run.

    >>> script('cat ${in.legs} "${in.legs}"', {"in.legs": "-"}, {"in.legs": "ANABRANCH_IN_LEGS"})
    'cat "${ANABRANCH_IN_LEGS}" "${ANABRANCH_IN_LEGS}"'

    Args:
        text: what the user wrote.
        values: by placeholder, for messages.
        variables: the names of those that are in the environment, by placeholder.

    Raises:
        StepError: `unknown-port`; `not-an-argument`, the value is too long for the environment, or the placeholder
            stands where a shell replaces nothing.
    """
    done: list[str] = []
    inside = [""]  # the quotes and brackets that are open: " ' ` (
    position = 0
    while match := _TOKEN.match(text, position):
        position = match.end()
        piece, kind, around = match[0], match.lastgroup, inside[-1]
        if kind == "hole":
            piece = _reference(piece, around, values, variables)
        elif kind == "here" and around not in {"'", '"'}:
            piece, position = _here(match, text, values, variables)
        elif (around == "'" and len(piece) > 1) or (around == '"' and kind in {"here", "comment"}):
            piece, position = piece[0], match.start() + 1  # plain text, though it looks like code
        elif kind in {"open", "close", "quote"} and (around != "'" or piece == "'"):
            _nest(inside, piece)
        done.append(piece)
    return "".join(done)


def _nest(inside: list[str], piece: str) -> None:
    """Open or close what a quote or a bracket opens or closes."""
    around = inside[-1]
    if piece == around or (piece == ")" and around == "("):
        inside.pop()
    elif piece == "$(" or (piece == "(" and around != '"'):
        inside.append("(")
    elif piece in {"`", '"'} or (piece == "'" and around != '"'):
        inside.append(piece)


def _reference(hole: str, around: str, values: Mapping[str, str], variables: Mapping[str, str]) -> str:
    if hole.startswith("$$"):
        return hole[1:]
    key = _known(hole, values)
    if key not in variables:
        message = f"the value of `{hole}` is too long for a command line, or has characters that it cannot hold"
        raise StepError(message, code="not-an-argument", hint=_TOO_MUCH)
    plain = f"${{{variables[key]}}}"
    return {'"': plain, "'": f"'\"{plain}\"'"}.get(around, f'"{plain}"')


def _here(match: re.Match[str], text: str, values: Mapping[str, str], variables: Mapping[str, str]) -> tuple[str, int]:
    """Return a here-document, or its first character where nothing ends it, and where the text goes on."""
    mark = match["mark"]
    name = mark.strip("'\"\\")
    end = re.compile(rf"^\t*{re.escape(name)}$", re.MULTILINE).search(text, match.end())
    if end is None:
        return match[0][0], match.start() + 1
    head = script(match[0][2:], values, variables)  # the rest of the line is code like any other
    body = text[match.end() : end.start()]
    hole = next((each for each in _PLACEHOLDER.finditer(body) if not each[0].startswith("$$")), None)
    if name == mark or hole is None:
        replaced = _PLACEHOLDER.sub(lambda each: _reference(each[0], '"', values, variables), body)
        return f"<<{head}{replaced}{end[0]}", end.end()
    message = f"`{hole[0]}` stands in a here-document between {mark} and {name}, where a shell replaces nothing"
    hint = f"write <<{name} without quotes, or read the environment variable that holds it"
    raise StepError(message, code="not-an-argument", hint=hint)


def _known(hole: str, values: Mapping[str, str]) -> str:
    key = hole.lstrip("$")[1:-1]
    if key not in values:
        raise StepError(f"`{hole}` names nothing", code="unknown-port", hint=closest(key, values))
    return key
