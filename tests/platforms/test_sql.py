from __future__ import annotations

from pathlib import Path

import pytest
from tests.platforms.attempts import Attempt, table

from anabranch.model.call import SqlCall
from anabranch.model.pipeline import ParamType

FLIGHTS, LEGS = table("flights"), table("legs", "jsonl")


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    made = Attempt(tmp_path, {"flights": FLIGHTS}, {"legs": LEGS}, params={"day": (ParamType.DATE, "2013-01-02")})
    made.seed(FLIGHTS, "id,carrier,day\n1,UA,2013-01-01\n2,AA,2013-01-02\n3,AA,2013-01-03\n")
    return made


@pytest.mark.parametrize(
    "query",
    [
        "select id from flights where day >= $day order by id",
        "FROM flights SELECT id WHERE day >= $day ORDER BY id;",
        "with late as (select * from flights where day >= $day) select id from late order by all -- the end",
        "values (2::bigint), (3)",
        "table late",
        "select id from flights where day >= $DAY union all select 9 where false order by id;\n;",
    ],
)
def test_any_form_of_one_select_is_a_step(attempt: Attempt, query: str) -> None:
    if query == "table late":
        query = "with late as (from flights where day >= $day) from late select id order by id"
    attempt.run(SqlCall(query))
    assert [next(iter(row.values())) for row in attempt.rows(LEGS)] == [2, 3]


def test_what_goes_in_and_out_is_counted(attempt: Attempt) -> None:
    done = attempt.run(SqlCall("select * from flights where carrier = 'AA'"))
    assert (done.reads[0].rows, done.writes[0].rows) == (3, 2)


@pytest.mark.parametrize(
    "kind, text, of",
    [
        (ParamType.STRING, "it's $day ?", "VARCHAR"),
        (ParamType.INT, "12345678901", "BIGINT"),
        (ParamType.FLOAT, "0.5", "DOUBLE"),
        (ParamType.BOOL, "false", "BOOLEAN"),
        (ParamType.DATE, "2013-01-05", "DATE"),
        (ParamType.DATETIME, "2013-01-05T06:00:00", "TIMESTAMP"),
        (ParamType.DATETIME, "2013-01-05T06:00:00+02:00", "TIMESTAMP WITH TIME ZONE"),
    ],
)
def test_params_keep_their_type(attempt: Attempt, kind: ParamType, text: str, of: str) -> None:
    attempt.params = {"p": (kind, text)}
    attempt.run(SqlCall("select typeof($p) as kind, $p::varchar as text"))
    row = attempt.rows(LEGS)[0]
    assert row["kind"] == of
    if kind is ParamType.STRING:
        assert row["text"] == text


def test_a_query_may_lie_in_a_file(attempt: Attempt) -> None:
    (attempt.root / "q.sql").write_text("select max(id) as id\nfrom flights", encoding="utf-8")
    attempt.run(SqlCall(file="q.sql"))
    assert attempt.rows(LEGS) == [{"id": 3}]


@pytest.mark.parametrize(
    "query, line, said",
    [
        ("select *\nfrm flights", 2, "syntax error"),
        ("select id\nfrom flightz", 2, "flightz"),
        ("select carier\nfrom flights", 1, "carier"),
        ("select cast(carrier\n  as int) as x from flights", 1, "UA"),
    ],
)
def test_an_error_names_file_line_and_cause(attempt: Attempt, query: str, line: int, said: str) -> None:
    (attempt.root / "q.sql").write_text(query, encoding="utf-8")
    failure = attempt.fail(SqlCall(file="q.sql"))
    assert failure.code == "sql-error"
    assert failure.place == f"q.sql:{line}"
    assert said in failure.message
    assert "\n" not in failure.message


@pytest.mark.parametrize(
    "query, said",
    [
        ("", "this is 0 statements"),
        ("-- nothing", "this is 0 statements"),
        ("select 1; select 2", "this is 2 statements"),
        ("create table x (a int)", "this is CREATE"),
        ("copy flights to 'out.csv'", "this is COPY"),
        ("attach 'x.db'", "this is ATTACH"),
        ("set threads = 1", "this is SET"),
        ("with x as (copy (select 1) to '{root}/out.csv') select * from x", "also writes"),
    ],
)
def test_anything_but_one_select_is_refused(attempt: Attempt, query: str, said: str) -> None:
    failure = attempt.fail(SqlCall(query.replace("{root}", str(attempt.root))))
    assert (failure.code in {"not-a-select", "sql-error"}, said in failure.message) == (True, True), failure
    assert "one SELECT" in failure.hint
    assert not list(attempt.root.glob("*.csv"))


@pytest.mark.parametrize(
    "query, said, hint",
    [
        ("select $dya", "names $dya", "did you mean 'day'?"),
        ("select ?", "params have names", "$name"),
    ],
)
def test_unknown_params_are_named(attempt: Attempt, query: str, said: str, hint: str) -> None:
    failure = attempt.fail(SqlCall(query))
    assert failure.code == "unknown-param"
    assert said in failure.message
    assert hint in failure.hint


def test_two_columns_of_one_name_are_refused(attempt: Attempt) -> None:
    assert "`Id`, `id`" in attempt.fail(SqlCall('select 1 as "Id", id from flights')).message


def test_a_missing_file_is_named(attempt: Attempt) -> None:
    failure = attempt.fail(SqlCall(file="queries/no.sql"))
    assert (failure.code, "queries/no.sql" in failure.message) == ("missing-file", True)


def test_a_query_without_an_output_says_so(attempt: Attempt) -> None:
    attempt.writes = {}
    assert attempt.fail(SqlCall("select 1")).code == "wrong-outputs"
