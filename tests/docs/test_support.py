from __future__ import annotations

import os
from pathlib import Path

from anabranch import worker
from anabranch.app.support import page

PAGE = Path(__file__).parents[2] / "docs" / "support.md"


def test_the_support_table_of_the_docs_is_what_check_goes_by() -> None:
    told = page()
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(told, encoding="utf-8")
    assert told == PAGE.read_text(encoding="utf-8")


def test_what_is_told_of_this_machine_is_what_its_workers_have() -> None:
    assert worker.HERE.keys() == worker._ENGINES.keys()
