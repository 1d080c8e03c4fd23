from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.platforms.attempts import Attempt

from anabranch.model.call import DbtCall
from anabranch.model.errors import ContractError, StepError
from anabranch.model.pipeline import Needs, ParamType
from anabranch.model.place import Place
from anabranch.model.run import StepState
from anabranch.platforms.dbt.results import failure, read, trouble

RAN = {"status": "success", "execution_time": 0.5, "message": "OK", "adapter_response": {"rows_affected": 7}}


def result(unique_id: str, **fields: Any) -> dict[str, Any]:
    """One entry of run_results.json, as dbt writes it."""
    return {"unique_id": unique_id, **RAN, **fields}


def told(folder: Path, *results: dict[str, Any]) -> Path:
    """A target folder with these results, and files of these names."""
    names = [each["unique_id"].split(".")[2] for each in results]
    known = {
        each["unique_id"]: {"name": name, "original_file_path": f"models/{name}.sql", "compiled_path": f"/t/{name}.sql"}
        for each, name in zip(results, names, strict=True)
    }
    (folder / "run_results.json").write_text(json.dumps({"results": results}))
    (folder / "manifest.json").write_text(json.dumps({"nodes": known}))
    return folder


def test_each_node_is_a_part_of_the_step(tmp_path: Path) -> None:
    """With its kind and name, state, seconds and rows; a message where there is something to say."""
    nodes = read(
        told(
            tmp_path,
            result("model.shop.legs"),
            result("test.shop.unique_legs_id.0ab", status="warn", message="Got 2 results", adapter_response={}),
            result("seed.shop.codes", status="skipped", message=None, execution_time=0, adapter_response={}),
        )
    )
    assert [(p.name, p.state, p.seconds, p.rows, p.message) for p in (node.part for node in nodes)] == [
        ("model legs", StepState.SUCCEEDED, 0.5, 7, ""),
        ("test unique_legs_id", StepState.SUCCEEDED, 0.5, None, "Got 2 results"),
        ("seed codes", StepState.SKIPPED, 0.0, None, ""),
    ]
    assert failure(nodes, "shop") is None


def test_a_failed_model_is_named_with_its_file_and_sql(tmp_path: Path) -> None:
    message = "Runtime Error in model legs (models/legs.sql)\n  Binder Error: no x\n  \n  LINE 1: ..."
    error = failure(read(told(tmp_path, result("model.shop.legs", status="error", message=message))), "shop")
    assert isinstance(error, StepError)
    assert error.message == "model legs (models/legs.sql): Binder Error: no x"
    assert (error.place, error.hint) == (Place("shop/models/legs.sql"), "the SQL that ran is /t/legs.sql")


@pytest.mark.parametrize(
    "results, kind",
    [
        ([("test.shop.a.1", "fail"), ("test.shop.b.2", "fail"), ("model.shop.c", "skipped")], ContractError),
        ([("test.shop.a.1", "fail"), ("model.shop.b", "error")], StepError),
        ([("test.shop.a.1", "error")], StepError),
        ([("unit_test.shop.a.b", "fail")], StepError),
        ([("model.shop.a", "partial success")], StepError),
    ],
)
def test_only_data_that_fails_its_tests_breaks_a_contract(tmp_path: Path, results: list[Any], kind: type) -> None:
    """Not a test that cannot run, and not a unit test, which is of code."""
    error = failure(read(told(tmp_path, *(result(name, status=status) for name, status in results))), "shop")
    assert type(error) is kind


@pytest.mark.parametrize("text", [None, "", "{", '{"results": ['])
def test_a_dbt_that_was_killed_told_nothing(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "run_results.json").write_text(text)
    assert read(tmp_path) == ()


def test_what_stops_dbt_early_is_found_in_its_log(tmp_path: Path) -> None:
    text = (
        "Encountered an error:\nCompilation Error in model legs (models/legs.sql)\n  expected ')'\n    line 2\n     x("
    )
    lines = [
        {"info": {"name": "MainReportVersion", "msg": "x"}},
        {"info": {"name": "MainEncounteredError", "msg": text}},
    ]
    (tmp_path / "dbt.log").write_text("\n".join(map(json.dumps, [*lines, lines[0]])))
    error = trouble(tmp_path / "dbt.log", "shop")
    assert error is not None
    assert error.message.startswith("dbt: Compilation Error in model legs (models/legs.sql); expected ')'; line 2")
    assert error.place == Place("shop/models/legs.sql", 2)
    assert trouble(tmp_path / "none.log", "shop") is None


@pytest.fixture
def attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Attempt:
    """A project with a stand-in for dbt, which writes down how it was called and says that it built one model."""
    script = (
        f"#!{sys.executable}\n"
        "import json, os, pathlib, sys\n"
        "target = pathlib.Path(sys.argv[sys.argv.index('--target-path') + 1])\n"
        "target.mkdir(parents=True)\n"
        "pathlib.Path('called.json').write_text(json.dumps([sys.argv[1:], dict(os.environ)]))\n"
        f"told = {{'results': [{ {'unique_id': 'model.shop.legs', **RAN}!r}]}}\n"
        "(target / 'run_results.json').write_text(json.dumps(told))\n"
    )
    (tmp_path / "dbt").write_text(script)
    (tmp_path / "dbt").chmod(0o755)
    monkeypatch.setenv("ANABRANCH_DBT", str(tmp_path / "dbt"))
    (tmp_path / "shop").mkdir()
    return Attempt(tmp_path)


def called(attempt: Attempt, call: DbtCall) -> tuple[list[str], dict[str, str]]:
    """The arguments and the environment that dbt got."""
    attempt.run(call)
    argv, environment = json.loads((attempt.root / "called.json").read_text())
    return argv, environment


def after(argv: list[str], option: str) -> str:
    return argv[argv.index(option) + 1]


def test_dbt_writes_into_scratch_and_calls_nobody(attempt: Attempt) -> None:
    argv, environment = called(attempt, DbtCall("shop"))
    scratch = attempt.task(DbtCall("shop")).scratch
    assert after(argv, "--target-path").startswith(scratch)
    assert after(argv, "--log-path").startswith(scratch)
    assert {"--no-partial-parse", "--no-send-anonymous-usage-stats"} < set(argv)
    assert (environment["DBT_SEND_ANONYMOUS_USAGE_STATS"], environment["DO_NOT_TRACK"]) == ("False", "1")
    assert "--profiles-dir" not in argv, "the user's own profiles are found by dbt"


def test_a_profile_is_the_projects_own_or_the_one_that_is_named(attempt: Attempt) -> None:
    (attempt.root / "shop/profiles.yml").touch()
    assert after(called(attempt, DbtCall("shop"))[0], "--profiles-dir") == str(attempt.root / "shop")
    named = DbtCall("shop", profiles="conf", target="ci", select="legs+ tag:x")
    argv, _ = called(attempt, named)
    assert after(argv, "--profiles-dir") == str(attempt.root / "conf")
    assert after(argv, "--target") == "ci"
    assert argv[argv.index("--select") :][1:3] == ["legs+", "tag:x"]


def test_params_and_vars_keep_their_types(attempt: Attempt) -> None:
    """In Jinja the text `false` would be true."""
    attempt.params = {
        "day": (ParamType.DATE, "2013-01-05"),
        "full": (ParamType.BOOL, "false"),
        "limit": (ParamType.INT, "5"),
        "zip": (ParamType.STRING, "5"),
    }
    call = DbtCall("shop", vars=(("also", "${params.limit}"), ("code", "007"), ("on", "true"), ("day", "1")))
    told = json.loads(after(called(attempt, call)[0], "--vars"))
    assert told == {"day": 1, "full": False, "limit": 5, "zip": "5", "also": 5, "code": "007", "on": True}


def test_a_selector_that_selects_nothing_fails(attempt: Attempt) -> None:
    script = attempt.root / "dbt"
    script.write_text("#!/bin/sh\nexit 0\n")
    failure = attempt.fail(DbtCall("shop", select="lags", models=("legs", "late")))
    assert (failure.code, failure.hint) == ("nothing-selected", "did you mean 'legs'?")


def test_a_dbt_that_is_killed_is_told_as_such(attempt: Attempt) -> None:
    (attempt.root / "dbt").write_text("#!/bin/sh\nkill -9 $$\n")
    assert "`dbt` was killed by SIGKILL" in attempt.fail(DbtCall("shop")).message


def test_dbt_is_found_where_it_may_be(attempt: Attempt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each place comes before those that were looked at so far."""
    monkeypatch.setenv("ANABRANCH_DBT", "/no/such")
    assert "ANABRANCH_DBT is /no/such" in attempt.fail(DbtCall("shop")).message
    monkeypatch.delenv("ANABRANCH_DBT")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    (tmp_path / "dbt").rename(tmp_path / "away")
    monkeypatch.setenv("PATH", str(tmp_path / "env/bin"))
    failure = attempt.fail(DbtCall("shop"))
    assert (failure.code, "ANABRANCH_DBT" in failure.hint) == ("not-installed", True)
    (tmp_path / "env/bin").mkdir(parents=True)
    (tmp_path / "away").rename(tmp_path / "env/bin/dbt")
    assert called(attempt, DbtCall("shop"))
    monkeypatch.setenv("ANABRANCH_DBT", "/bin/false")
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "env"))
    attempt.needs = Needs(requirements=("dbt-core==1.11.16",))
    assert called(attempt, DbtCall("shop"))
