"""Which kind of call runs where: the page of the docs, made of the tables that `check -e` goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.model.call import KINDS
from anabranch.platforms.airflow import cells as airflow
from anabranch.platforms.aws import cells as aws
from anabranch.worker import HERE

if TYPE_CHECKING:
    from collections.abc import Mapping

HEAD = """\
# What runs where

Made of the tables that `check -e ENV` goes by. What has no cell is refused by name, with a hint, before anything is
deployed.

"""

PLACES: dict[str, Mapping[str, str]] = {"this machine": HERE, "Airflow": airflow.CELLS, "AWS": aws.CELLS}
"""How each kind of call runs, by where."""


def page() -> str:
    """Return the page, as Markdown.

    >>> page().splitlines()[6].startswith("| python | ")
    True
    """
    rows = ["| call | " + " | ".join(PLACES) + " |", "|---" * (len(PLACES) + 1) + "|"]
    for kind in KINDS.values():
        cells = [table.get(kind, "refused") for table in PLACES.values()]
        rows.append(f"| {kind} | " + " | ".join(cells) + " |")
    return HEAD + "\n".join(rows) + "\n"
