"""What the tests of branches share: an inventory of main, and projects that change."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import yaml

from anabranch.app import Project


def inventory(storage: Path) -> dict[str, str]:
    """Return every file of main's with the digest of its content: data, tables, watermarks, journals; not branches."""
    return {
        path.relative_to(storage).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(storage.rglob("*"))
        if path.is_file() and "_branches" not in path.relative_to(storage).parts and path.name != "lock"
    }


def left_of_branches(root: Path) -> list[str]:
    """Return whatever still speaks of a branch: data, locks, logs of its runs."""
    found = [str(path) for path in (root / "data" / "_branches").rglob("*")]
    found += [str(path) for path in (root / ".anabranch" / "locks").rglob("*") if "main" not in path.parts]
    runs = root / ".anabranch" / "runs"
    known = {run.id for run in Project.load(root).runs.runs(limit=1000)}
    return found + [str(path) for path in (runs.iterdir() if runs.exists() else []) if path.name not in known]


def graph(seed: int, steps: int = 6) -> dict[str, list[str]]:
    """Return a random pipeline: for each step the datasets that it reads."""
    draw = random.Random(seed)
    known = ["raw_a", "raw_b"]
    found: dict[str, list[str]] = {}
    for i in range(steps):
        found[f"s{i}"] = sorted(draw.sample(known, k=min(len(known), draw.randint(1, 2))))
        known.append(f"d{i}")
    return found


FORMATS = ("parquet", "csv", "jsonl", "delta")


def write(root: Path, edges: dict[str, list[str]], plus: dict[str, int], *, chance: str = "") -> Path:
    """Write a project: each step adds up what it reads; `plus` changes the code of some."""
    datasets: dict[str, Any] = {
        name: {"stage": "raw", "format": "csv", "columns": {"k": "int64", "v": "int64"}, "primary_key": ["k"]}
        for name in ("raw_a", "raw_b")
    }
    shape: dict[str, Any] = {}
    for i, (step, reads) in enumerate(edges.items()):
        datasets[f"d{i}"] = {
            "stage": "cleaned",
            "format": FORMATS[i % len(FORMATS)],
            "columns": {"k": "int64", "v": "int64"},
            "primary_key": ["k"],
        }
        total = " UNION ALL ".join(f"SELECT k, v FROM {name}" for name in reads)
        query = f"SELECT k, CAST(sum(v) + {plus.get(step, 0)} AS BIGINT) AS v FROM ({total}) GROUP BY k"
        shape[step] = {"sql": query, "reads": reads, "writes": [f"d{i}"]}
    if chance:
        shape[chance]["sql"] = shape[chance]["sql"].replace("sum(v)", "sum(v) + (random() * 1000000)::BIGINT")
    root.mkdir(parents=True, exist_ok=True)
    (root / "anabranch.yaml").write_text("project: made\npipelines: [p.yaml]\n")
    (root / "p.yaml").write_text(
        yaml.safe_dump({"pipeline": "p", "datasets": datasets, "steps": shape}, sort_keys=False)
    )
    for name in ("raw_a", "raw_b"):
        path = root / "data" / "raw" / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text("k,v\n" + "".join(f"{i},{i * 7 % 11}\n" for i in range(20)))
    return root


def rows(root: Path, storage: Path, dataset: str) -> list[tuple[Any, ...]]:
    """Return the rows of a dataset below a storage root, sorted."""
    from anabranch.data.describe import read_dataset

    return sorted(read_dataset(storage, Project.load(root).datasets[dataset]).rows())


def dumped(value: object) -> str:
    """Return a value as text that compares."""
    return json.dumps(value, sort_keys=True, default=str)


def ran(root: Path) -> None:
    """Run main, and make sure that it succeeded; what failed is told."""
    done = Project.load(root).run("p")
    assert done.ok, [(step.step, step.failure) for step in done.run.steps if step.failure]
