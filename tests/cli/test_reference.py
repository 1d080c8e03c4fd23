from __future__ import annotations

import os
from pathlib import Path

from anabranch.cli.reference import reference

PAGE = Path(__file__).parent.parent.parent / "docs" / "cli.md"


def test_the_page_of_the_docs_tells_of_the_verbs_as_they_are() -> None:
    told = reference()
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(told, encoding="utf-8")
    assert told == PAGE.read_text(encoding="utf-8")
