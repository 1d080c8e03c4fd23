"""Templates, and how values read in them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from anabranch.model.run import RunState, StepState
from anabranch.show import human
from anabranch.show.text import printable
from anabranch.web.assets import version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anabranch.web.page import Asked

MARKS: dict[str, str] = {
    RunState.DEAD.value: "†",
    StepState.WAITING.value: "·",
    StepState.RUNNING.value: "▶",
    StepState.RETRYING.value: "↻",
    StepState.SUCCEEDED.value: "✓",
    StepState.REUSED.value: "=",
    StepState.FAILED.value: "✗",
    StepState.SKIPPED.value: "○",
    StepState.CANCELLED.value: "■",
}
"""A sign for every state of a run or step: colour alone tells nothing to many."""


def render(template: str, asked: Asked, values: Mapping[str, Any]) -> str:
    """Return a page."""
    site = asked.site

    def linked(*parts: str, **query: object) -> str:
        return link(asked.root, *parts, **query)

    def asset(name: str) -> str:
        return f"{linked('static', *name.split('/'))}?v={version(name)}"

    shared = {
        "asked": asked,
        "project": site.project,
        "problems": site.problems,
        "token": site.access.secret,
        "link": linked,
        "asset": asset,
        "now": time.time(),
    }
    return environment().get_template(template).render(**shared, **values)


def link(root: str, *parts: str, **query: object) -> str:
    """Return the path of a page.

    >>> link("", "runs", "7f3a9c2k", "logs", "1", "a/b c"), link("/x", "runs", state="failed")
    ('/runs/7f3a9c2k/logs/1/a/b%20c', '/x/runs?state=failed')
    """
    path = root + "/" + "/".join(quote(part) for part in parts)
    given = {name: value for name, value in query.items() if value not in {"", None}}
    return path + (f"?{urlencode(given)}" if given else "")


@cache
def environment() -> Environment:
    """Return the templates. Whatever a value holds, it is only shown."""
    made = Environment(
        loader=PackageLoader("anabranch.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.policies["json.dumps_kwargs"] = {"sort_keys": False, "ensure_ascii": False}
    filters: dict[str, Any] = made.filters
    filters.update(
        ago=ago,
        code=code,
        count=human.count,
        lines=lines,
        moment=moment,
        plain=plain,
        plural=human.plural,
        seconds=human.seconds,
        short=short,
        size=human.size,
    )
    names: dict[str, Any] = made.globals  # typed by what Jinja itself puts there
    names.update(state=state, MARKS=MARKS)
    return made


def plain(text: object) -> str:
    """Return text on one line, with what cannot be seen escaped."""
    return printable(str(text))


def state(name: str) -> Markup:
    """Return a state as a sign and a word.

    >>> str(state("failed"))
    '<span class="state s-failed"><span aria-hidden="true">✗</span> failed</span>'
    """
    return Markup('<span class="state s-{0}"><span aria-hidden="true">{1}</span> {0}</span>').format(name, MARKS[name])


def moment(text: str | None) -> Markup:
    """Return a time of ours as an element that machines read too; seconds, in UTC.

    >>> str(moment("2013-01-05T06:00:00.250Z"))
    '<time datetime="2013-01-05T06:00:00.250Z">2013-01-05 06:00:00</time>'
    """
    if not text:
        return Markup("")
    return Markup('<time datetime="{}">{}</time>').format(text, text[:19].replace("T", " "))


def ago(text: str | None, now: float | None = None) -> Markup:
    """Return how long ago a time of ours was, or how long it takes until then.

    >>> str(ago("1970-01-01T00:00:00.000Z", 200))
    '<time datetime="1970-01-01T00:00:00.000Z" title="1970-01-01 00:00:00 UTC">3 min ago</time>'
    """
    if not text:
        return Markup("")
    at = datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    now = time.time() if now is None else now
    told = human.ago(at, now) if at <= now else f"in {human.ago(now, at).removesuffix(' ago')}"
    title = f"{text[:19].replace('T', ' ')} UTC"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(text, title, told)


def lines(text: str) -> Markup:
    r"""Return a message with its lines as it was written, whatever else it holds.

    >>> str(lines("a\n  <b>"))
    'a<br>\u2003&lt;b&gt;'
    """
    found = [(line, len(line) - len(line.lstrip())) for line in text.splitlines()[:30]]
    shown = ["\u2003" * (indent // 2) + printable(line.strip()) for line, indent in found]
    return Markup("<br>").join(shown)


def code(digest: str) -> str:
    """Return the part of a digest that people compare.

    >>> code("sha256:0123456789abcdef")
    '0123456789'
    """
    return digest.removeprefix("sha256:")[:10]


def short(text: object, most: int = 80) -> Markup:
    """Return text on one line, cut where it is long; the whole is its title.

    >>> str(short("<b>", 5)), str(short("abcdefgh", 5))
    ('&lt;b&gt;', '<span title="abcdefgh">abcd…</span>')
    """
    line = printable(" ".join(str(text).split()))
    if len(line) <= most:
        return escape(line)
    return Markup('<span title="{}">{}…</span>').format(line[:2000], line[: most - 1])
