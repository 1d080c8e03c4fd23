"""YAML and JSON files to plain values, with the line of every node.

Scalars follow the YAML 1.2 core schema, so `no`, `on` and `2013-01-05` stay the text that they look like.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from anabranch.model.errors import Diagnostic, InvalidProject
from anabranch.model.place import Place

if TYPE_CHECKING:
    from pathlib import Path

Key = tuple["str | int", ...]

_INT = re.compile(r"[-+]?[0-9]+\Z")
_OCTAL_HEX = re.compile(r"0(?:o[0-7]+|x[0-9a-fA-F]+)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_WORDS: dict[str, Any] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
    ".inf": float("inf"),
    "-.inf": float("-inf"),
    ".nan": float("nan"),
}
_NUMERIC_START = frozenset("-+.0123456789")

DEEPEST = 100
"""Levels of nesting beyond which a file is refused."""

LARGEST_EXPANSION = 20_000
"""Nodes that aliases may expand to before a file is refused."""


@dataclass
class Document:
    """One file's value. `lines` has the line of each node by its path; a mapping's entry is where its key stands."""

    file: str
    value: Any
    lines: dict[Key, int] = field(default_factory=dict)

    def place(self, *path: str | int) -> Place:
        """Return where a node stands, or the innermost node around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return Place(self.file, self.lines.get(path, 1))


def read_document(path: Path, name: str) -> Document:
    """Read one YAML or JSON file.

    Args:
        path: the file.
        name: how messages call it, relative to the project.

    Raises:
        InvalidProject: `missing-file`, `bad-encoding`, `yaml-syntax`, `duplicate-key`.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{name} is not UTF-8: byte {error.start} is {error.object[error.start]:#04x}"
        raise _problem("bad-encoding", message, "save it as UTF-8", Place(name)) from None
    except OSError as error:
        message = f"{name} cannot be read: {error.strerror}"
        raise _problem("missing-file", message, "write it, or correct its name", Place(name)) from None
    return parse(text, name)


def parse(text: str, name: str) -> Document:
    """Return the value of a text; see `read_document`."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    stream = loader(text)
    try:
        return _Reader(stream, name).document()
    except yaml.MarkedYAMLError as error:
        # A quotation mark that is never closed is found at the end of the file; what matters is where it was opened.
        opened = "quoted scalar" in (error.context or "")
        mark = (error.context_mark if opened else None) or error.problem_mark or error.context_mark
        place = Place(name, mark.line + 1 if mark else 0)
        what = " ".join(part for part in (error.context, error.problem) if part)
        hint = "a quotation mark is opened here and never closed" if opened else _advice(text, place.line)
        raise _problem("yaml-syntax", f"not valid YAML: {what}", hint, place) from None
    except yaml.YAMLError as error:
        raise _problem("yaml-syntax", f"not valid YAML: {error}", "remove that character", Place(name)) from None
    finally:
        stream.dispose()


def _problem(code: str, message: str, hint: str, place: Place) -> InvalidProject:
    return InvalidProject([Diagnostic(code, message, hint, place)])


def _advice(text: str, line: int) -> str:
    lines = text.splitlines()
    around = "".join(lines[max(0, line - 2) : line])
    if "\t" in around:
        return "indent with spaces: YAML does not allow tabs"
    if around.count('"') % 2 or around.count("'") % 2:
        return "a quotation mark is not closed"
    return "look at that line and the one above: a colon, a quotation mark or the indentation is off"


class _Reader:
    """Builds the value from the parser's events, in one pass."""

    def __init__(self, stream: Any, name: str) -> None:
        self._next = stream.get_event
        self._name = name
        self._lines: dict[Key, int] = {}
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0
        self._expanded = 0

    def document(self) -> Document:
        event = self._next()
        while isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent):
            event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            return Document(self._name, None)
        value = self._node(event, ())
        self._next()
        following = self._next()
        if isinstance(following, yaml.DocumentStartEvent):
            place = Place(self._name, _line(following))
            raise _problem("yaml-syntax", "a second document starts here", "use one file for each", place)
        return Document(self._name, value, self._lines)

    def _node(self, event: Any, path: Key) -> Any:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._nodes += 1
            value: Any = _scalar(event, self._name)
        elif kind is yaml.AliasEvent:
            return self._alias(event)
        else:
            if len(path) > DEEPEST:
                self._refuse(event, f"nested deeper than {DEEPEST} levels", "flatten it")
            before = self._nodes
            self._nodes += 1
            value = self._mapping(path) if kind is yaml.MappingStartEvent else self._sequence(path)
            if event.anchor is not None:
                self._anchors[event.anchor] = (value, self._nodes - before)
            return value
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, 1)
        return value

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            self._refuse(event, f"no anchor `&{event.anchor}` stands before this alias", "define it above")
        value, size = self._anchors[event.anchor]
        self._nodes += size
        self._expanded += size
        if self._expanded > LARGEST_EXPANSION:
            self._refuse(event, "aliases expand this file by more than 20,000 nodes", "write it without aliases")
        return value

    def _mapping(self, path: Key) -> dict[str, Any]:
        found: dict[str, Any] = {}
        lines = self._lines
        while type(event := self._next()) is not yaml.MappingEndEvent:
            if type(event) is not yaml.ScalarEvent:
                self._refuse(event, "a key must be text", "put it in quotation marks")
            key, inner = event.value, (*path, event.value)
            line = _line(event)
            if key in found:
                message = f"`{key}` stands here twice; the other is on line {lines[inner]}"
                code = "duplicate-step" if path and path[-1] == "steps" else "duplicate-key"
                raise _problem(code, message, "keep one of them", Place(self._name, line))
            lines[inner] = line
            found[key] = self._node(self._next(), inner)
        return found

    def _sequence(self, path: Key) -> list[Any]:
        found: list[Any] = []
        while type(event := self._next()) is not yaml.SequenceEndEvent:
            inner = (*path, len(found))
            self._lines[inner] = _line(event)
            found.append(self._node(event, inner))
        return found

    def _refuse(self, event: Any, message: str, hint: str) -> None:
        raise _problem("yaml-syntax", message, hint, Place(self._name, _line(event)))


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _scalar(event: Any, name: str) -> Any:
    """Return a scalar by the YAML 1.2 core schema."""
    text: str = event.value
    if event.tag is not None and event.tag != "!":
        if event.tag == "tag:yaml.org,2002:str":
            return text
        message = f"the tag {event.tag} means nothing here"
        raise _problem("yaml-syntax", message, "remove the tag", Place(name, _line(event)))
    if not event.implicit[0] or event.style:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in _NUMERIC_START:
        if _INT.match(text) and len(text) < 40:  # noqa: PLR2004 - longer ones are names, not numbers
            return int(text)
        if _OCTAL_HEX.match(text):
            return int(text, 0)
        if _FLOAT.match(text):
            return float(text)
    return text
