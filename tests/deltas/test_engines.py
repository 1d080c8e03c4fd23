"""The same expressions on DuckDB, Postgres and Spark, for real: they come to the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.deltas.servers import Server, duckdb_server, postgres_server, spark_server
from tests.deltas.tables import column

from anabranch.model.delta import Status, Verdict

SERVERS = {"duckdb": duckdb_server, "postgres": postgres_server, "spark": spark_server}


@pytest.fixture(
    scope="module",
    params=[
        "duckdb",
        *(pytest.param(name, marks=[pytest.mark.engine, pytest.mark.slow]) for name in SERVERS if name != "duckdb"),
    ],
)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with SERVERS[request.param]() as given:
        yield given


FLOATS = [("1.5", "1.5", 0), ("-0.0", "0.0", 0), ("NaN", "NaN", 0), ("Infinity", "Infinity", 0), ("0.1", "0.2", 1)]
FLOATS += [("NaN", None, 1), (None, None, 0), ("NaN", "Infinity", 1)]
LISTS = [(["1.5", None], ["1.5", None], 0), (["-0.0"], ["0.0"], 0), (["NaN"], ["NaN"], 0), ([], [], 0)]
LISTS += [(["1.0", "2.0"], ["2.0", "1.0"], 1), (["1.0", None], [None, "1.0"], 1), (["1.0", None], ["1.0"], 1)]
LISTS += [([], None, 1), ([None], [], 1), (None, None, 0)]
SCALARS = {
    "boolean": [("true", "true", 0), ("true", "false", 1), (None, "false", 1)],
    "smallint": [("1", "1", 0), ("-1", "1", 1), (None, "0", 1)],
    "int": [("2147483647", "2147483647", 0), ("1", "2", 1), (None, "0", 1)],
    "bigint": [("9007199254740993", "9007199254740993", 0), ("9007199254740993", "9007199254740992", 1)],
    "decimal(20,4)": [("1.1000", "1.1", 0), ("1234567890123456.7891", "1234567890123456.7892", 1)],
    "float": [("1.5", "1.5", 0), ("-0.0", "0.0", 0), ("NaN", "NaN", 0), ("0.1", "0.2", 1)],
    "double": FLOATS,
    "string": [("a", "a", 0), ("", None, 1), ("a", "a ", 1), ("é", "e\u0301", 1), ("50 %", "50 %", 0), ("%s", "%", 1)],
    "date": [("2020-02-29", "2020-02-29", 0), ("2020-02-29", "2020-03-01", 1), (None, "1970-01-01", 1)],
    "timestamp": [("2020-01-01 00:00:00", "2020-01-01 00:00:00", 0), (None, "1970-01-01 00:00:00", 1)],
    "instant": [("2020-01-01 02:00:00+02:00", "2020-01-01 00:00:00+00:00", 0), (None, "1970-01-01 00:00:00+00:00", 1)],
}
NAMES = {
    "duckdb": {"string": "VARCHAR", "instant": "TIMESTAMPTZ"},
    "postgres": {"float": "real", "double": "double precision", "string": "text", "instant": "timestamptz"},
    "spark": {"timestamp": "timestamp_ntz", "instant": "timestamp"},
}
CASES = {**SCALARS, "list": LISTS}


def value(server: Server, kind: str, given: list[str | None] | str | None) -> str:
    """Return a value as SQL."""
    if kind == "list":
        double = NAMES[server.name].get("double", "double")
        open_, close = ("array(", ")") if server.name == "spark" else ("ARRAY[", "]")
        whole = f"array<{double}>" if server.name == "spark" else f"{double}[]"
        if given is None:
            return f"CAST(NULL AS {whole})"
        return f"CAST({open_}{', '.join(value(server, 'double', each) for each in given)}{close} AS {whole})"
    name = NAMES[server.name].get(kind, kind)
    return f"CAST(NULL AS {name})" if given is None else f"CAST('{given}' AS {name})"


def table(server: Server, side: int) -> str:
    """Return a query of a row for each case: `k` and a column for each type, of which the row's own is the case's."""
    rows = []
    for kind, cases in CASES.items():
        for case in cases:
            values = [value(server, each, case[side] if each == kind else CASES[each][0][0]) for each in CASES]  # type: ignore[arg-type]
            rows.append(f"SELECT {len(rows)} AS k, {', '.join(f'{v} AS c{i}' for i, v in enumerate(values))}")
    return " UNION ALL ".join(rows)


CHANGED = {f"c{i}": sum(case[2] for case in cases) for i, cases in enumerate(CASES.values())}
ROWS = sum(len(cases) for cases in CASES.values())


def test_every_type_by_key(server: Server) -> None:
    """Each column has as many changed cells as its cases say, on every engine."""
    found = server.queries(table(server, 0), table(server, 1), ("k",))
    assert {each.name: each.changed for each in found.columns if each.name != "k"} == CHANGED
    assert (found.changed, found.same) == (sum(CHANGED.values()), ROWS - sum(CHANGED.values()))


def test_every_type_without_a_key(server: Server) -> None:
    """The same rows differ, as multisets."""
    found = server.queries(table(server, 0), table(server, 1))
    differ = sum(CHANGED.values())
    assert (found.same, found.removed, found.added) == (ROWS - differ, differ, differ)
    assert {each.name for each in found.columns if each.status is Status.CHANGED} == set(CHANGED)


def test_every_type_where_keys_repeat(server: Server) -> None:
    """Each row twice: the same cells, twice."""
    double = [
        f"SELECT * FROM ({table(server, side)}) a UNION ALL SELECT * FROM ({table(server, side)}) b" for side in (0, 1)
    ]
    found = server.queries(*double, ("k",))
    assert {each.name: each.changed for each in found.columns if each.name != "k"} == {
        n: 2 * c for n, c in CHANGED.items()
    }
    assert found.duplicates == (ROWS, ROWS)


@pytest.mark.parametrize("kind", CASES)
def test_every_type_as_the_key(server: Server, kind: str) -> None:
    """Null, NaN and -0.0 are keys like any other."""
    name = f"c{list(CASES).index(kind)}"
    cases = {str(case[0]): case for case in CASES[kind] if case[2] == 0}.values()
    sides = [
        " UNION ALL ".join(
            f"SELECT {value(server, kind, case[side])} AS {name}, {i} AS v" for i, case in enumerate(cases)
        )  # type: ignore[arg-type]
        for side in (0, 1)
    ]
    found = server.queries(*sides, (name,))
    assert (found.same, found.verdict, found.key) == (len(cases), Verdict.EQUAL, (name,))


def test_a_value_that_moves_to_another_column_is_a_change(server: Server) -> None:
    """(1, null) is not (null, 1), as some hashes have it."""
    one, null = "CAST(1 AS INT)", "CAST(NULL AS INT)"
    for key in (("k",), ()):
        found = server.queries(
            f"SELECT 1 AS k, {one} AS a, {null} AS b", f"SELECT 1 AS k, {null} AS a, {one} AS b", key
        )
        assert found.same == 0
    twice = [" UNION ALL ".join([f"SELECT 1 AS k, {a} AS a, {b} AS b"] * 2) for a, b in ((one, null), (null, one))]
    assert server.queries(*twice, ("k",)).same == 0


def test_added_removed_and_equal_tables(server: Server) -> None:
    """Nothing is kept that cannot be forgotten, and composite keys with nulls are matched."""
    rows = "SELECT 1 AS k, CAST(NULL AS {0}) AS l, 5 AS v UNION ALL SELECT 2, '', 6"
    rows = rows.format(NAMES[server.name].get("string", "string"))
    assert server.queries(rows, rows, ("k", "l")).verdict is Verdict.EQUAL
    assert server.queries(rows, rows).verdict is Verdict.EQUAL
    found = server.queries(rows, rows.replace("2, ''", "2, 'x'"), ("k", "l"))
    assert (found.added, found.removed, found.nulls) == (1, 1, (1, 1))
    assert found.added_rows == ((("k", "2"), ("l", "x"), ("v", "6")),)


def test_retyped_columns(server: Server) -> None:
    """Compared by value, never through a float; text and numbers have no common type."""
    double = NAMES[server.name].get("double", "double")
    text = NAMES[server.name].get("string", "string")
    found = server.queries(
        "SELECT 1 AS k, CAST(7 AS INT) AS a, CAST('9007199254740993' AS BIGINT) AS b, "
        "CAST('1.10' AS DECIMAL(9,2)) AS c, 1 AS d",
        f"SELECT 1 AS k, CAST(7 AS BIGINT) AS a, CAST('9007199254740992' AS {double}) AS b, "
        f"CAST('1.1' AS DECIMAL(12,1)) AS c, CAST('1' AS {text}) AS d",
        ("k",),
    )
    told = {name: (column(found, name).status, column(found, name).changed) for name in "abcd"}
    assert told == {
        "a": (Status.SAME, 0),
        "b": (Status.CHANGED, 1),
        "c": (Status.SAME, 0),
        "d": (Status.UNKNOWN, None),
    }


def test_profiles_and_histograms(server: Server) -> None:
    """Of numbers and dates: nulls, least, greatest, and both sides in ten buckets."""
    double = NAMES[server.name].get("double", "double")
    number, day = "CAST({0} AS " + double + ")", "CAST('2020-01-{1:02}' AS DATE)"
    sides = [
        " UNION ALL ".join(
            f"SELECT {i} AS k, {number.format(i * by)} AS v, {day.format(0, 1 + i * by // 2)} AS d" for i in range(10)
        )
        for by in (1, 2)
    ]
    found = server.queries(*sides, ("k",))
    for name, greatest in (("v", "18.0"), ("d", "2020-01-10")):
        told = column(found, name)
        assert told.profile_after is not None
        assert (told.profile_after.nulls, told.profile_after.max) == (0, greatest)
        assert sum(bucket.after for bucket in told.histogram) == 10


def test_names_that_need_quoting(server: Server) -> None:
    """Spaces, quotes, percent signs, and words of SQL are names like any other."""
    quote = "`" if server.name == "spark" else '"'
    names = ["a b", "50 %", "%s", "select", "it's", "é", "x.y"]
    query = "SELECT 1 AS k, " + ", ".join(f"{{}} AS {quote}{name}{quote}" for name in names)
    found = server.queries(query.format(*range(7)), query.format(*range(1, 8)), ("k",))
    assert {each.name: each.changed for each in found.columns if each.name != "k"} == dict.fromkeys(names, 1)


OWN = {
    "duckdb": {
        "HUGEINT": ("170141183460469231731687303715884105727", "170141183460469231731687303715884105726"),
        "UHUGEINT": ("1", "2"),
        "BIGNUM": ("1", "2"),
        "BLOB": ("\\x00", ""),
        "TIME": ("10:00:00", "10:00:01"),
        "TIMETZ": ("10:00:00+02", "11:00:00+02"),
        "TIMESTAMP_S": ("2020-01-01", "2021-01-01"),
        "TIMESTAMP_NS": ("2020-01-01 00:00:00.000000001", "2020-01-01 00:00:00.000000002"),
        "INTERVAL": ("1 day", "25 hours"),
        "UUID": ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"),
        "BIT": ("101", "111"),
        "ENUM('a', 'b')": ("a", "b"),
        "JSON": ("{}", "[]"),
        "DOUBLE[2]": ("[1.5, NULL]", "[NULL, 1.5]"),
        "MAP(INT, INT[])": ("{1=[2]}", "{1=[NULL]}"),
        "UNION(x INT, y VARCHAR)": ("1", "b"),
        "STRUCT(a INT, b STRUCT(c INT[]))": ("{'a': 1, 'b': {'c': []}}", "{'a': 1, 'b': NULL}"),
        "MAP(INT, INT)[]": ("[{1=2}]", "[{1=3}]"),
        "TIMESTAMPTZ[]": ("[2020-01-01 00:00:00+00]", "[2021-01-01 00:00:00+00]"),
    },
    "postgres": {
        "numeric": ("1.4", "1"),
        "bytea": ("a", "b"),
        "time": ("10:00:00", "10:00:01"),
        "interval": ("1 day", "25 hours"),
        "uuid": ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"),
        "json": ("{}", "[]"),
        "jsonb": ('{"a": 1}', '{"a": 2}'),
        "inet": ("10.0.0.1", "10.0.0.2"),
        "bit(3)": ("101", "111"),
        "integer[]": ("{1,NULL}", "{NULL,1}"),
        "character(5)": ("a", "b"),
        "int4range": ("[1,3)", "[1,4)"),
    },
    "spark": {
        "binary": ("a", "b"),
        "tinyint": ("1", "2"),
    },
}
NOT_COMPARABLE = {
    "duckdb": {},
    "postgres": {"xml": "<a/>", "point": "(1,2)", "money": "1"},
    "spark": {},
}


@pytest.mark.parametrize("key", [("k",), (), ("v",)])
def test_types_that_only_one_engine_has(server: Server, key: tuple[str, ...]) -> None:
    """Each is equal to itself and differs from another value and from null; or it is UNKNOWN, and never a match."""
    for kind, (one, other) in OWN[server.name].items():
        values = [f"CAST('{text.replace(chr(39), chr(39) * 2)}' AS {kind})" for text in (one, other)]
        whole = [f"SELECT 1 AS k, {v} AS v UNION ALL SELECT 2 AS k, CAST(NULL AS {kind}) AS v" for v in values]
        equal, differs = server.queries(whole[0], whole[0], key), server.queries(whole[0], whole[1], key)
        assert "v" not in {c.name for c in equal.columns if c.status is Status.UNKNOWN}, kind
        assert (equal.verdict, equal.same) == (Verdict.EQUAL, 2), kind
        assert (differs.verdict, differs.same) == (Verdict.CHANGED, 1), kind
    for kind, text in NOT_COMPARABLE[server.name].items():
        query = f"SELECT 1 AS k, CAST('{text}' AS {kind}) AS v"
        found = server.queries(query, query, key)
        assert (found.verdict, column(found, "v").status) == (Verdict.UNKNOWN, Status.UNKNOWN), kind


NESTED = {
    "duckdb": [
        ("{'a': -0.0::DOUBLE, 'b': 1}", "{'b': 1, 'a': 0.0::DOUBLE}", 1),
        ("{'a': 1, 'b': NULL::INT}", "{'a': NULL::INT, 'b': 1}", 0),
        ("MAP {'a': 1, 'b': 2}", "MAP {'b': 2, 'a': 1}", 1),
        ("MAP {'a': 1}", "MAP {'a': 2}", 0),
    ],
    "postgres": [],
    "spark": [
        ("named_struct('a', CAST('-0.0' AS DOUBLE), 'b', 1)", "named_struct('b', 1, 'a', CAST('0.0' AS DOUBLE))", 1),
        ("named_struct('a', 1, 'b', CAST(NULL AS INT))", "named_struct('a', CAST(NULL AS INT), 'b', 1)", 0),
        ("map('a', 1, 'b', 2)", "map('b', 2, 'a', 1)", 1),
        ("map('a', 1)", "map('a', 2)", 0),
    ],
}


def test_structs_and_maps(server: Server) -> None:
    """Structs by name, maps whatever their order, deep; -0.0 as anywhere."""
    for a, b, same in NESTED[server.name]:
        found = server.queries(f"SELECT 1 AS k, {a} AS v", f"SELECT 1 AS k, {b} AS v", ("k",))
        assert column(found, "v").status is not Status.UNKNOWN
        assert found.same == same, (a, b)
