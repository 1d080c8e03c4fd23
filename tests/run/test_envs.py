from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.platforms.attempts import Attempt

from anabranch import worker
from anabranch.model.call import PythonCall, ShellCall
from anabranch.model.errors import StepError
from anabranch.model.pipeline import Needs, ValueOutput
from anabranch.model.task import Broken, Done
from anabranch.run.envs import activated, python_for

if TYPE_CHECKING:
    from collections.abc import Callable

SIX = ("six==1.16.0", "six==1.17.0")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache for all tests of this file; they are skipped where packages cannot be had."""
    folder = tmp_path_factory.mktemp("envs")
    try:
        python_for(SIX[:1], folder)
    except StepError as error:
        if "cannot be reached" in error.hint:
            pytest.skip(f"no package index: {error.message.splitlines()[-1]}")
        raise
    return folder


def version(python: Path) -> str:
    command = [str(python), "-c", "import six; print(six.__version__)"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_two_steps_have_two_versions_of_a_package(cache: Path) -> None:
    assert [version(python_for((each,), cache)) for each in SIX] == ["1.16.0", "1.17.0"]


def test_what_was_made_is_used_again_whatever_the_order(cache: Path) -> None:
    """Even without any installer."""
    first = python_for(("six==1.17.0", "iniconfig==2.1.0"), cache)
    before = sorted(cache.iterdir())
    assert python_for((" iniconfig==2.1.0", "six==1.17.0"), cache, extra=("six==1.16.0",)) == first
    assert sorted(cache.iterdir()) == before


def test_a_step_has_what_we_need_unless_it_asks_for_another(cache: Path) -> None:
    assert version(python_for(("iniconfig==2.1.0",), cache, extra=("six==1.16.0",))) == "1.16.0"
    assert version(python_for(("Six==1.17.0",), cache, extra=("six==1.16.0",))) == "1.17.0"


@pytest.mark.parametrize("ruin", [lambda env: (env / "complete").unlink(), lambda env: (env / "bin/python").unlink()])
def test_a_half_made_environment_is_made_anew(cache: Path, ruin: Callable[[Path], None]) -> None:
    """It may be of a process that was killed, or of a Python that was removed since."""
    python = python_for(SIX[:1], cache)
    shutil.rmtree(next(python.parents[1].glob("lib*/python*/site-packages/six-*")))
    (python.parents[1] / "left_behind").touch()
    ruin(python.parents[1])
    assert version(python_for(SIX[:1], cache)) == "1.16.0"
    assert not (python.parents[1] / "left_behind").exists()


def test_one_makes_it_and_the_others_wait(cache: Path, tmp_path: Path) -> None:
    """Five processes ask at once; one installs, and all get the whole."""
    code = (
        "import sys; from pathlib import Path; from anabranch.run.envs import python_for\n"
        "print(python_for(['six==1.16.0'], Path(sys.argv[1])))"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(5)
    ]
    told = [process.communicate(timeout=120) for process in started]
    assert [process.returncode for process in started] == [0] * 5, told
    assert len({out for out, _ in told}) == 1
    assert sum("installing" in err for _, err in told) == 1
    assert version(Path(told[0][0].strip())) == "1.16.0"
    assert cache.exists()


def test_pip_does_where_uv_is_not(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anabranch.run.envs.find_uv", str)
    assert cache.exists()
    assert version(python_for(SIX[:1], tmp_path)) == "1.16.0"
    with pytest.raises(StepError, match="six==99") as caught:
        python_for(("six==99",), tmp_path)
    assert caught.value.code == "requirements-not-installable"


def test_what_cannot_be_installed_is_told_in_the_resolvers_words(cache: Path) -> None:
    with pytest.raises(StepError, match=r"there is no version of six==99") as caught:
        python_for(("six==99",), cache)
    assert (caught.value.code, caught.value.hint) == ("requirements-not-installable", "correct the names and versions")


@pytest.mark.parametrize(
    "variables",
    [
        {"UV_OFFLINE": "1"},
        {"UV_INDEX_URL": "http://127.0.0.1:9/simple", "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple"},
    ],
)
def test_without_a_network_it_says_so(
    tmp_path: Path, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("uv") is None and not Path(sys.executable).with_name("uv").exists():
        pytest.skip("uv is not installed")
    for name, value in {**variables, "UV_HTTP_RETRIES": "0", "UV_CACHE_DIR": str(tmp_path / "empty")}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StepError, match="cannot be installed") as caught:
        python_for(SIX[:1], tmp_path)
    assert "run once with a network" in caught.value.hint


@pytest.mark.parametrize("text", ["-e .", "--index-url=http://x", "./here", "/abs", "", "git+https://x/y", "-r x.txt"])
def test_only_packages_are_requirements(tmp_path: Path, text: str) -> None:
    with pytest.raises(StepError) as caught:
        python_for((text,), tmp_path)
    assert caught.value.code == "bad-requirement"


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StepError, match="Not a directory") as caught:
        python_for(SIX[:1], tmp_path / "file" / "cache")
    assert "XDG_CACHE_HOME" in caught.value.hint


def attempt(root: Path, requirement: str) -> Attempt:
    return Attempt(root, gives=ValueOutput(), needs=Needs(requirements=(requirement,)))


@pytest.mark.parametrize("six", SIX)
def test_a_python_step_runs_in_its_own_interpreter(
    cache: Path, tmp_path: Path, six: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has its requirements, the project's modules, and nothing of the environment that anabranch runs in."""
    monkeypatch.setattr(worker, "cache_folder", lambda: cache)
    (tmp_path / "jobs.py").write_text(
        "import six, importlib.util\n"
        "def which(): return {'six': six.__version__, 'polars': importlib.util.find_spec('polars') is not None}\n"
    )
    outcome = worker.do(attempt(tmp_path, six).task(PythonCall("jobs:which")))
    assert isinstance(outcome, Done), outcome
    assert outcome.value == {"six": six.partition("==")[2], "polars": False}


def test_a_process_finds_the_commands_of_its_requirements_first(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "cache_folder", lambda: cache)
    command = 'python -c \'import six; print("\\"" + six.__version__ + "\\"")\' > ${out.value}'
    outcome = worker.do(attempt(tmp_path, SIX[0]).task(ShellCall((command,), shell=True)))
    assert isinstance(outcome, Done), outcome
    assert outcome.value == "1.16.0"
    assert activated(Path("/e/bin/python"))["VIRTUAL_ENV"] == "/e"


def test_a_steps_failure_names_what_could_not_be_installed(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "cache_folder", lambda: cache)
    outcome = worker.do(attempt(tmp_path, "six==99").task(PythonCall("jobs:which")))
    assert isinstance(outcome, Broken)
    assert outcome.failure.code == "requirements-not-installable"
