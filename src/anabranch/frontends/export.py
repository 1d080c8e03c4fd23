"""Export: what `anabranch.yaml` says of who else is told of runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from anabranch.model.errors import Diagnostic
from anabranch.model.export import ExportTarget, OpenLineage, OpenTelemetry
from anabranch.model.secret import is_reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from anabranch.frontends.shape import ExportShape, OpenLineageShape
    from anabranch.frontends.yamlfile import Document

_EXAMPLES = {"openlineage": "http://localhost:5000", "opentelemetry": "http://localhost:4318"}
_HEADER = re.compile(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")


def lower_export(
    shape: ExportShape | None, document: Document, root: Path
) -> tuple[tuple[ExportTarget, ...], list[Diagnostic]]:
    """Return who is told of runs, and what is wrong in it.

    Args:
        shape: as it is written.
        document: where.
        root: of the project; relative paths start there.
    """
    if shape is None:
        return (), []
    found: list[ExportTarget] = []
    problems: list[Diagnostic] = []
    if (lineage := shape.openlineage) is not None:
        problems += _lineage(lineage, document)
        problems += _where("openlineage", "url", lineage.url, lineage.file, lineage.headers, document, root)
        file, headers = _path(lineage.file, root), tuple(lineage.headers.items())
        found.append(OpenLineage(file, lineage.url, lineage.token, headers, lineage.namespace))
    if (traces := shape.opentelemetry) is not None:
        problems += _where("opentelemetry", "endpoint", traces.endpoint, traces.file, traces.headers, document, root)
        found.append(OpenTelemetry(_path(traces.file, root), traces.endpoint, tuple(traces.headers.items())))
    return tuple(found), problems


def _path(file: str, root: Path) -> str:
    return str((root / file).resolve()) if file else ""


def _lineage(shape: OpenLineageShape, document: Document) -> Iterator[Diagnostic]:
    place = document.place("export", "openlineage")
    if not shape.url and not shape.file:
        hint = "url: http://localhost:5000, or file: lineage.ndjson"
        yield Diagnostic("no-destination", "export.openlineage says neither `url` nor `file`", hint, place)
    place = document.place("export", "openlineage", "token")
    if shape.token and not is_reference(shape.token):  # what stands there may be the secret itself
        message = "export.openlineage.token is not a reference"
        yield Diagnostic("bad-secret", message, "write secret://env/NAME, and keep the value out", place)
    if shape.token and shape.file:
        yield Diagnostic("no-use", "export.openlineage has a token, and a file asks for none", "leave it out", place)


def _where(  # noqa: PLR0913, PLR0917 - what both kinds of target say, and where they say it
    kind: str, key: str, url: str, file: str, headers: Mapping[str, str], document: Document, root: Path
) -> Iterator[Diagnostic]:
    at = f"export.{kind}"
    if url and file:
        place = document.place("export", kind, "file")
        yield Diagnostic("two-destinations", f"{at} says both `{key}` and `file`", "keep one of them", place)
    if url and (problem := _url_problem(url, _EXAMPLES[kind])):
        place = document.place("export", kind, key)
        yield Diagnostic("bad-url", f"{at}.{key} {problem[0]}", problem[1], place)
    if file and (root / file).is_dir():
        place = document.place("export", kind, "file")
        yield Diagnostic("bad-file", f"{at}.file is a folder: {file}", "name a file in it", place)
    for name, value in headers.items():
        place = document.place("export", kind, "headers", name)
        if not _HEADER.match(name):
            yield Diagnostic("bad-header", f"{at}.headers: `{name}` is no name of a header", "such as X-Api-Key", place)
        if not is_reference(value):  # what stands there may be the secret itself
            hint = f"write secret://env/{re.sub(r'[^A-Za-z0-9]+', '_', name).upper()}, and keep the value out"
            yield Diagnostic("bad-secret", f"{at}.headers.{name} is not a reference", hint, place)
    if headers and file:
        place = document.place("export", kind, "headers")
        yield Diagnostic("no-use", f"{at} has headers, and a file asks for none", "leave them out", place)


def _url_problem(url: str, example: str) -> tuple[str, str] | None:
    """Return what is wrong with a URL and what to try. The URL itself is not shown: it may hold a secret."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return "is no URL", f"such as {example}"
    if not known:
        return "is no URL of http or https", f"such as {example}"
    if "@" in parts.netloc or parts.query or parts.fragment:
        return "holds a login, a query or a fragment", "give secrets as `headers`, by reference"
    return None
