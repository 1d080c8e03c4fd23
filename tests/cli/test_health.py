"""What `doctor` looks for is what can be installed."""

from __future__ import annotations

import tomllib
from pathlib import Path

from anabranch.cli.health.machine import EXTRAS


def test_every_extra_is_looked_for() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert set(EXTRAS) == set(project["optional-dependencies"]) - {"all"}
    for extra, packages in EXTRAS.items():
        wanted = " ".join(project["optional-dependencies"][extra])
        assert all(each in wanted for each in packages), extra
