"""The README says that its Python and its YAML are the same pipeline."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
SHOW = (
    "import sys; from anabranch.app import Project; from anabranch.model.codec import fingerprint\n"
    "project = Project.load(sys.argv[1])\n"
    "assert not project.check(), project.check()\n"
    "print(fingerprint(project.pipeline()))"
)


@pytest.fixture(scope="module")
def python() -> str:
    return next(block for block in blocks("python") if block.startswith("# flights.py"))


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_both_ways_give_one_fingerprint(tmp_path: Path, python: str) -> None:
    (spec,) = blocks("yaml")
    found: list[str] = []
    for name, source in (("py", "flights:daily"), ("yaml", "daily.yaml")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "flights.py").write_text(python)
        (folder / "daily.yaml").write_text(spec)
        (folder / "anabranch.yaml").write_text(f"project: p\npipelines: ['{source}']\n")
        done = subprocess.run(
            [sys.executable, "-c", SHOW, str(folder)], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        found.append(done.stdout)
    assert found[0] == found[1]


def test_it_runs_as_it_stands(tmp_path: Path, python: str) -> None:
    (tmp_path / "flights.py").write_text(python)
    (tmp_path / "anabranch.yaml").write_text("project: p\npipelines: [flights:daily]\n")
    (tmp_path / "data/raw").mkdir(parents=True)
    (tmp_path / "data/raw/flights.csv").write_text("flight_id,carrier,dep_delay\n1,AA,4\n2,AA,6\n3,AA,\n4,DL,0\n")
    command = [sys.executable, "-m", "anabranch", "run"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    made = (tmp_path / "data/final/delays_by_carrier.csv").read_text().splitlines()
    assert sorted(made) == ["AA,5.0", "DL,0.0", "carrier,mean_delay"]
