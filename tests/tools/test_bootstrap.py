"""tools/bootstrap.py: what it asks of the machine, and when it has nothing to do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import bootstrap

SCRIPT = Path(bootstrap.__file__)


def project(folder: Path) -> Path:
    """A project without dependencies: its lock files are empty, so that nothing is fetched."""
    (folder / "requirements").mkdir()
    for name in bootstrap.ENVIRONMENTS:
        (folder / "requirements" / f"{name}.txt").touch()
    shutil.copy(SCRIPT.parent.parent / "pyproject.toml", folder)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project without environments."""
    return project(tmp_path)


@pytest.fixture
def docs(root: Path) -> Path:
    """The folder of an environment that looks complete, below `root`: nothing may be installed into it."""
    folder = root / ".venv-docs"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    bootstrap.remember(folder, "docs", bootstrap.digest("docs", root))
    return folder


@pytest.fixture(scope="module")
def real_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose environment `docs` was really made."""
    root = project(tmp_path_factory.mktemp("project"))
    bootstrap.make("docs", root=root, installer="pip")
    return root


def test_an_old_python_is_refused_and_the_way_out_is_named() -> None:
    with pytest.raises(bootstrap.BootstrapError, match=r"3\.11 or newer, and this is 3\.9.*PYTHON=python3\.11"):
        bootstrap.check_python((3, 9))


def test_the_script_is_read_by_pythons_that_it_refuses() -> None:
    compile(SCRIPT.read_text(encoding="utf-8"), SCRIPT, "exec", dont_inherit=True)
    newer_syntax = ("match ", "except*", "type ")
    lines = (line.strip() for line in SCRIPT.read_text(encoding="utf-8").splitlines())
    assert not [line for line in lines if line.startswith(newer_syntax) and line.endswith(":")]


def test_an_environment_is_made_and_works(real_root: Path) -> None:
    folder = real_root / ".venv-docs"
    assert bootstrap.runs(folder / "bin" / "python")
    assert bootstrap.is_current("docs", folder, real_root)


def test_an_install_that_fails_is_tried_again(
    real_root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (real_root / "requirements" / "docs.txt").write_text("no-such-package==1\n")
    for _ in range(2):
        with pytest.raises(bootstrap.BootstrapError, match=r"requirements/docs\.txt could not be installed"):
            bootstrap.make("docs", root=real_root, installer="pip")
        assert "no-such-package" in capfd.readouterr().err


def test_a_second_call_installs_nothing(docs: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "install", lambda *_, **__: pytest.fail("installed again"))
    bootstrap.make("docs", root=root)
    assert bootstrap.is_current("docs", docs, root)


def test_a_changed_lock_file_is_installed(docs: Path, root: Path) -> None:
    (root / "requirements" / "docs.txt").write_text("# changed\n")
    assert not bootstrap.is_current("docs", docs, root)


def test_an_environment_whose_python_is_gone_is_made_anew(
    docs: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = docs / "bin" / "python"
    python.unlink()
    python.symlink_to(root / "gone")
    made: list[Path] = []
    monkeypatch.setattr(bootstrap, "create", lambda folder, _: made.append(folder))
    monkeypatch.setattr(bootstrap, "install", lambda *_, **__: None)
    bootstrap.make("docs", root=root)
    assert made == [docs]


def test_a_wide_environment_serves_a_narrower_one(docs: Path, root: Path) -> None:
    bootstrap.remember(docs, "dev", bootstrap.digest("dev", root))
    assert bootstrap.is_current("local", docs, root)
    assert bootstrap.is_current("base", docs, root)
    assert not bootstrap.is_current("dbt", docs, root)


def test_a_damaged_stamp_is_as_none(docs: Path, root: Path) -> None:
    bootstrap.stamp_path(docs).write_text("{")
    assert not bootstrap.is_current("docs", docs, root)


def test_a_missing_venv_module_names_the_package_to_install(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(bootstrap.BootstrapError, match=r"apt-get install python3\.\d+-venv"):
        bootstrap.make("docs", root=root, installer="pip")
    assert not (root / ".venv-docs").exists()
    assert "No such file" in capfd.readouterr().err


def test_where_uv_fails_pip_installs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    monkeypatch.setattr(bootstrap, "uv_command", lambda *_: ["uv"])
    monkeypatch.setattr(bootstrap, "pip_command", lambda *_: ["pip"])
    monkeypatch.setattr(bootstrap, "succeeds", lambda command: tried.append(command[0]) or command[0] == "pip")
    bootstrap.install("docs", root / ".venv-docs", root, uv=None, installer="auto")
    assert tried == ["uv", "pip"]


def test_an_unknown_environment_is_a_usage_error() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "nope"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "invalid choice: 'nope'" in done.stderr
