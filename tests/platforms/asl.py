"""What Step Functions makes of an expression, as the emulator's own engine tells: JSONata with AWS's additions."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tools import aws

ENGINE = """
import json, sys
from ministack.services import stepfunctions
told = json.load(sys.stdin)
context = {"variables": told["variables"], **told["context"]}
found = stepfunctions._apply_jsonata_template(told["value"], told["input"], context, told["result"], told["error"])
json.dump(found, sys.stdout)
"""


def evaluated(
    value: Any,
    states_input: Any = None,
    *,
    result: Any = None,
    error: Any = None,
    context: dict[str, Any] | None = None,
    **variables: Any,
) -> Any:
    """Return a field of a state with its expressions evaluated.

    Args:
        value: the field, as it is in a definition.
        states_input: what flows into the state.
        result: of the state's task.
        error: with which its task failed.
        context: of the execution, by name.
        variables: of the machine.

    Raises:
        AssertionError: AWS would not have evaluated it.
    """
    if not aws.COMMAND.exists():
        pytest.skip("no AWS emulator: python3 tools/bootstrap.py emulators")
    told = {
        "value": value,
        "input": states_input,
        "result": result,
        "error": error,
        "context": context or {},
        "variables": variables,
    }
    python = str(aws.BIN / "python")
    done = subprocess.run([python, "-c", ENGINE], input=json.dumps(told), capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr[-500:]
    return json.loads(done.stdout)
