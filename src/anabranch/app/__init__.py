"""The verbs, wired: what the command line calls, and the library's public API.

anabranch.Project.load(".").run("daily").outputs["delays_by_carrier"].read()
"""

from anabranch.app.execute import DatasetOutput, Quiet, RunResult
from anabranch.app.project import Project, schemas
from anabranch.testing import TestResult

__all__ = ["DatasetOutput", "Project", "Quiet", "RunResult", "TestResult", "schemas"]
