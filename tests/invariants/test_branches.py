"""The promises of branches, each tried on generated pipelines: main untouched, minimal, like for like, nothing left."""

from __future__ import annotations

import random
import shutil
from functools import partial
from pathlib import Path

import pytest
from tests.invariants.branches import graph, inventory, left_of_branches, ran, rows, write

from anabranch.app import Project
from anabranch.app.branches.deltas import Asked
from anabranch.branch.sampling import parse
from anabranch.model.delta import Status, Verdict
from anabranch.model.errors import ConflictError
from anabranch.model.graph import reachable
from anabranch.model.run import RunState

SEEDS = range(6)


def closure(edges: dict[str, list[str]], start: str) -> set[str]:
    """Return a step and all that depends on it, told from the edges alone."""
    writers = {f"d{i}": step for i, step in enumerate(edges)}
    down = {
        step: tuple(other for other, reads in edges.items() if step in {writers.get(name) for name in reads})
        for step in edges
    }
    return reachable(down, [start])  # type: ignore[arg-type, return-value, type-var]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_branch_redoes_the_closure_and_nothing_else_and_equals_a_full_rerun(seed: int, tmp_path: Path) -> None:
    """And main's inventory is the same before and after every verb; after the drop nothing is found."""
    edges = graph(seed)
    root = write(tmp_path / "made", edges, {})
    ran(root)
    before = inventory(root / "data")
    start = random.Random(seed).choice(list(edges))
    write(root, edges, {start: 5})
    project = Project.load(root)
    branch = project.branches.create("b/change")
    assert set(branch.steps) == closure(edges, start)
    assert [reason.step for reason in branch.reasons if reason.role == "changed"] == [start]
    done = project.branches.run("b/change")
    assert done is not None
    assert done.run.state is RunState.SUCCEEDED
    assert {step.step for step in done.run.steps if step.attempts} == closure(edges, start)
    assert inventory(root / "data") == before

    other = tmp_path / "full"
    shutil.copytree(root, other, ignore=shutil.ignore_patterns("_branches", ".anabranch"))
    Project.load(other).run("p")
    for i, step in enumerate(edges):
        if step in branch.steps:
            assert rows(root, Path(branch.root), f"d{i}") == rows(other, other / "data", f"d{i}")

    report = project.branches.deltas("b/change")
    assert {delta.dataset for delta in report.datasets} == {
        f"d{i}" for i, step in enumerate(edges) if step in branch.steps
    }
    for delta in report.datasets:
        assert delta.same + delta.changed + delta.removed == delta.before
        assert delta.same + delta.changed + delta.added == delta.after
        mine, theirs = rows(root, root / "data", delta.dataset), rows(root, Path(branch.root), delta.dataset)
        assert delta.changed == len(set(mine) - set(theirs))
    project.branches.drop("b/change")
    assert inventory(root / "data") == before
    assert left_of_branches(root) == []


def test_no_change_is_no_step_and_an_empty_delta(tmp_path: Path) -> None:
    """Also after the code was only laid out anew."""
    root = write(tmp_path, graph(1), {})
    project = Project.load(root)
    project.run("p")
    text = (root / "p.yaml").read_text()
    (root / "p.yaml").write_text("# a comment\n" + text.replace("SELECT k", "select   k"))
    project = Project.load(root)
    branch = project.branches.create("nothing")
    assert branch.steps == ()
    assert project.branches.run("nothing") is None
    assert project.branches.deltas("nothing").datasets == ()
    with pytest.raises(ConflictError, match="nothing to promote"):
        project.branches.promote("nothing")


def test_a_change_that_is_taken_back_leaves_nothing_to_compare(tmp_path: Path) -> None:
    """What the branch wrote when it differed is of code that is no more."""
    root = write(tmp_path, graph(1), {})
    Project.load(root).run("p")
    write(tmp_path, graph(1), {"s0": 1})
    Project.load(root).branches.create("b")
    assert Project.load(root).branches.run("b") is not None
    assert Project.load(root).branches.deltas("b").differs
    write(tmp_path, graph(1), {})
    project = Project.load(root)
    assert project.branches.run("b") is None
    assert not project.branches.deltas("b").differs
    assert project.branches.deltas("b").datasets == ()


def test_steps_chosen_without_a_change_have_empty_deltas(tmp_path: Path) -> None:
    """The same code on the same inputs: no dataset differs."""
    root = write(tmp_path, graph(2), {})
    project = Project.load(root)
    project.run("p")
    project.branches.create("same", at=["s0", "s1"])
    project.branches.run("same")
    report = project.branches.deltas("same")
    assert report.datasets
    assert not report.differs
    assert {each.of for each in report.bases} == {"main"}


def test_main_that_has_moved_on_is_stale_and_compared_by_a_control(tmp_path: Path) -> None:
    """The delta shows the change alone; what main's new input did is not in it. --rebase reads the new input."""
    edges = {"s0": ["raw_a"], "s1": ["d0"]}
    root = write(tmp_path, edges, {})
    ran(root)
    (root / "data/raw/raw_a.csv").write_text("k,v\n1,100\n2,200\n")
    write(root, edges, {"s0": 5})
    project = Project.load(root)
    project.branches.create("fix")
    project.branches.run("fix")
    report = project.branches.deltas("fix")
    assert {each.of for each in report.bases} == {"control"}
    assert [(delta.before, delta.changed, delta.added) for delta in report.datasets] == [(2, 2, 0), (2, 2, 0)]
    assert report.stale == ()

    (root / "data/raw/raw_a.csv").write_text("k,v\n1,100\n2,200\n3,300\n")
    report = project.branches.deltas("fix")
    assert report.stale == ("raw_a",)
    assert report.datasets[0].after == 2
    run = project.branches.run("fix")
    assert run is not None
    assert run.run.state is RunState.FAILED, "the rows that it is pinned to are gone, and it must not read others"
    project.branches.run("fix", rebase=True)
    report = project.branches.deltas("fix")
    assert (report.stale, report.datasets[0].after, report.datasets[0].changed) == ((), 3, 3)


def test_what_differs_by_chance_is_told_as_noise(tmp_path: Path) -> None:
    """A step that draws random numbers, and a change that has nothing to do with it."""
    edges = {"s0": ["raw_a"], "s1": ["raw_b"]}
    root = write(tmp_path, edges, {}, chance="s1")
    project = Project.load(root)
    project.run("p")
    project.branches.create("noisy", at=["s0", "s1"])
    project.branches.run("noisy")
    report = project.branches.deltas("noisy")
    told = {delta.dataset: delta for delta in report.datasets}
    assert not told["d0"].differs
    assert told["d1"].verdict is Verdict.NOISE
    assert [column.status for column in told["d1"].columns] == [Status.KEY, Status.NOISE]
    assert not report.differs


def test_an_incremental_step_goes_on_where_main_stands(tmp_path: Path) -> None:
    """It is handed only new rows, its output grows from main's, and main's watermark stays where it is."""
    root = tmp_path
    (root / "anabranch.yaml").write_text("project: grow\npipelines: [p.yaml]\n")
    spec = """
    pipeline: p
    datasets:
      events:
        {{stage: raw, format: csv, columns: {{id: int64, v: int64}}, ingestion: incremental, incremental_field: id}}
      seen: {{stage: final, format: {form}, columns: {{id: int64, v: int64}}, primary_key: [id]}}
    steps:
      grow: {{sql: "SELECT id, v * {factor} AS v FROM events", reads: [events], writes: [seen]}}
    """
    (root / "p.yaml").write_text(spec.format(factor=1, form="parquet"))
    (root / "data/raw").mkdir(parents=True)
    (root / "data/raw/events.csv").write_text("id,v\n1,1\n2,2\n")
    ran(root)
    (root / "data/raw/events.csv").write_text("id,v\n1,1\n2,2\n3,3\n")
    before = inventory(root / "data")
    (root / "p.yaml").write_text(spec.format(factor=10, form="parquet"))
    project = Project.load(root)
    branch = project.branches.create("grow")
    for _ in range(2):  # a second run begins where the first began
        project.branches.run("grow")
        assert rows(root, Path(branch.root), "seen") == [(1, 1), (2, 2), (3, 30)]
    report = project.branches.deltas("grow")
    (delta,) = report.datasets
    assert (delta.before, delta.same, delta.changed, delta.added) == (3, 2, 1, 0)
    assert report.bases[0].of == "control"
    assert inventory(root / "data") == before
    project.branches.promote("grow")
    assert rows(root, root / "data", "seen") == [(1, 1), (2, 2), (3, 30)]
    ran(root)
    assert rows(root, root / "data", "seen") == [(1, 1), (2, 2), (3, 30)], "main's watermark went on with it"


@pytest.mark.parametrize("seed", range(3))
def test_promotion_is_a_compare_and_swap_and_can_be_undone(seed: int, tmp_path: Path) -> None:
    """Main gets what the branch made, only if nothing changed since it was looked at; undo gives back every byte."""
    edges = graph(seed)
    root = write(tmp_path, edges, {})
    ran(root)
    before = {name: rows(root, root / "data", name) for name in (f"d{i}" for i in range(len(edges)))}
    write(root, edges, {"s0": 3})
    project = Project.load(root)
    branch = project.branches.create("go")
    project.branches.run("go")
    with pytest.raises(ConflictError, match="nobody has looked"):
        project.branches.promote("go")
    project.branches.deltas("go")
    made = {f"d{i}": rows(root, Path(branch.root), f"d{i}") for i, step in enumerate(edges) if step in branch.steps}
    project.branches.promote("go")
    for name, old in before.items():
        assert rows(root, root / "data", name) == made.get(name, old)
    assert project.branches.create("again").steps == (), "main's history knows the code that made it"
    with pytest.raises(ConflictError):
        project.branches.promote("go")
    project.branches.undo("go")
    assert {name: rows(root, root / "data", name) for name in before} == before
    assert set(project.branches.create("undone").steps) == set(branch.steps)
    with pytest.raises(ConflictError):
        project.branches.undo("go")


@pytest.mark.parametrize("what", ["code", "input", "output"])
def test_a_promotion_is_refused_by_what_differs(what: str, tmp_path: Path) -> None:
    """It says which, changes nothing, and offers the rerun."""
    edges = {"s0": ["raw_a"], "s1": ["d0"]}
    root = write(tmp_path, edges, {})
    ran(root)
    write(root, edges, {"s0": 3})
    project = Project.load(root)
    project.branches.create("go")
    project.branches.run("go")
    project.branches.deltas("go")
    if what == "code":
        write(root, edges, {"s0": 4})
    elif what == "input":
        (root / "data/raw/raw_a.csv").write_text("k,v\n1,1\n")
    else:
        (root / "data/cleaned/d1.csv").write_text("k,v\n1,1\n")
    before = inventory(root / "data")
    with pytest.raises(ConflictError, match=what) as caught:
        Project.load(root).branches.promote("go")
    assert "anabranch run p --from s0" in caught.value.hint
    assert inventory(root / "data") == before


def test_a_sample_keeps_every_reference_and_is_never_promoted(tmp_path: Path) -> None:
    """Rows of orders are those of kept customers, rows of lines those of kept orders; carriers are too few to cut."""
    root = tmp_path
    (root / "anabranch.yaml").write_text("project: shop\npipelines: [p.yaml]\n")
    (root / "p.yaml").write_text(
        """
    pipeline: p
    datasets:
      customers: {stage: raw, format: csv, columns: {c: int64}, primary_key: [c]}
      orders:
        stage: raw
        format: csv
        columns: {o: string, c: int64, way: int64}
        primary_key: [o]
        references: {c: customers, way: ways}
      lines: {stage: raw, format: parquet, columns: {o: string, n: int64}, references: {o: orders}}
      ways: {stage: raw, format: csv, columns: {way: int64}, primary_key: [way]}
      joined: {stage: final}
      some_customers: {stage: final}
      some_orders: {stage: final}
    steps:
      join:
        sql: >
          SELECT l.o, l.n, o.c, o.way, c.c AS found, w.way AS by_way
          FROM lines l LEFT JOIN orders o USING (o) LEFT JOIN customers c ON o.c = c.c LEFT JOIN ways w ON w.way = o.way
        reads: [lines, orders, customers, ways]
        writes: [joined]
      keep: {sql: SELECT * FROM customers, reads: [customers], writes: [some_customers]}
      keep_orders: {sql: SELECT * FROM orders, reads: [orders], writes: [some_orders]}
    """
    )
    raw = root / "data" / "raw"
    raw.mkdir(parents=True)
    (raw / "customers.csv").write_text("c\n" + "".join(f"{i}\n" for i in range(2000)))
    (raw / "ways.csv").write_text("way\n0\n1\n2\n")
    (raw / "orders.csv").write_text("o,c,way\n" + "".join(f"o{i},{i % 2000},{i % 3}\n" for i in range(6000)))
    import polars as pl

    pl.DataFrame({"o": [f"o{i % 6000}" for i in range(20000)], "n": range(20000)}).write_parquet(raw / "lines.parquet")
    project = Project.load(root)
    project.run("p")
    branch = project.branches.create("some", at=["join", "keep", "keep_orders"], sample=parse("5%"))
    project.branches.run("some")
    told = {each.dataset: each.how for each in project.branches.find("some").sampled}
    assert told["ways"].startswith("whole")
    joined = rows(root, Path(branch.root), "joined")
    kept = rows(root, Path(branch.root), "some_customers")
    orders = rows(root, Path(branch.root), "some_orders")
    assert 50 < len(kept) < 150
    assert {c for _, c, _ in orders} == {c for (c,) in kept}
    assert len(orders) == 3 * len(kept)
    assert all(found is not None and way is not None for _, _, _, _, found, way in joined)
    assert {o for o, *_ in joined} == {o for o, _, _ in orders}
    report = project.branches.deltas("some")
    assert not report.differs
    assert {each.of for each in report.bases} == {"control"}, "a sample is compared with a sample"
    with pytest.raises(Exception, match="sample"):
        project.branches.promote("some")


def test_deltas_of_a_branch_can_be_asked_for_with_a_twin_always(tmp_path: Path) -> None:
    """`--control always` runs main's code twice, and finds no noise where there is none."""
    root = write(tmp_path, {"s0": ["raw_a"]}, {})
    ran(root)
    write(root, {"s0": ["raw_a"]}, {"s0": 1})
    project = Project.load(root)
    project.branches.create("fix")
    project.branches.run("fix")
    report = project.branches.deltas("fix", Asked(control="always"))
    assert [delta.verdict for delta in report.datasets] == [Verdict.CHANGED]
    assert report.bases[0].of == "control"


@pytest.mark.parametrize("seed", range(4))
def test_no_sequence_of_verbs_changes_anything_in_main(seed: int, tmp_path: Path) -> None:
    """Create, run, rebase, compare, look, drop and collect, in any order, with code and inputs that change between."""
    edges, draw = graph(seed), random.Random(seed)
    root = write(tmp_path, edges, {})
    ran(root)
    before = inventory(root / "data")
    told = 0
    for turn in range(14):
        project = Project.load(root)
        names = [branch.name for branch in project.branches.all()]
        name = draw.choice(names) if names else ""
        verb = draw.choice(
            ["create", "create", "run", "run", "rebase", "deltas", "show", "drop", "gc", "code", "input"]
        )
        try:
            if verb == "create":
                at = draw.choice([[], [draw.choice(list(edges))]])
                project.branches.create(f"b{turn}", at=at, sample=draw.choice([None, parse("50%")]))
            elif verb == "code":
                write(root, edges, {draw.choice(list(edges)): turn})
            elif verb == "input":  # somebody else's doing, and no verb of ours
                (root / "data/raw/raw_a.csv").write_text(f"k,v\n1,{turn}\n2,{turn}\n")
                before = inventory(root / "data")
            elif verb == "gc":
                project.branches.gc()
            elif name:
                {
                    "run": project.branches.run,
                    "rebase": partial(project.branches.run, rebase=True),
                    "deltas": project.branches.deltas,
                    "show": project.branches.look,
                    "drop": project.branches.drop,
                }[verb](name)
        except ConflictError:
            told += 1  # such as deltas of a branch that has never run
        assert inventory(root / "data") == before, (turn, verb)
    assert told < 14, "some verbs did something"
    for branch in Project.load(root).branches.all():
        Project.load(root).branches.drop(branch.name)
    assert left_of_branches(root) == []
    assert inventory(root / "data") == before
