"""All that an AWS account holds of what anabranch makes there: what each thing is called, and what it is."""

from __future__ import annotations

from tools.aws import ACCOUNT

from anabranch.model.environment import Aws
from anabranch.platforms.aws.client import AwsClient

REGION = "us-east-1"


def client() -> AwsClient:
    return AwsClient(Aws(ACCOUNT, REGION))


def listing(artifacts: str = "") -> dict[str, str]:
    """Return what is there, whoever made it; of a bucket's objects those below a prefix."""
    aws = client()
    found = {
        f"function/{each['FunctionName']}": f"{each['CodeSha256']} {each['MemorySize']}"
        for each in aws.pages("lambda", "list_functions", "Functions")
    }
    for each in aws.pages("glue", "get_jobs", "Jobs"):
        found[f"job/{each['Name']}"] = f"{each['Command']} {each['DefaultArguments']} {each.get('MaxCapacity')}"
    for each in aws.pages("iam", "get_account_authorization_details", "RoleDetailList", Filter=["Role"]):
        found[f"role/{each['RoleName']}"] = f"{each['AssumeRolePolicyDocument']} {each.get('RolePolicyList')}"
    for each in aws.pages("stepfunctions", "list_state_machines", "stateMachines"):
        told = aws.ask("stepfunctions", "describe_state_machine", stateMachineArn=each["stateMachineArn"])
        found[f"machine/{each['name']}"] = told["definition"]
    for each in aws.pages("logs", "describe_log_groups", "logGroups"):
        found[f"logs/{each['logGroupName']}"] = str(each.get("retentionInDays"))
    for each in aws.pages("scheduler", "list_schedules", "Schedules"):
        found[f"schedule/{each['Name']}"] = aws.ask("scheduler", "get_schedule", Name=each["Name"])[
            "ScheduleExpression"
        ]
    for each in aws.pages("events", "list_rules", "Rules"):
        targets = aws.ask("events", "list_targets_by_rule", Rule=each["Name"])["Targets"]
        found[f"rule/{each['Name']}"] = f"{each['EventPattern']} {targets}"
    if artifacts:
        for each in aws.pages("s3", "list_objects_v2", "Contents", Bucket="artifacts", Prefix=f"{artifacts}/"):
            found[f"object/{each['Key']}"] = each["ETag"]
    return found
