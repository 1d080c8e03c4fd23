"""Branches of the examples, and of small projects that are odd: what people do to pipelines besides mending a line."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.invariants.branches import inventory, left_of_branches
from tests.projects import ROOT, anabranch, result, write

from anabranch.app import Project
from anabranch.model.branch import BranchKind
from anabranch.model.delta import Status, Verdict
from anabranch.model.errors import StepError

MADE = shutil.ignore_patterns("cleaned", "final", "_anabranch", "_branches", ".anabranch", "__pycache__", ".mypy_cache")


def example(name: str, tmp_path: Path) -> Path:
    """Return a copy of an example."""
    shutil.copytree(ROOT / "examples" / name, tmp_path / name, ignore=MADE)
    return tmp_path / name


def mend(path: Path, old: str, new: str) -> None:
    """Change a text in a file."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_flights_and_its_report(tmp_path: Path) -> None:
    """One line, three steps; the page is one file, asks for nothing, and is below a megabyte."""
    root = example("flights", tmp_path)
    anabranch(root, "run", "daily")
    before = inventory(root / "data")
    mend(root / "flights.py", "visib < 1 AS foggy", "visib < 0.62 AS foggy")
    made = result(root, "branch", "create", "fog")["branch"]
    assert [(each["step"], each["role"]) for each in made["steps"]] == [
        ("clean_weather", "changed"),
        ("add_weather", "downstream"),
        ("by_weather", "downstream"),
    ]
    anabranch(root, "branch", "run", "fog")
    told = result(root, "branch", "deltas", "fog", "--html", "out.html", "--markdown", "out.md", "--exit-code", code=6)
    assert [(each["dataset"], each["changed"]) for each in told["report"]["datasets"]] == [
        ("weather_hourly", 31),
        ("legs_in_weather", 429),
        ("delays_by_weather", 4),
    ]
    page = (root / "out.html").read_text()
    assert len(page.encode()) < 1_000_000
    assert not re.findall(r"<script|<link|<img|@import|url\((?!#)|src=|https?://(?!www\.w3\.org/2000/svg)", page)
    assert "weather_hourly" in (root / "out.md").read_text()
    assert inventory(root / "data") == before
    anabranch(root, "branch", "drop", "fog", "--yes")
    assert left_of_branches(root) == []


def test_a_step_that_takes_values_gets_mains(tmp_path: Path) -> None:
    """Of steps that are not in the branch, the values of main's last run are handed over."""
    root = example("ingest", tmp_path)
    event = (root / "event.json").read_text()
    anabranch(root, "run", "ingest", "--input", event)
    before = inventory(root / "data")
    project = Project.load(root)
    steps = [step.id for step in project.pipeline("ingest").steps]
    branch = project.branches.create("values", "ingest", at=[steps[-1]])
    assert branch.steps == (steps[-1],)
    done = project.branches.run("values")
    assert done is not None
    assert done.ok, done.run
    assert inventory(root / "data") == before


SPEC = """
pipeline: p
params: {{factor: {{type: int, default: 1}}}}
datasets:
  raw: {{stage: raw, format: csv, columns: {{id: int64, v: int64}}, primary_key: [id]}}
  mid: {{stage: cleaned, format: {form}, columns: {columns}, primary_key: [id]}}
  out: {{stage: final, format: csv, primary_key: [id]}}
steps:
  a: {{sql: "{query}", reads: [raw], writes: [mid]}}
  b: {{sql: "SELECT id, v FROM mid", reads: [mid], writes: [out]}}
"""
PLAIN: dict[str, Any] = {
    "form": "csv",
    "columns": "{id: int64, v: int64}",
    "query": "SELECT id, v * $factor AS v FROM raw",
}


def odd(tmp_path: Path, **changes: str) -> Path:
    """Write the small project; run main when nothing is changed yet."""
    root = write(tmp_path, {"anabranch.yaml": "project: odd\npipelines: [p.yaml]\n"})
    (root / "p.yaml").write_text(SPEC.format(**(PLAIN | changes)))
    if not changes:
        write(root, {"data/raw/raw.csv": "id,v\n1,10\n2,20\n"})
        anabranch(root, "run")
    return root


def compared(root: Path, *options: str) -> dict[str, Any]:
    """Make a branch of what has changed, run it, and return its deltas by dataset."""
    anabranch(root, "branch", "create", "b")
    anabranch(root, "branch", "run", "b")
    told = result(root, "branch", "deltas", "b", *options)["report"]
    return {each["dataset"]: each for each in told["datasets"]}


def test_a_dataset_that_changes_its_format_is_compared_by_rows(tmp_path: Path) -> None:
    """And it is said."""
    odd(tmp_path)
    told = compared(odd(tmp_path, form="parquet"))
    assert (told["mid"]["verdict"], told["mid"]["same"]) == ("equal", 2)
    assert any("main's is csv" in note for note in told["mid"]["notes"])
    assert told["out"]["verdict"] == "identical"


def test_a_column_that_is_renamed_and_one_that_is_retyped(tmp_path: Path) -> None:
    """The first is one removed and one added; the second shows both types."""
    odd(tmp_path)
    text = SPEC.format(
        **(PLAIN | {"columns": "{id: int64, w: string}", "query": "SELECT id, v::VARCHAR AS w FROM raw"})
    )
    (tmp_path / "p.yaml").write_text(text.replace("SELECT id, v FROM mid", "SELECT id, w FROM mid"))
    told = compared(tmp_path)
    status = {each["name"]: each["status"] for each in told["mid"]["columns"]}
    assert status == {"id": "key", "v": "removed", "w": "added"}
    assert told["mid"]["verdict"] == "schema"


def test_a_new_step_and_a_step_that_is_gone(tmp_path: Path) -> None:
    """The new dataset is added; what main has of the other stays main's."""
    odd(tmp_path)
    text = (tmp_path / "p.yaml").read_text()
    text = text.replace("  out: {", "  fresh: {stage: final, format: csv}\n  out: {")
    text += '  c: {sql: "SELECT count(*) AS n FROM mid", reads: [mid], writes: [fresh]}\n'
    (tmp_path / "p.yaml").write_text(text)
    told = compared(tmp_path)
    assert {name: each["verdict"] for name, each in told.items()} == {"fresh": "added"}


def test_other_params_are_compared_with_a_control(tmp_path: Path) -> None:
    """Main's code, with the branch's params: so the delta is the change of code, and nothing else."""
    root = odd(tmp_path)
    odd(tmp_path, query="SELECT id, v * $factor + 1 AS v FROM raw")
    anabranch(root, "branch", "create", "b")
    anabranch(root, "branch", "run", "b", "-p", "factor=100")
    report = result(root, "branch", "deltas", "b")["report"]
    cell = report["datasets"][0]["columns"][1]["examples"][0]
    assert (cell["before"], cell["after"]) == ("1000", "1001")
    assert {each["of"] for each in report["bases"]} == {"control"}


def test_a_branch_that_fails_is_retried_with_fixed_code_and_never_promoted_before(tmp_path: Path) -> None:
    """`runs retry` works on its run, below its root."""
    root = odd(tmp_path)
    before = inventory(root / "data")
    odd(tmp_path, query="SELECT id, error('no') AS v FROM raw")
    anabranch(root, "branch", "create", "b")
    anabranch(root, "branch", "run", "b", code=4)
    assert "has failed" in anabranch(root, "branch", "promote", "b", "--yes", code=7)
    odd(tmp_path, query="SELECT id, v + 1 AS v FROM raw")
    anabranch(root, "runs", "retry", "last")
    assert inventory(root / "data") == before
    told = result(root, "branch", "deltas", "b")["report"]
    assert told["datasets"][0]["changed"] == 2


def test_a_contract_that_the_branch_breaks(tmp_path: Path) -> None:
    """Nothing is published in the branch either; exit code 5."""
    root = odd(tmp_path)
    odd(tmp_path, query="SELECT 1::BIGINT AS id, v FROM raw")
    anabranch(root, "branch", "create", "b")
    assert "is not unique" in anabranch(root, "branch", "run", "b", code=5)
    report = result(root, "branch", "deltas", "b")["report"]
    assert report["datasets"] == []
    assert ["is not unique" in each for each in report["breaches"]] == [True]


def test_a_key_that_is_not_unique_in_main(tmp_path: Path) -> None:
    """Put there by hand: it is compared as multisets, and told."""
    root = odd(tmp_path)
    project = Project.load(root)
    odd(tmp_path, query="SELECT id, v + 1 AS v FROM raw")
    anabranch(root, "branch", "create", "b")
    anabranch(root, "branch", "run", "b")
    (root / "data/cleaned/mid.csv").write_text("id,v\n1,10\n1,11\n2,20\n")
    told = {each.dataset: each for each in project.branches.deltas("b", None).datasets}
    assert told["mid"].duplicates == (0, 0), "main's last run is what it is compared with: a control makes it anew"
    from anabranch.app.branches.deltas import Asked

    told = {each.dataset: each for each in project.branches.deltas("b", Asked(control="never")).datasets}
    assert told["mid"].duplicates == (1, 0)
    assert (told["mid"].before, told["mid"].changed, told["mid"].removed) == (3, 1, 1)


def test_serving_keeps_mains_code_and_inputs(tmp_path: Path) -> None:
    """Whatever the project's code is by now, it gives what main gave."""
    root = odd(tmp_path)
    main = (root / "data/final/out.csv").read_text()
    project = Project.load(root)
    made = project.branches.create("keep", kind=BranchKind.SERVING)
    assert made.steps == ("a", "b")
    assert [pin.dataset for pin in made.pins] == ["raw"], "pinned when it is made"
    odd(tmp_path, query="SELECT id, v + 5 AS v FROM raw")
    project = Project.load(root)
    done = project.branches.run("keep")
    assert done is not None
    assert done.ok
    assert (Path(project.branches.find("keep").root) / "final/out.csv").read_text() == main


def test_e2e_follows_main(tmp_path: Path) -> None:
    """After each run of main it runs again, on what main has now."""
    root = odd(tmp_path)
    odd(tmp_path, query="SELECT id, v + 5 AS v FROM raw")
    anabranch(root, "branch", "create", "watch", "--kind", "e2e", "--at", "a")
    (root / "data/raw/raw.csv").write_text("id,v\n7,70\n")
    told = anabranch(root, "run")
    assert "branch watch follows main" in told
    made = Path(Project.load(root).branches.find("watch").root) / "final/out.csv"
    assert made.read_text() == "id,v\n7,75\n"


def test_a_git_branch_is_one_branch(tmp_path: Path) -> None:
    """A push brings it up to date; the trunk is refused."""
    root = odd(tmp_path)
    git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], check=True)
    assert "is what others leave" in anabranch(root, "branch", "create", "--from-git", code=2)
    subprocess.run([*git, "switch", "-qc", "feature/Zwei"], check=True)
    assert result(root, "branch", "create", "--from-git")["branch"]["steps"] == []
    odd(tmp_path, query="SELECT id, v + 5 AS v FROM raw")
    made = result(root, "branch", "create", "--from-git")["branch"]
    assert (made["name"], [each["step"] for each in made["steps"]]) == ("feature/Zwei", ["a", "b"])


def test_an_input_that_main_is_in_the_middle_of_publishing_is_waited_for_and_never_finished(tmp_path: Path) -> None:
    """A branch changes nothing in main, not even what a crash left."""
    root = odd(tmp_path)
    odd(tmp_path, query="SELECT id, v + 5 AS v FROM raw")
    journal = root / "data/_anabranch/journal/p/left.json"
    journal.parent.mkdir(parents=True, exist_ok=True)
    journal.write_text(json.dumps({"publication": "left", "moves": [], "marks": []}))
    project = Project.load(root)
    project.branches.create("b")
    before = inventory(root / "data")
    with pytest.raises(StepError, match="was cut off"):
        project.branches.run("b")
    assert inventory(root / "data") == before


def test_a_column_marked_sensitive_is_in_no_report(tmp_path: Path) -> None:
    """Not in the terminal, JSON, Markdown or page."""
    root = odd(tmp_path)
    hidden = "{id: int64, v: {type: int64, sensitive: true}}"
    (root / "data/raw/raw.csv").write_text("id,v\n1,987654\n2,20\n")
    odd(tmp_path, columns=hidden)
    anabranch(root, "run")
    odd(tmp_path, columns=hidden, query="SELECT id, v + 1 AS v FROM raw WHERE id = 1 UNION ALL SELECT 3, 987651")
    anabranch(root, "branch", "create", "b")
    anabranch(root, "branch", "run", "b")
    shown = anabranch(root, "branch", "deltas", "b", "--html", "o.html", "--markdown", "o.md")
    shown += json.dumps(result(root, "branch", "deltas", "b")["report"]["datasets"][0])
    shown = shown.split('"dataset": "out"')[0]
    mid = re.split(r"^out$", shown, flags=re.MULTILINE)[0]
    assert "***" in mid
    assert "98765" not in mid


def test_verdicts_and_statuses_are_words_that_json_keeps(tmp_path: Path) -> None:
    """What programs read is told in the words of the model."""
    odd(tmp_path)
    told = compared(odd(tmp_path, query="SELECT id, v + 1 AS v FROM raw"))
    assert Verdict(told["mid"]["verdict"]) is Verdict.CHANGED
    assert {Status(each["status"]) for each in told["mid"]["columns"]} == {Status.KEY, Status.CHANGED}
