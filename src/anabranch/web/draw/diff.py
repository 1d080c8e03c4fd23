"""A unified diff for people. Pure."""

from __future__ import annotations

from markupsafe import Markup, escape

LINES = 1500
"""Lines that are shown; of more, how many there are."""


def diff(text: str) -> Markup:
    r"""Return a diff as marked up lines; the signs stay, so that colour is not all that tells.

    >>> str(diff("-a\n+<b>\n"))
    '<del>-a</del>\n<ins>+&lt;b&gt;</ins>\n'
    """
    lines = text.splitlines()
    parts = [_line(line) for line in lines[:LINES]]
    if len(lines) > LINES:
        parts.append(Markup("<b>… and {} more lines</b>\n").format(len(lines) - LINES))
    return Markup("").join(parts)


def _line(line: str) -> Markup:
    tag = "b" if line.startswith(("+++", "---", "@@", "binary file")) else {"+": "ins", "-": "del"}.get(line[:1], "")
    return Markup("<{0}>{1}</{0}>\n").format(Markup(tag), line) if tag else escape(line) + Markup("\n")  # noqa: S704 - one of three
