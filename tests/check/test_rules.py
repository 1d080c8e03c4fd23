"""Every rule finds what it is for, says where, and gives one thing to try."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.projects import write

from anabranch import check
from anabranch.data.bind import bind
from anabranch.frontends.spec import read_spec
from anabranch.frontends.yamlfile import parse
from anabranch.model.errors import Diagnostic, InvalidProject, Severity

GOOD = """
pipeline: p
params: {day: {type: date, default: 2013-01-05}}
datasets:
  a: {format: csv, columns: {k: int64, v: string}, primary_key: k}
  b: {stage: cleaned, columns: {k: int64}}
steps:
  x: {sql: "select k from a where $day > date '2000-01-01'", reads: a, writes: b}
"""


def findings(root: Path, text: str, files: dict[str, str] | None = None) -> tuple[Diagnostic, ...]:
    """Check one spec."""
    write(root, {"p.yaml": text, **(files or {})})
    return check.project([read_spec(root, root / "p.yaml")], root, bind)


def test_a_good_spec_has_no_findings(tmp_path: Path) -> None:
    """Not even warnings."""
    assert findings(tmp_path, GOOD) == ()


STEP = "pipeline: p\nsteps:\n  x: "


@pytest.mark.parametrize(
    "text, code, words",
    [
        (
            STEP + "{shell: ['true'], after: y}\n  y: {shell: ['true'], after: z}\n  z: {shell: ['true'], after: x}",
            "cycle",
            "x -> z -> y -> x",
        ),
        (STEP + "{shell: ['true'], after: x}", "cycle", "waits for itself"),
        (STEP + "{shell: ['true'], after: yy}\n  y: {shell: ['true']}", "unknown-step", "`yy`"),
        (GOOD.replace("reads: a", "reads: aa"), "unknown-dataset", "did you mean 'a'?"),
        (GOOD + "  y: {shell: ['true'], writes: b}\n", "two-writers", "`b` is written by `y` and by `x`"),
        (
            STEP + "{shell: [x], gives: str}\n  y: {shell: [y], takes: {v: {from: x, type: int}}}",
            "type-mismatch",
            "gives str",
        ),
        (STEP + "{shell: [x]}\n  y: {shell: [y], takes: x}", "no-value", "gives no value"),
        (GOOD.replace("reads: a", "reads: {a: {dataset: a, columns: [k, vv]}}"), "missing-promise", "`vv`"),
        (GOOD.replace("select k", "select kk"), "sql-error", "kk"),
        (GOOD.replace("select k", "select v as k"), "wrong-type", "`k` as string"),
        (GOOD.replace("select k", "select v"), "missing-column", "does not give `k`"),
        (GOOD.replace("$day", "$days"), "sql-error", "$days"),
        (GOOD.replace("primary_key: k", "primary_key: kk"), "unknown-column", "`kk`"),
        (GOOD.replace("format: csv", "format: csv, ingestion: incremental"), "no-incremental-field", "names no"),
        (GOOD.replace("format: csv", "format: csv, path: ../a.csv"), "path-escape", "outside"),
        (GOOD.replace("format: csv", "format: csv, path: /etc/a.csv"), "path-escape", "outside"),
        (GOOD.replace("format: csv", "format: csv, path: cleaned/b.parquet"), "same-location", "both lie at"),
        (GOOD.replace("format: csv", "format: csv, path: cleaned/b.parquet/x.csv"), "same-location", "inside"),
        (STEP + "{shell: [cat, '${in.x}']}", "unknown-port", "`${in.x}`"),
        (STEP + "{sql: {file: q.sql}}", "missing-file", "q.sql"),
        (STEP + "{shell: [./no.sh]}", "missing-file", "./no.sh"),
        (STEP + "{spark: {main: j.py}}", "missing-file", "j.py"),
        (STEP + "{dbt: {project: d}}", "missing-file", "dbt_project.yml"),
        (STEP + "{container: {image: x}}", "not-local", "container"),
        ("schedule: 61 * * * *\n" + STEP + "{shell: [x]}", "bad-cron", "61 * * * *"),
        ("schedule: {cron: '0 6 * * *', timezone: Mars/Base}\n" + STEP + "{shell: [x]}", "bad-timezone", "Mars/Base"),
        (STEP + "{shell: [x], timeout: 0}", "out-of-range", "timeout"),
        (STEP + "{shell: [x], secrets: {T: hunter2}}", "bad-secret", "`T` is not a reference"),
        (STEP + "{shell: [x], env: {DB_PASSWORD: hunter2}}", "bad-secret", "`DB_PASSWORD` seems to hold a secret"),
        (STEP + "{shell: [x], env: {DB: 'pg://me:hunter2@host/db'}}", "bad-secret", "`DB` seems to hold a secret"),
        (STEP + "{shell: [x], env: {a-b: 1}}", "bad-name", "`a-b`"),
        ("params: {n: {type: int, default: x}}\n" + STEP + "{shell: [x]}", "bad-param", "`x` is not"),
        ("params: {n: {default: c, choices: [a, b]}}\n" + STEP + "{shell: [x]}", "bad-param", "none of its choices"),
        ("datasets: {a-b: {}, a_b: {}}\n" + STEP + "{shell: [x], reads: [a-b, a_b]}", "duplicate-port", "a_b"),
    ],
)
def test_each_mistake_is_found(tmp_path: Path, text: str, code: str, words: str) -> None:
    """With its place, in words, and with a hint."""
    found = [each for each in findings(tmp_path, text) if each.code == code]
    assert found, [each.code for each in findings(tmp_path, text)]
    assert words in found[0].message + found[0].hint, found[0].message
    assert found[0].hint
    assert found[0].place is not None
    assert found[0].place.file == "p.yaml"
    assert found[0].place.line > 0
    assert (found[0].severity is Severity.WARNING) == (code == "not-local")
    assert "hunter2" not in found[0].message + found[0].hint


def test_a_step_behind_what_can_never_start_is_unreachable(tmp_path: Path) -> None:
    """A value that nobody gives, and all that waits for it."""
    write(tmp_path, {"j.py": "def f(x: int) -> int: return x\ndef g() -> None: ...\n"})
    text = STEP + "{python: 'j:g'}\n  y: {python: 'j:f', after: x}\n  z: {python: 'j:f', takes: y}"
    found = findings(tmp_path, text)
    assert [(each.code, each.message.split("`")[1]) for each in found] == [
        ("unreachable-step", "y"),
        ("unreachable-step", "z"),
    ]


def test_all_findings_come_at_once_in_order(tmp_path: Path) -> None:
    """By line, and no later one hides an earlier."""
    text = STEP + "{shell: [a], after: q, timeout: 0}\n  y: {sql: {file: no.sql}, reads: nope, writes: nope}"
    found = findings(tmp_path, text)
    assert {"unknown-step", "out-of-range", "unknown-dataset", "missing-file"} <= {each.code for each in found}
    assert [each.place.line for each in found if each.place] == sorted(each.place.line for each in found if each.place)


def test_two_pipelines_must_not_write_one_dataset(tmp_path: Path) -> None:
    """A pipeline alone is fine; together they are not."""
    write(
        tmp_path,
        {
            "a.yaml": GOOD,
            "b.yaml": GOOD.replace("pipeline: p", "pipeline: q")
            .replace("x:", "other:")
            .replace("select k", "select k + 1 as k"),
        },
    )
    both = [read_spec(tmp_path, tmp_path / name) for name in ("a.yaml", "b.yaml")]
    assert check.project(both[:1], tmp_path) == ()
    assert [each.code for each in check.project(both, tmp_path)] == ["two-writers"]


@pytest.mark.parametrize(
    "text, code, line",
    [
        ("a: [1\n", "yaml-syntax", 2),
        ("a:\n\t- 1\n", "yaml-syntax", 2),
        ("pipeline: p\nsteps:\n  x: {shell: [a]}\n  x: {shell: [b]}\n", "duplicate-step", 4),
        ("pipeline: p\npipeline: q\n", "duplicate-key", 2),
        ("pipeline: p\nstepz: {}\nsteps: {x: {shell: [a]}}\n", "unknown-key", 2),
        ("pipeline: p\n", "missing-key", 1),
        ("pipeline: p\nsteps: 3\n", "wrong-type", 2),
        ("- 1\n", "wrong-type", 1),
        ("", "wrong-type", 1),
        ("a: 1\n---\nb: 2\n", "yaml-syntax", 2),
        ("pipeline: p\nsteps:\n  x: {shell: [a], sql: b}\n", "which-call", 3),
        ("pipeline: p\nsteps:\n  x: {python: nocolon}\n", "bad-entry", 3),
        ("pipeline: p\nsteps:\n  x: {python: 'no_such_mod:f'}\n", "missing-module", 3),
        ("pipeline: p\nsteps:\n  x: {shell: [a], retry: {attempts: 0}}\n", "wrong-type", 3),
        ("pipeline: p\nsteps:\n  x: {shell: [a], timeout: soon}\n", "bad-duration", 3),
        ("a: *b\n", "yaml-syntax", 1),
        ("a: !!python/object:os.system x\n", "yaml-syntax", 1),
    ],
)
def test_bad_files_are_told_with_their_line(tmp_path: Path, text: str, code: str, line: int) -> None:
    """Before anything else is looked at."""
    with pytest.raises(InvalidProject) as caught:
        findings(tmp_path, text)
    told = caught.value.diagnostics[0]
    assert (told.code, told.place.line if told.place else 0) == (code, line), told
    assert told.hint


def test_bombs_are_refused() -> None:
    """Aliases that expand without end, and nesting without end."""
    aliases = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))
    for text in (aliases, "[" * 10_000 + "]" * 10_000):
        with pytest.raises(InvalidProject):
            parse(text, "bomb.yaml")


def test_scalars_are_what_they_look_like() -> None:
    """YAML 1.2: no Norway problem, no dates, no sexagesimals."""
    given = parse("[no, on, 2013-01-05, 12:30, 1_000, 0o17, 1e3, '1', ~, true, -5]", "f").value
    assert given == ["no", "on", "2013-01-05", "12:30", "1_000", 15, 1000.0, "1", None, True, -5]


keys = st.sampled_from(["pipeline", "steps", "datasets", "shell", "sql", "reads", "takes", "a", "columns", "retry"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | keys,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200)
@given(values | st.dictionaries(keys, values), st.text(max_size=30))
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, value: object, text: str) -> None:
    """Never any other error, whatever stands in it."""
    root = tmp_path_factory.getbasetemp()
    for body in (json.dumps(value), text, json.dumps({"pipeline": "p", "steps": {"x": value}})):
        (root / "fuzz.yaml").write_text(body, errors="replace")
        with suppress(InvalidProject):
            check.project([read_spec(root, root / "fuzz.yaml")], root)
