"""One pipeline, written in Python and as a spec, is one pipeline."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
import yaml
from tests.projects import ROOT, write

from anabranch.frontends.load import load_project
from anabranch.frontends.schema import project_schema, spec_schema
from anabranch.model import codec
from anabranch.model.errors import InvalidProject, NotFoundError

PYTHON = """
    from __future__ import annotations
    from datetime import date
    from pathlib import Path
    from anabranch import Column, Dataset, Param, Retry, S3ObjectCreated, dbt, pipeline, shell, spark, sql, step

    raw = Dataset("raw", format="csv", columns={"k": "int", "v": Column("v", "str", sensitive=True)}, primary_key=["k"],
                  ingestion="incremental", incremental_field="k")
    clean = Dataset("clean", stage="cleaned", partition_by=["k"], columns=["k"])
    last = Dataset("last", stage="final", format="jsonl", path="final/here.jsonl")

    @step(reads=raw.needs("k"), writes=clean, retry=Retry(attempts=3, delay=2), timeout="5m",
          requirements=["six==1.17.0"])
    def tidy(raw: Path, clean: Path, day: date) -> None:
        "Tidy up."
    @step
    def first(event: dict[str, int]) -> int: return 1
    @step
    def left(x: int) -> str: return ""
    @step(retry=2)
    def right(x: int) -> float: return 1.0
    @step
    def join(a: str, b: float) -> list[int]: return []
    @step
    def gather(items: list[str]) -> None: ...
    finish = shell("finish", ["cp", "${in.clean}", "${out.last}"], reads=clean.all(), writes=last, after=gather,
                   env={"A": "1"}, secrets={"T": "secret://env/T"}, external=True)
    p = pipeline("p", [tidy, first >> [left, right] >> join, left >> gather, finish],
                 schedule="0 6 * * *", timezone="Europe/Berlin",
                 params={"day": date(2013, 1, 5), "n": Param(int, choices=(1, 2))})
    q = pipeline("q", [sql("s", file="q.sql", reads=raw, writes="clean"),
                       spark("t", "j.py", ["${in.clean}"], reads="clean")],
                 trigger=S3ObjectCreated("inbox", suffix=".json"))
    """
SPEC_P = """
    pipeline: p2
    schedule: {cron: "0 6 * * *", timezone: Europe/Berlin}
    params:
      day: {type: date, default: 2013-01-05}
      n: {type: int, choices: [1, 2]}
    steps:
      finish:
        shell: [cp, "${in.clean}", "${out.last}"]
        reads: {clean: {dataset: clean, rows: all}}
        writes: last
        after: gather
        env: {A: 1}
        secrets: {T: "secret://env/T"}
        external: true
      tidy:
        python: jobs:tidy
        reads: {raw: {dataset: raw, columns: k}}
        writes: clean
        retry: {attempts: 3, delay: 2s}
        timeout: 300
        requirements: six==1.17.0
      first: {python: jobs:first}
      left: {python: jobs:left, takes: first}
      right: {python: jobs:right, takes: {x: first}, retry: 2}
      join: {python: jobs:join, takes: [left, right]}
      gather: {python: jobs:gather, takes: [left]}
    """
SPEC_Q = json.dumps(
    {
        "pipeline": "q2",
        "trigger": {"s3": {"bucket": "inbox", "suffix": ".json"}},
        "steps": {
            "t": {"spark": {"main": "j.py", "args": ["${in.clean}"]}, "reads": ["clean"]},
            "s": {"sql": {"file": "q.sql"}, "reads": ["raw"], "writes": ["clean"]},
        },
    }
)


@pytest.mark.parametrize("name", ["p", "q"])
def test_both_ways_give_one_fingerprint(tmp_path: Path, name: str) -> None:
    """Whatever the order, the short forms, and the file format."""
    write(
        tmp_path,
        {
            "anabranch.yaml": "project: t\npipelines: ['jobs:p', 'jobs:q', 'specs/*']\n",
            "jobs.py": PYTHON,
            "specs/p.yaml": SPEC_P,
            "specs/q.json": SPEC_Q,
        },
    )
    # Two projects in one test process would share a module of one name.
    (tmp_path / "jobs.py").rename(tmp_path / f"twin_{name}.py")
    for path in ("anabranch.yaml", "specs/p.yaml"):
        (tmp_path / path).write_text((tmp_path / path).read_text().replace("jobs:", f"twin_{name}:"))
    _, pipelines, _ = load_project(tmp_path)
    python, spec = pipelines[name], replace(pipelines[f"{name}2"], name=name)
    assert codec.fingerprint(python) == codec.fingerprint(spec)


def test_a_registry_in_csv_equals_one_in_yaml(tmp_path: Path) -> None:
    """One row a dataset, lists separated by semicolons."""
    head = "project: t\npipelines: [p.yaml]\ndatasets: {}\n"
    files = {
        "p.yaml": "pipeline: p\nsteps: {s: {shell: ['true'], reads: a, writes: b}}\n",
        "a/registry.csv": "name,stage,format,columns,primary_key,ingestion,incremental_field\n"
        "a,raw,csv,k:int;v:decimal(10;2),k,incremental,k\nb,final,,,,,\n".replace("(10;2)", "(10)"),
        "a/registry.yaml": """
            datasets:
              a: {format: csv, columns: {k: int, v: decimal(10)}, primary_key: [k], ingestion: incremental,
                  incremental_field: k}
              b: {stage: final}
            """,
    }
    found = []
    for kind in ("csv", "yaml"):
        root = write(tmp_path / kind, {**files, "anabranch.yaml": head.replace("{}", f"['a/registry.{kind}']")})
        _, pipelines, datasets = load_project(root)
        assert list(datasets) == ["a", "b"]
        found.append(codec.fingerprint(pipelines["p"]))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "files, code, line",
    [
        ({"anabranch.yaml": "project: t\npipelines: [p.yml]\n", "p.yaml": ""}, "missing-file", 2),
        ({"anabranch.yaml": "project: t\npipeline: [x]\n"}, "missing-key", 1),
        ({"anabranch.yaml": "project: t\npipelines: []\nstorage: .\n"}, "bad-storage", 3),
        ({"anabranch.yaml": "project: t\npipelines: []\ndatasets: [r.csv]\n"}, "missing-file", 3),
        (
            {"anabranch.yaml": "project: t\npipelines: []\ndatasets: [r.csv]\n", "r.csv": "name,stgae\na,raw\n"},
            "unknown-key",
            1,
        ),
        (
            {"anabranch.yaml": "project: t\npipelines: []\ndatasets: [r.csv]\n", "r.csv": "name\na\na\n"},
            "duplicate-key",
            3,
        ),
        (
            {"anabranch.yaml": "project: t\npipelines: []\ndatasets: [r.csv]\n", "r.csv": "name,stage\na,rwa\n"},
            "wrong-type",
            2,
        ),
        (
            {"anabranch.yaml": "project: t\npipelines: []\ndatasets: [r.csv]\n", "r.csv": "name,columns\na,k:itn\n"},
            "bad-type",
            2,
        ),
        ({"anabranch.yaml": "project: t\npipelines: ['no_such_module_here:p']\n"}, "missing-module", 2),
    ],
)
def test_bad_projects_are_told_with_their_line(tmp_path: Path, files: dict[str, str], code: str, line: int) -> None:
    """In whichever file the mistake stands."""
    with pytest.raises(InvalidProject) as caught:
        load_project(write(tmp_path, files))
    told = next(each for each in caught.value.diagnostics if each.code == code)
    assert told.place is not None
    assert told.place.line == line
    assert told.hint


def test_no_project_is_said(tmp_path: Path) -> None:
    """With both ways out."""
    with pytest.raises(NotFoundError) as caught:
        load_project(tmp_path)
    assert "anabranch init" in caught.value.hint


def test_the_schemas_take_what_the_reader_takes() -> None:
    """The example's specs are valid; unknown keys and wrong types are not."""
    for path, schema in (
        ("examples/flights/weekly.yaml", spec_schema()),
        ("examples/flights/anabranch.yaml", project_schema()),
    ):
        good = yaml.load((ROOT / path).read_text(), yaml.BaseLoader)
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        # The base loader gives text only; a checker of shapes must not mind.
        assert [each.message for each in validator.iter_errors(good)] == []
        assert any("stepz" in each.message for each in validator.iter_errors({**good, "stepz": 1}))
