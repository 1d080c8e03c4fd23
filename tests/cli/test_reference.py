from __future__ import annotations

import os
from pathlib import Path

from tests.cli.test_root import ALL

from anabranch.cli.reference import reference
from anabranch.show import shapes

PAGE = Path(__file__).parent.parent.parent / "docs" / "cli.md"


def test_the_page_of_the_docs_tells_of_the_verbs_as_they_are() -> None:
    told = reference()
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(told, encoding="utf-8")
    assert told == PAGE.read_text(encoding="utf-8")


def test_each_verb_says_what_its_json_has() -> None:
    rows = (line.split("|")[1] for line in (shapes.__doc__ or "").splitlines() if line.startswith("| "))
    told = {each.strip().partition(" -")[0] for row in rows for each in row.split(",")}
    assert {" ".join(words) for words, _ in ALL} <= told
