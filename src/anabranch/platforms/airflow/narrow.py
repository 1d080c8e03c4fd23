"""What a branch's calls of jobs may not do, whatever the jobs' own roles may: write to main's storage."""

from __future__ import annotations

import json

WRITES = ["s3:Put*", "s3:DeleteObject*", "s3:RestoreObject", "s3:ReplicateObject", "s3:ReplicateDelete"]


def session_policy(main: str, root: str) -> str:
    """Return the policy of a call in a branch: of all that its role may do, nothing is written to main's storage.

    What lies elsewhere, such as a job's temporary files, is left as it is. Nothing is allowed that the role may not do:
    a session has what both allow. The platforms take 2,048 characters.
    Source: https://docs.aws.amazon.com/glue/latest/webapi/API_StartJobRun.html
    Source: https://docs.aws.amazon.com/emr-serverless/latest/APIReference/API_StartJobRun.html

    Args:
        main: the storage that is protected, as workers see it.
        root: of the branch's datasets, which may lie below it.

    Returns:
        A document as text; empty where either is not in S3.
    """
    if not (main.startswith("s3://") and root.startswith("s3://")):
        return ""
    statements = [
        {"Effect": "Allow", "NotAction": WRITES, "Resource": "*"},
        {"Effect": "Allow", "Action": WRITES, "NotResource": _below(main)},
        {"Effect": "Allow", "Action": WRITES, "Resource": _below(root)},
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))


def _below(url: str) -> str:
    """Return the objects below a URL, in whichever partition of AWS.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
    >>> _below("s3://lake/main/")
    'arn:*:s3:::lake/main/*'
    """
    return f"arn:*:s3:::{url.removeprefix('s3://').rstrip('/')}/*"
