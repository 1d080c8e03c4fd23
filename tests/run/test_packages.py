"""Packages that are packed for elsewhere: what is told while that is done, and when one cannot be had."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from anabranch.app import Project
from anabranch.model.errors import StepError
from anabranch.run.packages import packages

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LOCKED = (*(f"anabranch-has-no-{i:02}==1.{i}" for i in range(60)), "zzz-asked-for==2.0")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")


@pytest.mark.parametrize(
    "asked, begins",
    [
        ("zzz_asked_for>=2, <3", "packing 65 packages for Python 3.12 (zzz-asked-for==2.0 and 64 more)\n"),
        ("", "packing 65 packages for Python 3.12 (anabranch-has-no-00==1.0, anabranch-has-no-01==1.1, "),
    ],
)
def test_few_of_many_packages_are_told_and_whose_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: str, begins: str
) -> None:
    with pytest.raises(StepError) as caught:
        packages(LOCKED, "3.12", tmp_path, ["load", "clean"], asked)
    told = capsys.readouterr().err
    assert told.startswith(begins)
    assert len(told) <= 140
    first, *said = caught.value.message.splitlines()
    assert first.endswith(", which `load`, `clean` require")
    assert len(first) <= 200
    assert said
    assert caught.value.code == "requirements-not-installable"


SPEC = """
project: shop
pipelines: [p.yaml]
environments: {prod: {aws: {account: "123456789012", region: eu-west-1}, storage: s3://lake/shop}}
"""
PIPELINE = """
pipeline: daily
steps:
  load: {shell: [echo, one], requirements: [attrs]}
  clean: {shell: [echo, two], requirements: [attrs]}
  tell: {shell: [echo, three]}
"""
LOCK = '{"anabranch": 1, "requirements": {"attrs": ["attrs==25.4.0"]}}'


def test_a_deployment_says_which_steps_require_what_it_packs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("anabranch.yaml", SPEC), ("p.yaml", PIPELINE), ("anabranch.lock", LOCK)):
        (tmp_path / name).write_text(text)
    packed: list[tuple[Sequence[str], Sequence[str], str]] = []

    def pack(requirements: Sequence[str], _version: str, _cache: Path, steps: Sequence[str], asked: str) -> bytes:
        packed.append((requirements, steps, asked))
        return b""

    monkeypatch.setattr("anabranch.app.deploy.packages", pack)
    Project.load(tmp_path).deployment("prod").resources()
    assert packed == [((), ["tell"], ""), (("attrs==25.4.0",), ["load", "clean"], "attrs")]
