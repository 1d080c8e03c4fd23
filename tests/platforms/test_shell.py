from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from tests.platforms.attempts import Attempt, table

from anabranch.model.call import ShellCall
from anabranch.model.pipeline import Needs, ParamType, ValueOutput
from anabranch.model.values import Field, ListOf, Record, Scalar

FLIGHTS, LEGS = table("flights"), table("legs")
EVIL = "a b  $(touch pwned) \"'; touch pwned; '\n* é ☂ `touch pwned` \\"


def line(text: str) -> ShellCall:
    return ShellCall((text,), shell=True)


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    made = Attempt(tmp_path, {"flights": FLIGHTS}, {"legs": LEGS})
    made.seed(FLIGHTS, "id,carrier\n1,UA\n2,AA\n")
    return made


def test_an_executable_reads_and_writes_its_ports(attempt: Attempt) -> None:
    """Here awk; its output is published, and counted."""
    program = 'NR == 1 || $2 == "UA"'
    done = attempt.run(line(f"awk -F, '{program}' ${{in.flights}} > ${{out.legs}}"))
    assert (attempt.storage / "raw/legs.csv").read_text() == "id,carrier\n1,UA\n"
    assert (done.reads[0].rows, done.writes[0].rows) == (2, 1)


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="Rscript is not installed")
def test_a_step_may_be_in_r(attempt: Attempt) -> None:
    (attempt.root / "clean.R").write_text(
        'd <- read.csv(Sys.getenv("ANABRANCH_IN_FLIGHTS"))\n'
        'write.csv(d[d$carrier == "AA", ], Sys.getenv("ANABRANCH_OUT_LEGS"), row.names = FALSE, quote = FALSE)\n'
    )
    attempt.run(ShellCall(("Rscript", "clean.R")))
    assert (attempt.storage / "raw/legs.csv").read_text() == "id,carrier\n2,AA\n"


def test_ports_arrive_three_ways(attempt: Attempt) -> None:
    """By argument, by variable and by file, and all three say the same."""
    attempt.values = {"limit": 3, "note": "it's", "list": [1, {"a": None}]}
    attempt.params = {"day": (ParamType.DATE, "2013-01-05")}
    code = (
        "import json, os, sys\n"
        "told = json.load(open(os.environ['ANABRANCH_CONTEXT']))\n"
        "told['argv'] = sys.argv[1:]\n"
        "told['env'] = {k: v for k, v in os.environ.items() if k.startswith('ANABRANCH_')}\n"
        "told['cwd'] = os.getcwd()\n"
        "json.dump(told, open('told.json', 'w'))\n"
        "open(os.environ['ANABRANCH_OUT_LEGS'], 'w').write('id\\n1\\n')\n"
    )
    argv = ("${in.flights}", "${out.legs}", "${params.day}", "${in.limit}", "${in.note}", "${in.list}")
    attempt.run(ShellCall((sys.executable, "-c", code, *argv)))
    told = json.loads((attempt.root / "told.json").read_text())
    out = told["outputs"]["legs"]["location"]
    flights = str(attempt.storage / "raw/flights.csv")
    assert told["argv"] == [flights, out, "2013-01-05", "3", "it's", '[1, {"a": null}]']
    assert told["env"]["ANABRANCH_IN_FLIGHTS"] == flights
    assert told["env"]["ANABRANCH_OUT_LEGS"] == out
    assert told["env"]["ANABRANCH_PARAM_DAY"] == "2013-01-05"
    assert (told["env"]["ANABRANCH_IN_NOTE"], told["env"]["ANABRANCH_IN_LIMIT"]) == ("it's", "3")
    assert told["inputs"]["flights"] == {"dataset": "flights", "location": flights, "format": "csv"}
    assert told["inputs"]["list"] == {"value": [1, {"a": None}]}
    assert told["outputs"]["legs"] == {"dataset": "legs", "location": out, "format": "csv"}
    assert {key: told[key] for key in ("anabranch", "run", "pipeline", "step", "attempt", "namespace", "params")} == {
        "anabranch": 1,
        "run": "testtest",
        "pipeline": "daily",
        "step": "it",
        "attempt": 1,
        "namespace": "main",
        "params": {"day": "2013-01-05"},
    }
    assert told["cwd"] == str(attempt.root)


@pytest.mark.parametrize("argument", ["${params.evil}", "x=${params.evil};y"])
def test_an_argument_holds_any_text_and_runs_none_of_it(tmp_path: Path, argument: str) -> None:
    attempt = Attempt(tmp_path, params={"evil": (ParamType.STRING, EVIL)})
    attempt.run(ShellCall((sys.executable, "-c", "import sys; open('told', 'w').write(sys.argv[1])", argument)))
    assert (tmp_path / "told").read_text() == argument.replace("${params.evil}", EVIL)
    assert not (tmp_path / "pwned").exists()


def test_a_command_line_holds_any_text_and_runs_none_of_it(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, params={"evil": (ParamType.STRING, EVIL)})
    attempt.run(line('printf %s ${params.evil} > bare; printf %s "${params.evil}" > double'))
    assert (tmp_path / "bare").read_text() == (tmp_path / "double").read_text() == EVIL
    assert not (tmp_path / "pwned").exists()


def test_a_large_value_is_in_the_file_alone(tmp_path: Path) -> None:
    """Two megabytes fit in no environment: the step still runs, and an argument says where to look."""
    attempt = Attempt(tmp_path, values={"large": "x" * 2_000_000})
    code = "import json, os; print(len(json.load(open(os.environ['ANABRANCH_CONTEXT']))['inputs']['large']['value']))"
    attempt.run(ShellCall((sys.executable, "-c", code)))
    for call in (ShellCall(("echo", "${in.large}")), line("echo ${in.large}")):
        failure = attempt.fail(call)
        assert failure.code in {"too-long", "not-an-argument"}
        assert "ANABRANCH_CONTEXT" in failure.hint


@pytest.mark.parametrize(
    "kind, text, value",
    [
        (Scalar("int"), "3", 3),
        (Scalar("float"), "3", 3),
        (Scalar("date"), '"2013-01-05"', "2013-01-05"),
        (ListOf(Scalar("str")), '["é"]', ["é"]),
        (Record("", (Field("rows", Scalar("int")),)), '{"rows": 2, "more": null}', {"rows": 2, "more": None}),
    ],
)
def test_a_process_gives_a_value_as_json(tmp_path: Path, kind: object, text: str, value: object) -> None:
    attempt = Attempt(tmp_path, gives=ValueOutput(kind), params={"text": (ParamType.STRING, text)})  # type: ignore[arg-type]
    assert attempt.run(line("printf %s ${params.text} > ${out.value}")).value == value


@pytest.mark.parametrize(
    "command, code, message",
    [
        ("true", "value-not-written", "step `it` gives a value, but wrote none"),
        ("echo done > ${out.value}", "bad-value", "is not JSON"),
        ("echo true > ${out.value}", "bad-value", "value is a bool, not list[{rows: int}]"),
        ('echo \'[{"rows": 1}, {"rows": "2"}]\' > ${out.value}', "bad-value", "value[1].rows is a str, not int"),
        ("echo '[{}]' > ${out.value}", "bad-value", "value[0] has no `rows`"),
        ("printf '\\377' > ${out.value}", "bad-value", "is not JSON"),
    ],
)
def test_a_value_that_is_missing_or_wrong_fails_the_step(tmp_path: Path, command: str, code: str, message: str) -> None:
    attempt = Attempt(tmp_path, gives=ValueOutput(ListOf(Record("", (Field("rows", Scalar("int")),)))))
    failure = attempt.fail(line(command))
    assert failure.code == code
    assert message in failure.message


def test_a_value_of_an_earlier_attempt_does_not_count(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, gives=ValueOutput())
    attempt.run(line("echo 1 > ${out.value}"))
    assert attempt.fail(line("true")).code == "value-not-written"


@pytest.mark.parametrize(
    "call, message, hint",
    [
        (ShellCall(("awk", "BEGIN { exit 3 }")), "`awk` exited with 3", "runs logs"),
        (line("exit 4"), "`exit 4` exited with 4", "runs logs"),
        (line("false\ntouch went_on"), "`false ...` exited with 1", "runs logs"),
        (line("no_such_command"), "`no_such_command` exited with 127", "a command in it was not found"),
        (line("sh -c 'kill -9 $$'"), "exited with 137", "a command in it was killed by SIGKILL"),
        (ShellCall(("sh", "-c", "kill -9 $$")), "`sh` was killed by SIGKILL (out of memory?)", "runs logs"),
        (ShellCall(("sh", "-c", "kill -34 $$")), "`sh` was killed by SIGRTMIN", "runs logs"),
        (ShellCall(("sh", "-c", "kill -35 $$")), "`sh` was killed by signal 35", "runs logs"),
    ],
)
def test_how_a_process_ended_is_told(tmp_path: Path, call: ShellCall, message: str, hint: str) -> None:
    failure = Attempt(tmp_path).fail(call)
    assert message in failure.message
    assert hint in failure.hint
    assert failure.code == "step-failed"
    assert not (tmp_path / "went_on").exists()


@pytest.mark.parametrize(
    "argv, code, message, hint",
    [
        ("awkk", "command-not-found", "there is no command `awkk`", "did you mean `awk`?"),
        ("./scripts/runs.sh", "command-not-found", "`./scripts/runs.sh`", "did you mean `run.sh`?"),
        ("bare.sh", "command-not-found", "`bare.sh`", "write ./bare.sh"),
        ("zq-no-such", "command-not-found", "`zq-no-such`", "install it, correct its name"),
        ("./scripts/run.sh", "not-executable", "`./scripts/run.sh` is not executable", "chmod +x ./scripts/run.sh"),
        ("./scripts", "not-executable", "is a folder", "executable"),
        ("./nothing.sh", "not-executable", "neither a program nor a script", "#!/bin/sh"),
        ("./other.sh", "not-executable", "is not there: #!/no/such/shell", "first line"),
    ],
)
def test_what_cannot_be_started_says_what_to_try(tmp_path: Path, argv: str, code: str, message: str, hint: str) -> None:
    (tmp_path / "scripts").mkdir()
    files = {"scripts/run.sh": "#!/bin/sh\n", "bare.sh": "", "nothing.sh": "?", "other.sh": "#!/no/such/shell\n"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    for name in ("nothing.sh", "other.sh"):
        (tmp_path / name).chmod(0o755)
    failure = Attempt(tmp_path).fail(ShellCall((argv,)))
    assert failure.code == code
    assert message in failure.message
    assert hint in failure.hint


def test_a_process_that_fails_publishes_nothing(attempt: Attempt) -> None:
    failure = attempt.fail(line("cp ${in.flights} ${out.legs}; exit 1"))
    assert failure.message.endswith("exited with 1")


def test_one_variable_cannot_mean_two_ports(tmp_path: Path) -> None:
    failure = Attempt(tmp_path, values={"a-b": 1, "a_b": 2}).fail(line("true"))
    assert failure.code == "duplicate-port"
    assert "ANABRANCH_IN_A_B" in failure.message


def test_a_process_reads_nothing_from_the_terminal(tmp_path: Path) -> None:
    Attempt(tmp_path).run(line('test -z "$(cat)"'))


def test_env_and_secrets_reach_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The step's own variables win over the machine's, and are gone afterwards."""
    monkeypatch.setenv("VAULT", "hunter22")
    monkeypatch.setenv("MODE", "machine")
    (tmp_path / "key").write_text("abc\n")
    secrets = (("TOKEN", "secret://env/VAULT"), ("KEY", f"secret://file/{tmp_path}/key"))
    attempt = Attempt(tmp_path, needs=Needs(env=(("MODE", "step"),), secrets=secrets))
    attempt.run(line('echo "$MODE $TOKEN $KEY"'))
    assert capfd.readouterr().out == "step hunter22 abc\n"
    assert (os.environ["MODE"], os.environ.get("TOKEN")) == ("machine", None)


@pytest.mark.parametrize(
    "reference, code, said",
    [
        ("secret://env/NO_SUCH", "missing-secret", "secret://env/NO_SUCH (for TOKEN)"),
        ("secret://file//no/such", "missing-secret", "secret://file//no/such"),
        ("secret://vault/x", "missing-secret", "secret://vault/x"),
        ("hunter22", "bad-secret", "the secret for TOKEN is not a reference"),
        ("secret://hunter22", "bad-secret", "the secret for TOKEN is not a reference"),
    ],
)
def test_a_missing_secret_is_named_by_reference(tmp_path: Path, reference: str, code: str, said: str) -> None:
    failure = Attempt(tmp_path, needs=Needs(secrets=(("TOKEN", reference),))).fail(line("true"))
    assert failure.code == code
    assert said in failure.message
    assert "hunter22" not in repr(failure)


def test_no_failure_of_a_process_shows_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT", "hunter22")
    attempt = Attempt(tmp_path, needs=Needs(secrets=(("TOKEN", "secret://env/VAULT"),)))
    assert "hunter22" not in repr(attempt.fail(line('test "$TOKEN" = x')))
    scratch = Path(attempt.task(line("true")).scratch)
    assert all("hunter22" not in path.read_text() for path in scratch.rglob("*") if path.is_file())
