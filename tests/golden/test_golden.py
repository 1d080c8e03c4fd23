"""Specs in, models or diagnostics out, held against files. `UPDATE_GOLDEN=1 pytest tests/golden` rewrites these."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from anabranch import check
from anabranch.data.bind import bind
from anabranch.frontends.spec import read_spec
from anabranch.model import codec
from anabranch.model.errors import InvalidProject

HERE = Path(__file__).parent


def cases(kind: str) -> list[str]:
    """The folders of one kind of case."""
    return sorted(path.name for path in (HERE / kind).iterdir() if path.is_dir())


def compare(file: Path, told: str) -> None:
    """Hold a text against a file, or write it."""
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(told)
    assert told == file.read_text()


@pytest.mark.parametrize("case", cases("model"))
def test_a_spec_becomes_this_model(case: str) -> None:
    """Every field of the model, and where each node was written."""
    folder = HERE / "model" / case
    pipeline = read_spec(folder, folder / "pipeline.yaml")
    told = codec.dump(pipeline)
    compare(folder / "model.json", json.dumps(told, indent=2) + "\n")
    assert codec.load(told) == pipeline


@pytest.mark.parametrize("case", cases("diagnostics"))
def test_a_spec_gets_these_diagnostics(case: str) -> None:
    """Place, code, message and hint, one finding a line."""
    folder = HERE / "diagnostics" / case
    try:
        found = check.project([read_spec(folder, folder / "pipeline.yaml")], folder, bind)
    except InvalidProject as error:
        found = error.diagnostics
    told = "".join(f"{each.place} {each.severity} [{each.code}] {each.message}\n    {each.hint}\n" for each in found)
    compare(folder / "diagnostics.txt", told)
