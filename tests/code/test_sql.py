from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.code.trees import of, sql

from anabranch.code.fingerprint import reasons
from anabranch.model.call import SqlCall

BASE = "SELECT a, 'X y' AS \"B c\", $day FROM legs WHERE a > 1.5 ORDER BY a"

UNORDERED = "the query takes the first rows of no order: LIMIT without ORDER BY"


@pytest.mark.parametrize(
    "other",
    [
        "select a, 'X y' as \"B c\", $day from legs where a > 1.5 order by a",
        "SELECT a,\n  'X y' AS \"B c\",\n\n  $day\nFROM legs\tWHERE a>1.5 ORDER BY a",
        "-- why\nSELECT a, /* 'it' */ 'X y' AS \"B c\", $day -- ' \nFROM legs WHERE a > 1.5 ORDER BY a;\n",
        "\n" + BASE + " ; ",
    ],
)
def test_layout_comments_and_the_case_of_keywords_do_not_count(other: str) -> None:
    assert sql(BASE).digest == sql(other).digest


@pytest.mark.parametrize(
    "old, new",
    [
        ("SELECT a", "SELECT A"),
        ("SELECT a", "SELECT b"),
        ("'X y'", "'x y'"),
        ("'X y'", "'X  y'"),
        ("'X y'", "'X -- y'"),
        ('"B c"', '"b c"'),
        ("1.5", "1.6"),
        ("1.5", "1 .5"),
        ("> 1.5", ">= 1.5"),
        ("$day", "$month"),
        ("ORDER BY a", "ORDER BY a DESC"),
        ("FROM legs", "FROM planes"),
        ("'X y'", "'X y' 'z'"),
        ("'X y'", "$$X  y$$"),
    ],
)
def test_identifiers_literals_and_operators_count(old: str, new: str) -> None:
    assert reasons(sql(BASE), sql(BASE.replace(old, new))) == ("query changed",)


@pytest.mark.parametrize(
    "one, two",
    [
        ("SELECT été FROM t", "SELECT eté FROM t"),
        ("SELECT é FROM t", "SELECT è FROM t"),
        ("SELECT $$a  b$$", "SELECT $$a b$$"),
        ("SELECT $x$ -- a$x$", "SELECT $x$ -- b$x$"),
        ("SELECT E'it\\'s  a'", "SELECT E'it\\'s a'"),
        ("SELECT count(*) AS Day FROM t", "SELECT count(*) AS day FROM t"),
        ("SELECT count(*) Day FROM t", "SELECT count(*) day FROM t"),
        ('SELECT "a""  b" FROM t', 'SELECT "a"" b" FROM t'),
        ("SELECT a FROM t -- '\n WHERE b = 'x  y'", "SELECT a FROM t -- '\n WHERE b = 'x y'"),
    ],
)
def test_odd_but_legal_text_counts_too(one: str, two: str) -> None:
    assert sql(one).digest != sql(two).digest


def test_case_of_unreserved_keywords_does_not_count_where_they_are_keywords() -> None:
    one = (
        "SELECT sum(a) OVER (PARTITION BY b ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t ORDER BY a DESC NULLS LAST"
    )
    assert sql(one).digest == sql(one.lower()).digest


def test_a_type_in_a_cast_is_a_keyword_and_a_name_after_it_is_not() -> None:
    assert sql("SELECT CAST(a AS INTEGER) AS day").digest == sql("select cast(a as integer) as day").digest
    assert sql("SELECT CAST(a AS INTEGER) AS day").digest != sql("SELECT CAST(a AS INTEGER) AS Day").digest


def test_a_file_counts_as_its_query_does() -> None:
    def file(text: str) -> dict[str, str | bytes]:
        return {"sql/x.sql": text}

    call = SqlCall(file="sql/x.sql")
    before = of(file(BASE), call)
    assert before.digest == of(file(BASE.replace(" ", "\n").replace("X\ny", "X y").replace("B\nc", "B c")), call).digest
    assert reasons(before, of(file(BASE + " DESC"), call)) == ("file sql/x.sql changed",)
    assert of({}, call).impure == ("the query sql/x.sql is not in the project",)
    assert of({"sql/x.sql": b"SELECT '\xff'"}, call).digest != of({"sql/x.sql": b"SELECT '\xfe'"}, call).digest


def test_duckdb_counts_by_its_version() -> None:
    new = sql(BASE, libraries={"duckdb": "1.4"})
    assert reasons(sql(BASE), new) == ("library duckdb 1.3 -> 1.4",)


@pytest.mark.parametrize(
    "query, why",
    [
        ("SELECT * FROM read_csv('a.csv')", "the query calls read_csv()"),
        ("SELECT * FROM READ_PARQUET ('a')", "the query calls read_parquet()"),
        ("SELECT * FROM read_json_auto('a')", "the query calls read_json_auto()"),
        ("SELECT * FROM glob('*')", "the query calls glob()"),
        ("SELECT getenv('HOME')", "the query calls getenv()"),
        ("SELECT * FROM 'a.csv'", "the query names a file: 'a.csv'"),
        ("SELECT * FROM legs, 'a.csv' b", "the query names a file: 'a.csv'"),
        ("SELECT * FROM legs JOIN 'a.parquet' USING (x)", "the query names a file: 'a.parquet'"),
        ("FROM 'a.csv' SELECT b", "the query names a file: 'a.csv'"),
        ('SELECT * FROM "data/a.csv"', 'the query names a file: "data/a.csv"'),
        ("SELECT * FROM (SELECT * FROM 's3://b/a.parquet')", "the query names a file: 's3://b/a.parquet'"),
    ],
)
def test_a_query_that_reads_files_of_its_own_is_impure(query: str, why: str) -> None:
    assert sql(query).impure == (why,)


@pytest.mark.parametrize(
    "query, why",
    [
        ("SELECT now()", "the query calls now"),
        ("SELECT today()", "the query calls today"),
        ("SELECT RANDOM ( )", "the query calls random"),
        ("SELECT uuid()", "the query calls uuid"),
        ("SELECT gen_random_uuid()", "the query calls gen_random_uuid"),
        ("SELECT nextval('s')", "the query calls nextval"),
        ("SELECT current_date", "the query calls current_date"),
        ("SELECT Current_Timestamp", "the query calls current_timestamp"),
        ("SELECT * FROM t TABLESAMPLE 10%", "the query calls tablesample"),
        ("SELECT * FROM t USING SAMPLE 10", "the query calls using sample"),
        ("SELECT * FROM t LIMIT 3", UNORDERED),
        ("SELECT * FROM (SELECT * FROM t LIMIT 3) ORDER BY a", UNORDERED),
        ("SELECT sum(a) OVER (ORDER BY b) FROM t LIMIT 3", UNORDERED),
        ("SELECT * FROM (SELECT * FROM t ORDER BY a) LIMIT 3", UNORDERED),
    ],
)  # fmt: skip
def test_a_query_that_may_differ_each_time_is_random(query: str, why: str) -> None:
    found = sql(query)
    assert (found.impure, found.random) == ((), (why,))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT a FROM legs -- FROM 'a.csv', now()",
        "SELECT 'now()', 'read_csv(1)' FROM legs WHERE a = 'x.csv'",
        "SELECT a FROM legs GROUP BY a, 'x.csv'",
        "SELECT a FROM legs, planes WHERE b = 1 ORDER BY 'x.csv', 'y.csv'",
        "SELECT a FROM legs WHERE b IN ('a.csv', 'b.csv')",
        'SELECT "current_date", "now" FROM legs',
        "SELECT now, random FROM legs",
        'SELECT legs."random" FROM legs',
        "SELECT * FROM legs ORDER BY a LIMIT 3",
        "SELECT * FROM (SELECT * FROM legs ORDER BY a LIMIT 3)",
        "SELECT extract(year FROM d), substring('abc' FROM 2) FROM legs",
        "SELECT trim('x' FROM a) FROM legs",
        "SELECT a IS DISTINCT FROM 'x' FROM legs",
    ],
)
def test_what_only_looks_like_it_in_a_query_is_not_told(query: str) -> None:
    found = sql(query)
    assert (found.impure, found.random) == ((), ())


@given(st.text(alphabet=st.sampled_from("aB1.'\"$-/*;( )\n\\éE,"), max_size=40))
def test_no_text_is_too_odd(text: str) -> None:
    assert sql(text).digest == sql(f"  {text}").digest
