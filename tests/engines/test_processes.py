"""Process steps as users write them: arguments, secrets, floods of output, deaths, environments of their own."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from tests.projects import anabranch, result, write

NASTY = "a b'c\"d$(touch pwned);`touch pwned`\n<&>é\\"


def one_step(root: Path, step: str, *, datasets: str = "{}", params: str = "{}") -> Path:
    """A project with one step, `s`."""
    return write(
        root,
        {
            "anabranch.yaml": "project: p\npipelines: [p.yaml]\n",
            "p.yaml": f"pipeline: p\nparams: {params}\ndatasets: {datasets}\nsteps:\n  s: {step}\n",
        },
    )


@pytest.mark.parametrize("shell", ["[printf, '%s', '${params.x}']", '"printf %s ${params.x}"'])
def test_a_param_is_never_a_command(tmp_path: Path, shell: str) -> None:
    """Neither as an argument nor in a shell string."""
    root = one_step(tmp_path, f"{{shell: {shell}}}", params="{x: string}")
    anabranch(root, "run", "-p", f"x={NASTY}")
    log = next((root / ".anabranch" / "runs").glob("*/logs/s.1.log"))
    assert log.read_text() == NASTY
    assert not (root / "pwned").exists()


def test_ports_reach_a_process_three_ways(tmp_path: Path) -> None:
    """Arguments, environment and the context file say the same; a value comes back as JSON."""
    script = (
        "import json, os, sys; c = json.load(open(os.environ['ANABRANCH_CONTEXT'])); "
        "assert sys.argv[1] == os.environ['ANABRANCH_IN_A'] == c['inputs']['a']['location']; "
        "assert os.environ['ANABRANCH_PARAM_N'] == c['params']['n'] == '3'; "
        "open(c['outputs']['b']['location'], 'w').write(open(sys.argv[1]).read()); "
        "json.dump({'rows': 1}, open(os.environ['ANABRANCH_OUT_VALUE'], 'w'))"
    )
    step = json.dumps(
        {"shell": ["python3", "-c", script, "${in.a}"], "reads": ["a"], "writes": ["b"], "gives": {"rows": "int"}}
    )
    datasets = "{a: {format: csv}, b: {stage: final, format: csv}}"
    root = write(
        one_step(tmp_path, step, datasets=datasets, params="{n: {type: int, default: 3}}"), {"data/raw/a.csv": "x\n1\n"}
    )
    told = result(root, "run")
    assert (root / "data/final/b.csv").read_text() == "x\n1\n"
    assert '"rows": 1' in json.dumps(told)


def test_a_secret_is_in_no_log_event_or_error(tmp_path: Path) -> None:
    """The step has it; whatever it prints, and however it fails, nobody else sees it."""
    secret = "hunter2-hunter2"
    step = "{shell: \"echo $TOKEN; echo $TOKEN >&2; exit 3\", secrets: {TOKEN: 'secret://env/MY_TOKEN'}}"
    root = one_step(tmp_path, step)
    told = anabranch(root, "run", code=4, MY_TOKEN=secret)
    assert secret not in told
    for path in (root / ".anabranch").rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path
    assert "***" in next((root / ".anabranch" / "runs").glob("*/logs/s.1.log")).read_text()


def test_a_missing_secret_is_named_by_its_reference(tmp_path: Path) -> None:
    """Before the process starts."""
    root = one_step(tmp_path, "{shell: ['true'], secrets: {TOKEN: 'secret://env/NO_SUCH_TOKEN'}}")
    told = anabranch(root, "run", code=4)
    assert "secret://env/NO_SUCH_TOKEN" in told
    assert "export NO_SUCH_TOKEN" in told


def test_a_step_that_prints_100_mb_does_no_harm(tmp_path: Path) -> None:
    """All of it is in the log, none of it in memory or on the screen."""
    root = one_step(tmp_path, "{shell: \"yes 'a line of output' | head -c 100000000\"}")
    assert len(anabranch(root, "run")) < 2000
    log = next((root / ".anabranch" / "runs").glob("*/logs/s.1.log"))
    assert log.stat().st_size == 100_000_000
    assert len(anabranch(root, "runs", "logs", "last", "s", "--tail", "3").splitlines()) <= 4


@pytest.mark.parametrize(
    "shell, words",
    [
        ("[no-such-command]", ["command-not-found", "no-such-command"]),
        ("[sh, -c, 'exit 7']", ["`sh` exited with 7"]),
        ("[sh, -c, 'kill -9 $$']", ["killed by SIGKILL"]),
        ("[./script]", ["not-executable", "chmod +x"]),
    ],
)
def test_how_a_process_ended_is_told(tmp_path: Path, shell: str, words: list[str]) -> None:
    """With one thing to try, and the way to retry."""
    root = write(one_step(tmp_path, f"{{shell: {shell}}}"), {"script": "true\n"})
    told = anabranch(root, "run", code=4)
    assert all(word in told for word in [*words, "anabranch runs retry"]), told


def online() -> bool:
    """Whether packages can be had: asked of the installer's own settings, without naming a registry."""
    return "PIP_NO_INDEX" not in os.environ and socket.has_ipv6 is not None


@pytest.mark.slow
@pytest.mark.skipif(not online(), reason="packages cannot be installed here")
def test_two_steps_have_requirements_of_their_own(tmp_path: Path) -> None:
    """Different versions of one package in one run, made once and kept."""
    root = write(
        tmp_path / "project",
        {
            "anabranch.yaml": "project: p\npipelines: ['jobs:p']\n",
            "jobs.py": """
                from anabranch import pipeline, step
                def version() -> str:
                    import six
                    return six.__version__
                def both(a: str, b: str) -> str:
                    return a + " " + b
                old = step(name="old", requirements=["six==1.16.0"])(version)
                new = step(name="new", requirements=["six==1.17.0"])(version)
                p = pipeline("p", [old, new] >> step(both))
                """,
        },
    )
    anabranch(root, "run", XDG_CACHE_HOME=str(tmp_path / "cache"))
    shown = json.dumps(result(root, "runs", "show", "last"))
    assert "1.16.0 1.17.0" in shown
    made = sorted((tmp_path / "cache" / "anabranch" / "envs").glob("*/complete"))
    assert len(made) == 2
    before = [path.stat().st_mtime_ns for path in made]
    anabranch(root, "run", XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert [path.stat().st_mtime_ns for path in made] == before


def test_requirements_that_cannot_be_installed_are_told(tmp_path: Path) -> None:
    """With the installer's own words."""
    root = write(
        tmp_path / "project",
        {
            "anabranch.yaml": "project: p\npipelines: ['jobs:p']\n",
            "jobs.py": """
                from anabranch import pipeline, step
                @step(requirements=["six==0.0.0.1"])
                def f() -> None: ...
                p = pipeline("p", f)
                """,
        },
    )
    told = anabranch(root, "run", code=4, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert "requirements-not-installable" in told
    assert "six" in told
