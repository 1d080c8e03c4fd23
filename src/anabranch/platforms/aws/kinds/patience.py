"""What AWS refuses for a while only: the call is made again until what hinders it has passed."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from anabranch.model.errors import ConflictError, StepError

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 60.0
"""Seconds within which what hinders a call has passed, or a change is done."""
PAUSE = 1.0
"""Seconds between two attempts."""

NEW_ROLE = re.compile("assumed by|assume (the )?(provided )?role|create managed-rule")
"""How services say that they cannot take a role, or may not do by it what its policy says. IAM tells all that ask of a
role that was just made within seconds, not at once. What is denied to us names our own `assumed-role/`, and stays so.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html#troubleshoot_general_eventual-consistency
"""


def patiently(call: Callable[[], object], passing: re.Pattern[str]) -> None:
    """Make a call, and again for as long as it is refused by something that passes.

    Args:
        call: raises as `AwsClient.ask`.
        passing: what is said then.

    Raises:
        ConflictError: as of the call, at once or when it has not passed.
        StepError: the same.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            call()
        except (ConflictError, StepError) as error:
            if not passing.search(error.message) or time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)
        else:
            return
