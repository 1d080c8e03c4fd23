"""Which kind of call runs where: the page of the docs, made of the tables that `check -e` goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.model.call import KINDS
from anabranch.platforms.airflow import cells as airflow
from anabranch.platforms.aws import cells as aws
from anabranch.worker import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HEAD = """\
# What runs where

Made of the tables that `check -e ENV` goes by. What has no cell is refused by name, with a hint, before anything is
deployed. Where a kind has several engines, the first is taken unless the [environment](environments.md) says another.
"""
JOBS = """\
## Jobs that exist already

`native: {platform: ..., job: ..., arguments: {...}}` starts a job that somebody else has defined, and waits for it.
"""

NATIVE = "native"


def page() -> str:
    """Return the page, as Markdown.

    >>> page().splitlines()[7].startswith("| python | ")
    True
    """
    kinds = [kind for kind in KINDS.values() if kind != NATIVE]
    calls = {"this machine": HERE, "Airflow": airflow.CELLS, "AWS": _by_kind()}
    jobs = {
        "Airflow": _jobs(airflow.CELLS),
        "AWS": {name: text for (kind, name), text in aws.CELLS.items() if kind == NATIVE},
    }
    platforms = sorted({name for table in jobs.values() for name in table})
    return "\n".join([HEAD, *_table("call", kinds, calls), "", JOBS, *_table("platform", platforms, jobs), ""])


def _table(what: str, names: list[str], columns: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    yield f"| {what} | " + " | ".join(columns) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    for name in names:
        yield f"| {name} | " + " | ".join(table.get(name, "refused") for table in columns.values()) + " |"


def _by_kind() -> dict[str, str]:
    """Return how each kind of call runs on AWS, with all its engines, the usual one first."""
    found: dict[str, str] = {}
    for (kind, engine), text in sorted(aws.CELLS.items(), key=lambda each: aws.DEFAULTS.get(each[0][0]) != each[0][1]):
        told = f"`{engine}`: {text}"
        found[kind] = f"{found[kind]}. {told}" if kind in found else told
    return found


def _jobs(cells: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix(f"{NATIVE} "): text for name, text in cells.items() if name.startswith(f"{NATIVE} ")}
