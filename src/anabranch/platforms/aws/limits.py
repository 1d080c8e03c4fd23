"""What one call may take on each engine of AWS, as data, each with its source."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anabranch.model.pipeline import Step

LAMBDA, GLUE = "lambda", "glue"
"""The engines that run code of ours."""

FUNCTION_SECONDS = 900
"""Seconds that a function may run. Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
SLACK = 30
"""Seconds beyond a step's own limit that its function or job gets, to tell that it was over."""
MEMORY = (128, 10_240)
"""MB of a function. Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

JOB_SECONDS = 7 * 24 * 3600
"""Seconds that a Glue job may run: 10,080 minutes.

Source: https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-jobs-job.html
"""
JOB_DEFAULT = 48 * 3600
"""Seconds that a Glue job may run where its step does not say. Source: as above."""

SHELLS = ((1024, 0.0625), (16_384, 1.0))
"""MB of a Python shell job, and the capacity that has them: a DPU has 16 GB, and a job one, or a sixteenth.

Source: as above, MaxCapacity.
"""
WORKERS = ((16_384, "G.1X"), (32_768, "G.2X"), (65_536, "G.4X"), (131_072, "G.8X"))
"""MB of a worker, and its type. Source: https://docs.aws.amazon.com/glue/latest/dg/worker-types.html"""
FEWEST_WORKERS, MOST_WORKERS = 2, 299
"""Workers of a job, one of which is the driver; of the smallest type there may be no more.

Source: https://docs.aws.amazon.com/glue/latest/dg/add-job.html
"""
SHELL = "shell"
"""How an environment asks for Python shell jobs in place of a version of Glue."""
PYTHONS = {"5.0": "python3.11", "5.1": "python3.11"}
"""The Python of a version of Glue. Source: https://docs.aws.amazon.com/glue/latest/dg/release-notes.html"""


def seconds_of(step: Step, engine: str = LAMBDA) -> int:
    """Return how long a step may run on an engine, without what it needs to tell that time is over."""
    most = FUNCTION_SECONDS - SLACK if engine == LAMBDA else JOB_SECONDS - SLACK
    usual = most if engine == LAMBDA else JOB_DEFAULT
    return usual if step.timeout is None else max(1, min(most, math.ceil(step.timeout)))


def workers_of(step: Step) -> int:
    """Return how many workers a step asks for, of a Glue job that has Spark."""
    return int(dict(step.needs.resources).get("workers", FEWEST_WORKERS))


def memory_of(step: Step, usual: int) -> int:
    """Return the memory that a step asks for, in MB."""
    return int(dict(step.needs.resources).get("memory", usual))
