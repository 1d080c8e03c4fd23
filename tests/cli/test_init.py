from __future__ import annotations

from pathlib import Path

import pytest

from anabranch.cli import main
from anabranch.cli.verbs import init


@pytest.fixture(autouse=True)
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "template"
    (folder / "steps" / "__pycache__").mkdir(parents=True)
    (folder / "anabranch.yaml").write_text("project: PROJECT_NAME\n")
    (folder / "dot_gitignore").write_text(".anabranch/\n")
    (folder / "steps" / "clean.py").write_text("x = 1\n")
    (folder / "steps" / "__pycache__" / "clean.pyc").write_bytes(b"")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(init, "TEMPLATE", folder)
    return folder


def made(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_project_is_made_and_named_after_its_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "My shop"]) == 0
    assert made(Path("My shop")) == [".gitignore", "anabranch.yaml", "steps/clean.py"]
    assert Path("My shop/anabranch.yaml").read_text() == "project: my_shop\n"
    assert "anabranch run" in capsys.readouterr().out


def test_a_file_that_exists_is_never_overwritten_and_nothing_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    Path("steps").mkdir()
    Path("steps/clean.py").write_text("mine")
    assert main(["init"]) == 7
    assert made(Path()) == ["steps/clean.py"]
    assert Path("steps/clean.py").read_text() == "mine"
    assert "error[file-exists]" in capsys.readouterr().err


def test_a_dangling_link_is_not_written_through() -> None:
    Path("anabranch.yaml").symlink_to("../elsewhere")
    assert main(["init"]) == 7
    assert not Path("../elsewhere").exists()


def test_a_file_in_place_of_the_folder_is_a_usage_error() -> None:
    Path("taken").touch()
    assert main(["init", "taken"]) == 2
