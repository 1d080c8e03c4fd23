"""Datasets in an object store: published whole or not at all, and branched without a trace."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.projects import write
from tools.aws import COMMAND, serving

from anabranch.app import Project
from anabranch.data.objects import publish, store
from anabranch.data.objects.store import Objects, objects
from anabranch.model import codec
from anabranch.model.errors import InvalidProject, StepError

if TYPE_CHECKING:
    from collections.abc import Generator

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="ministack is not installed: make test installs it")

SPEC = """
pipeline: p
datasets:
  raw: {{stage: raw, format: csv, columns: {{id: int64, v: int64}}, primary_key: [id]}}
  events: {{stage: raw, format: csv, columns: {{n: int64}}, ingestion: incremental, incremental_field: n}}
  mid: {{stage: cleaned, format: delta, primary_key: [id]}}
  parts: {{stage: final, partition_by: [k], primary_key: [id]}}
  seen: {{stage: final, format: jsonl}}
  copied: {{stage: final, format: csv}}
steps:
  clean: {{sql: "SELECT id, v * {factor} AS v FROM raw", reads: [raw], writes: [mid]}}
  part: {{sql: "SELECT id % 2 AS k, id, v FROM mid", reads: [mid], writes: [parts]}}
  grow: {{sql: "SELECT n FROM events", reads: [events], writes: [seen]}}
  copy: {{shell: [cp, "${{in.raw}}", "${{out.copied}}"], reads: [raw], writes: [copied]}}
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Generator[dict[str, str]]:
    """A store that runs for this module."""
    with serving(tmp_path_factory.mktemp("s3")) as found:
        yield found


@pytest.fixture
def lake(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Objects]:
    """A project whose storage is a prefix of its own, with raw data."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    url = f"s3://lake/{tmp_path.name}"
    project = f"project: lake\nstorage: {url}\npipelines: [p.yaml]\n"
    root = write(tmp_path, {"anabranch.yaml": project, "p.yaml": SPEC.format(factor=1)})
    found = objects(url)
    found.put("raw/raw.csv", b"id,v\n1,10\n2,20\n3,30\n")
    found.put("raw/events.csv", b"n\n1\n2\n")
    return root, found


def inventory(found: Objects) -> dict[str, tuple[int, str]]:
    """Return every object of main's."""
    return {key: told for key, told in found.list("").items() if not key.startswith("_branches/")}


def test_a_pipeline_runs_on_it_in_every_format(lake: tuple[Path, Objects]) -> None:
    """Files, folders, tables and processes; nothing of ours is left but watermarks."""
    root, found = lake
    run = Project.load(root).run("p")
    assert run.ok
    assert sorted(run.outputs["parts"].read()["id"].to_list()) == [1, 2, 3]
    keys = list(found.list(""))
    assert "final/parts.parquet/k=0/data_0.parquet" in keys
    assert "cleaned/mid/_delta_log/00000000000000000000.json" in keys
    assert found.read("final/copied.csv") == found.read("raw/raw.csv")
    assert [key for key in keys if key.startswith("_anabranch/")] == ["_anabranch/watermarks/p/grow/events.json"]


def test_a_dataset_that_shrinks_leaves_no_part_behind(lake: tuple[Path, Objects]) -> None:
    """A folder is replaced as a whole."""
    root, found = lake
    Project.load(root).run("p")
    found.put("raw/raw.csv", b"id,v\n2,20\n")
    Project.load(root).run("p")
    assert [key for key in found.list("final/parts.parquet")] == ["final/parts.parquet/k=0/data_0.parquet"]  # noqa: C416


def test_incremental_steps_keep_their_watermark_there(lake: tuple[Path, Objects]) -> None:
    """Another machine, with an empty cache, goes on where this one stopped."""
    root, found = lake
    Project.load(root).run("p")
    found.put("raw/events.csv", b"n\n1\n2\n3\n")
    found.put("final/seen.jsonl", b'{"n":7}\n')  # what lies there is what grows, whoever wrote it
    Project.load(root).run("p")
    assert (found.read("final/seen.jsonl") or b"").count(b"n") == 2


def test_a_branch_leaves_main_as_it_is_and_nothing_behind(lake: tuple[Path, Objects]) -> None:
    """Its objects lie below its root; the deltas tell the change; after the drop a listing finds nothing."""
    root, found = lake
    Project.load(root).run("p")
    before = inventory(found)
    (root / "p.yaml").write_text(SPEC.format(factor=2))
    project = Project.load(root)
    branch = project.branches.create("b/x")
    assert branch.steps == ("clean", "part")
    done = project.branches.run("b/x")
    assert done is not None
    assert done.ok
    report = project.branches.deltas("b/x")
    assert [(delta.dataset, delta.changed) for delta in report.datasets] == [("mid", 3), ("parts", 3)]
    assert inventory(found) == before
    assert all(key.startswith(f"_branches/{branch.slug}/") for key in set(found.list("")) - set(before))
    project.branches.drop("b/x")
    assert found.list("") == before
    assert not Path(branch.root).exists()


def test_a_promotion_and_its_undo(lake: tuple[Path, Objects]) -> None:
    """Main gets what the branch made, and gets back what it had."""
    root, _ = lake
    Project.load(root).run("p")
    (root / "p.yaml").write_text(SPEC.format(factor=2))
    project = Project.load(root)
    project.branches.create("go")
    project.branches.run("go")
    project.branches.deltas("go")
    project.branches.promote("go")

    def values(name: str) -> list[int]:
        from anabranch.data.describe import read_dataset

        return sorted(read_dataset(project.storage, project.datasets[name])["v"].to_list())

    assert values("mid") == values("parts") == [20, 40, 60]
    project.branches.undo("go")
    assert values("mid") == values("parts") == [10, 20, 30]


def test_a_publication_that_was_cut_off_is_finished_by_whoever_comes_next(lake: tuple[Path, Objects]) -> None:
    """Killed at random moments, then run again: the data is that of one run, and nothing is left of the others."""
    root, found = lake
    draw = random.Random(7)
    for round_ in range(6):
        found.put("raw/raw.csv", f"id,v\n1,{round_}\n2,{round_}\n".encode())
        process = subprocess.Popen(
            [sys.executable, "-m", "anabranch", "run", "p"],
            cwd=root,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(draw.uniform(0.2, 1.2))
        process.kill()
        process.wait()
    run = Project.load(root).run("p", wait=30)
    assert run.ok
    assert set(run.outputs["parts"].read()["v"].to_list()) == {5}
    assert set(run.outputs["mid"].read()["v"].to_list()) == {5}
    keys = [key for key in found.list("") if key.startswith("_anabranch/")]
    assert keys == ["_anabranch/watermarks/p/grow/events.json"]


@pytest.mark.parametrize("left", [(), (0,)])
def test_a_journal_that_comes_when_its_data_was_dropped_changes_nothing(
    lake: tuple[Path, Objects], left: tuple[int, ...]
) -> None:
    """It was under way when its process died; whether all of its data is gone by then, or half of it."""
    root, found = lake
    project = Project.load(root)
    project.run("p")
    before = inventory(found)
    moves = [
        {"staged": f"_anabranch/staging/p/x/{number}", "names": [""], "append": False}
        | {"spec": codec.encode(project.datasets[name])}
        for number, name in enumerate(("seen", "copied"))
    ]
    for number in left:
        found.put(f"_anabranch/staging/p/x/{number}", b"half")
    told = {"publication": "x", "pipeline": "p", "moves": moves, "marks": [], "gone": []}
    found.put("_anabranch/journal/p/x.json", json.dumps(told).encode())
    assert publish.recover(project.storage, found, "p") == 0
    assert inventory(found) == before
    assert project.run("p").ok


def test_a_lock_that_a_dead_process_left_is_taken_over_and_one_that_lives_is_not(
    lake: tuple[Path, Objects], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its lease."""
    _, found = lake
    found.put(publish._LOCK, json.dumps({"holder": "gone", "until": time.time() - 1}).encode())
    with publish.alone(found):
        monkeypatch.setattr(publish, "_PATIENCE", 0.3)
        with pytest.raises(StepError, match="is locked by"), publish.alone(found):
            pass
    assert found.list(publish._LOCK) == {}


def test_what_cannot_be_reached_is_told(lake: tuple[Path, Objects], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where, why, and one thing to try."""
    root, _ = lake
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(store, "_RETRIES", {"max_retries": 0})
    with pytest.raises(StepError, match="cannot be used") as caught:
        Objects(f"s3://lake/{root.name}").list("")
    assert caught.value.hint


def test_a_place_is_where_the_environment_says_it_is_now(
    lake: tuple[Path, Objects], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that was made for one endpoint, or with keys that are over, is not asked for another."""
    _, found = lake
    assert objects(found.url) is found
    for name, value in (("AWS_ENDPOINT_URL", "http://127.0.0.1:1"), ("AWS_SECRET_ACCESS_KEY", "new")):
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv(name, value)
            assert objects(found.url) is not found
    assert objects(found.url) is found


def test_a_profile_is_as_good_as_keys(
    lake: tuple[Path, Objects], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with AWS's own tools; without anything it is said at once, and with what to do."""
    _, found = lake
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(StepError, match="no credentials for s3://lake") as caught:
        objects(found.url)
    assert "aws sso login" in caught.value.hint
    (tmp_path / "credentials").write_text("[data]\naws_access_key_id = test\naws_secret_access_key = test\n")
    (tmp_path / "config").write_text("[profile data]\nregion = us-east-1\n")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(StepError, match="nobody"):
        objects(found.url)
    monkeypatch.setenv("AWS_PROFILE", "data")
    assert objects(found.url).list("") == found.list("")
    (tmp_path / "config").write_text("[profile data]\nregion = us-east-1\ncredential_process = /bin/false\n")
    (tmp_path / "credentials").unlink()
    with pytest.raises(StepError):
        Objects(found.url).list("")


def test_iceberg_is_refused_there(lake: tuple[Path, Objects]) -> None:
    """Its catalogue cannot be kept in an object store; `check` says so."""
    root, _ = lake
    (root / "p.yaml").write_text(SPEC.format(factor=1).replace("format: delta", "format: iceberg"))
    with pytest.raises(InvalidProject, match="Iceberg"):
        Project.load(root).run("p")


def test_workers_that_begin_at_once_share_a_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of one name, made ready beside its place by two at once, was gone when the second came to move it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    code = "from anabranch.data.objects.mirror import local\nfor i in range(200): local(f's3://lake/{i}')"
    started = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate(timeout=60)[1] for process in started] == [""] * 4


@pytest.mark.usefixtures("lake")
def test_a_bucket_that_is_not_there_is_told() -> None:
    """Not as a key that is not there, and not as an error of ours."""
    store = Objects("s3://nobody-made-this/below")
    for act in (lambda: store.list("a"), lambda: store.put("a", b""), lambda: store.put("a", b"", fresh=True)):
        with pytest.raises(StepError) as told:
            act()
        assert told.value.code == "no-bucket"
