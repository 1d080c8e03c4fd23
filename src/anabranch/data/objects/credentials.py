"""The credentials of S3, as AWS's own tools find them."""

from __future__ import annotations

import os
from typing import Any

from anabranch.model.errors import StepError

_HINT = "log in (aws sso login), or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"


def aws_credentials(url: str) -> Any:
    """Return what gives obstore credentials and a region; None where it reads the variables that say them.

    It does not know profiles, sign-ons and the files of `~/.aws`, and boto3 does.

    Raises:
        StepError: `storage-denied`, there are none; `not-installed`, a profile is named that nobody here can read.
    """
    if os.environ.get("AWS_ACCESS_KEY_ID") or os.environ.get("AWS_SKIP_SIGNATURE"):
        return None
    try:
        from boto3.session import Session
        from botocore.exceptions import BotoCoreError
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        if not (profile := os.environ.get("AWS_PROFILE")):
            return None  # it can still ask the machine that it runs on
        message = f"storage {url} needs the package boto3 for the profile {profile}"
        raise StepError(message, code="not-installed", hint="pip install 'anabranch[aws]'") from None
    try:
        session = Session()
        if session.get_credentials() is not None:
            return Boto3CredentialProvider(session)
    except BotoCoreError as error:
        message = f"there are no credentials for {url}: {error}"
        raise StepError(message, code="storage-denied", hint=_HINT) from None
    raise StepError(f"there are no credentials for {url}", code="storage-denied", hint=_HINT)
