"""`anabranch doctor`: what this machine and this project have, and what to mend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from anabranch.cli.face import Face, verb
from anabranch.cli.health import Finding, Verdict, machine, place
from anabranch.cli.table import Cell, table
from anabranch.show.human import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LOOKS = {
    Verdict.OK: ("ok", "green"),
    Verdict.INFO: ("waiting", "dim"),
    Verdict.WARN: ("warn", "yellow"),
    Verdict.FAIL: ("failed", "red"),
}


@click.command("doctor", short_help="Look over this machine and this project, and say what to mend.")
@verb("doctor")
def doctor_command(face: Face) -> int:
    """Look over this machine and this project, and say what to mend.

    Python, the extras, programs that some steps need, the storage, the disk, the record of runs, what dead runs left.
    Exit code 1 when something is broken; warnings alone are fine.
    """
    found = (*machine.look(), *place.look(face))
    ok = all(each.verdict is not Verdict.FAIL for each in found)
    shown = [{"name": e.name, "verdict": e.verdict.value, "told": e.told, "hint": e.hint} for e in found]
    face.result({"ok": ok, "findings": shown}, lambda: lines(face, found))
    return 0 if ok else 1


def lines(face: Face, found: Sequence[Finding]) -> Iterator[str]:
    """Yield a line for each finding, and a count of what to mend."""
    out = face.out
    rows: list[list[str | Cell]] = []
    for each in found:
        mark, colour = LOOKS[each.verdict]
        sign = getattr(out.marks, mark) if out.marks.ok != "ok" else each.verdict.value
        told = each.told + (f"  ({each.hint})" if each.hint and each.verdict is Verdict.INFO else "")
        rows.append([Cell(sign, (colour,)), Cell(each.name, ("bold",)), told])
        if each.hint and each.verdict in {Verdict.WARN, Verdict.FAIL}:
            rows.append(["", "", Cell(f"try: {each.hint}", ("cyan",))])
    yield from table([""] * 3, rows, terminal=out)
    failed, warned = (sum(each.verdict is verdict for each in found) for verdict in (Verdict.FAIL, Verdict.WARN))
    counts = [plural(number, noun) for number, noun in ((failed, "failure"), (warned, "warning")) if number]
    if counts:
        yield out.paint(", ".join(counts), "bold", "red" if failed else "yellow")
    else:
        yield out.paint("all well", "bold", "green")
