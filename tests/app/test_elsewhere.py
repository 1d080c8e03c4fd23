"""What a definition says of main's data, where two machines mirror one bucket in folders of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from anabranch.app.deploy import as_workers_see
from anabranch.data.objects import mirror
from anabranch.entry import dataset_here, main
from anabranch.model.dataset import Bound, DatasetSpec
from anabranch.model.environment import kept_there
from anabranch.model.errors import StepError
from anabranch.model.pipeline import Needs

if TYPE_CHECKING:
    from pathlib import Path


def test_a_dataset_of_main_is_told_by_its_url_and_read_where_the_worker_mirrors_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "here"))
    spec = DatasetSpec("legs", bound=Bound(str(mirror.local("s3://lake/main")), "1"))
    told = as_workers_see(spec)
    assert told == replace(spec, bound=Bound("s3://lake/main", "1"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "there"))
    read = dataset_here(told)
    assert read.bound is not None
    assert read.bound.root == str(mirror.local("s3://lake/main"))
    assert read.bound.root.startswith(str(tmp_path / "there"))


def test_a_folder_that_all_see_is_itself_and_what_is_not_main_s_stays() -> None:
    spec = DatasetSpec("legs", bound=Bound("/srv/lake", "1"))
    assert dataset_here(as_workers_see(spec)) == spec
    own = DatasetSpec("legs")
    assert dataset_here(as_workers_see(own)) == own


def test_an_environment_says_where_a_secret_is_kept_there() -> None:
    """A plain variable of the step's own is no secret, and comes first; what the environment has besides is added."""
    needs = Needs(env=(("PLAIN", "a"),), secrets=(("KEY", "secret://env/KEY"), ("OWN", "secret://env/OWN")))
    there = [("KEY", "secret://ssm/key"), ("PLAIN", "secret://ssm/plain"), ("MORE", "secret://ssm/more")]
    assert dict(kept_there(needs, there)) == {
        "KEY": "secret://ssm/key",
        "OWN": "secret://env/OWN",
        "MORE": "secret://ssm/more",
    }


@pytest.mark.parametrize("verb", ["step", "lost"])
def test_an_attempt_without_its_definition_fails_and_says_so(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [verb, "clean", "--definition", str(tmp_path / "daily-0.json"), "--storage", str(tmp_path)]
    assert main(arguments, tmp_path) == StepError.exit_code
    assert f"there is no {tmp_path}/daily-0.json" in capsys.readouterr().out
