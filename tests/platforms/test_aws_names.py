"""Names on AWS: within each limit, of the characters that it takes, and never shared by two things."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from anabranch.model.pipeline import StepId
from anabranch.model.resource import Owner
from anabranch.platforms.aws.deploy import function_name, machine_name
from anabranch.platforms.aws.names import FUNCTION, MACHINE, name_of, path_of, prefix_of, state_of

NAMES = st.from_regex(r"[a-z][a-z0-9_.-]{0,70}", fullmatch=True)
STEPS = st.lists(NAMES, min_size=1, max_size=2).map("/".join).map(StepId)
OWNERS = st.builds(Owner, NAMES, NAMES, st.just("main") | NAMES)
FUNCTIONS = st.tuples(OWNERS, NAMES, STEPS)
MACHINES = st.tuples(OWNERS, NAMES, st.integers(0, 30))


@given(FUNCTIONS, FUNCTIONS)
def test_two_functions_never_share_a_name(one: tuple[Owner, str, StepId], other: tuple[Owner, str, StepId]) -> None:
    names = function_name(*one), function_name(*other)
    assert all(re.fullmatch(rf"[A-Za-z0-9_-]{{1,{FUNCTION}}}", name) for name in names)
    assert (names[0] == names[1]) == (one == other)


@given(MACHINES, MACHINES)
def test_two_machines_never_share_a_name(one: tuple[Owner, str, int], other: tuple[Owner, str, int]) -> None:
    names = machine_name(*one), machine_name(*other)
    assert all(re.fullmatch(rf"[A-Za-z0-9_-]{{1,{MACHINE}}}", name) for name in names)
    assert (names[0] == names[1]) == (one == other)


@given(FUNCTIONS, OWNERS, NAMES)
def test_the_role_of_a_step_is_never_that_of_a_machine(
    one: tuple[Owner, str, StepId], owner: Owner, pipeline: str
) -> None:
    assert function_name(*one) != name_of(owner, pipeline, "", "states")
    assert function_name(*one) != name_of(owner, pipeline, "", "schedule")


@given(OWNERS, OWNERS)
def test_a_folder_is_one_owner_s(one: Owner, other: Owner) -> None:
    assert (path_of(one) == path_of(other)) == (one == other)
    assert not path_of(one).startswith(path_of(other)) or one == other


@given(FUNCTIONS)
def test_what_is_ours_begins_with_our_prefix(one: tuple[Owner, str, StepId]) -> None:
    assert function_name(*one).startswith(prefix_of(one[0]))


@given(STEPS)
@example(StepId("x" * 200))
def test_a_state_with_its_suffix_is_within_the_limit(step: StepId) -> None:
    assert len(f"{state_of(step)}: ready?") <= MACHINE
    assert len(f"({state_of(step)} and more): beside") <= MACHINE
