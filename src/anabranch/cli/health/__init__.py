"""What `doctor` looks at: findings about this machine and about a project."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a finding is meant: `info` is neither good nor bad."""

    OK = "ok"
    INFO = "info"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at, and what to do when it is not as it should be."""

    name: str
    verdict: Verdict
    told: str
    hint: str = ""
