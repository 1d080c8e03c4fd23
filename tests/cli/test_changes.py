"""A plan is read by people: many changes that are alike are one line."""

from __future__ import annotations

from anabranch.cli import changes
from anabranch.cli.terminal import Terminal
from anabranch.model.plan import Create, Plan, Update
from anabranch.model.resource import Address, Live, Resource


def made(kind: str, number: int) -> Resource:
    return Resource(Address(f"{kind}/s{number}"), f"s{number}", b"x")


def test_of_many_changes_that_are_alike_the_first_are_shown() -> None:
    many = [Create(made(kind, i), "it is new") for i in range(100) for kind in ("role", "function")]
    resource = made("function", 100)
    drifted = Update(resource, Live(resource.address, "s100", ""), "it was changed by hand", drifted=True)
    found = list(changes.lines(Plan("prod", "main", 1, (*many, drifted)), Terminal()))
    assert [line.split()[2] for line in found[1:-1]] == [
        *("role/s0", "function/s0", "role/s1", "function/s1", "role/s2", "function/s2"),
        *("role/...", "function/...", "function/s100"),
    ]
    assert "it is new: 97 more" in found[7]
    assert found[-1] == "200 to create, 1 to update, 0 as they should be"


def test_of_few_all_are_shown() -> None:
    few = tuple(Create(made("role", i), "it is new") for i in range(changes.MANY))
    assert len(list(changes.lines(Plan("prod", "main", 1, few), Terminal()))) == 2 + changes.MANY
