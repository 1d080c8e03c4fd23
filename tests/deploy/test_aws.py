"""Apply on an AWS that enforces IAM: cut off after each remote call, it converges; what is not ours stays."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse
from tests.engines.account import REGION, client, listing

from anabranch.app import Project
from anabranch.data.objects.store import objects
from anabranch.model.access import done
from anabranch.model.errors import AnabranchError, ConflictError, InvalidProject, StepError
from anabranch.model.plan import Create, Delete, Forget, Plan, Record, Update
from anabranch.platforms.aws.kinds.tags import Tags
from anabranch.platforms.aws.names import Arns
from anabranch.platforms.aws.orchestration import AwsOrchestration
from tools import aws

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from anabranch.app.deploy import Deployment
    from anabranch.model.errors import Diagnostic

pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,
    pytest.mark.skipif(not aws.COMMAND.exists(), reason="no AWS emulator: python3 tools/bootstrap.py emulators"),
]

SPEC = """
project: {project}
pipelines: ["p_*.yaml"]
datasets:
  raw: {{stage: raw, format: csv}}
  copied: {{stage: cleaned, format: csv}}
  other: {{stage: cleaned, format: csv}}
environments:
  prod:
    aws: {{account: "{account}", region: us-east-1, memory: {memory}, glue: shell}}
    engines: {engines}
    storage: s3://lake/{project}
    artifacts: s3://artifacts/some
    tags: {tags}
"""
PIPELINE = """
pipeline: {name}
schedule: "0 6 * * 1-5"
steps:
  {step}: {{shell: [cp, "${{in.raw}}", "${{out.copied}}"], reads: [raw], writes: [copied]}}
  after: {{shell: [cp, "${{in.copied}}", "${{out.other}}"], reads: [copied], writes: [other]}}
"""


@pytest.fixture(scope="module", autouse=True)
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """An AWS, and packages that nobody runs: these tests only deploy."""
    with aws.serving(tmp_path_factory.mktemp("aws")) as given, pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)
        patch.setattr("anabranch.app.deploy.packages", lambda *_: b"PK\x05\x06" + bytes(18))
        yield


TWO = """
pipeline: {name}
trigger: {{s3: {{bucket: inbox, prefix: {step}/}}}}
steps:
  {step}: {{shell: [cp, "${{in.raw}}", "${{out.copied}}"], reads: [raw], writes: [copied]}}
"""
ALONE = """
pipeline: {name}
schedule: "0 6 * * 1-5"
steps:
  {step}: {{shell: [cp, "${{in.raw}}", "${{out.copied}}"], reads: [raw], writes: [copied]}}
"""


def deployed(  # noqa: PLR0917 - what tests vary
    folder: Path,
    name: str = "shop",
    step: str = "copy",
    memory: int = 1769,
    pipeline: str = PIPELINE,
    engines: str = "{}",
    tags: str = "{team: data}",
) -> Deployment:
    root = folder / name
    root.mkdir(exist_ok=True)
    for old in root.glob("p_*.yaml"):
        old.unlink()
    told = SPEC.format(project=name, account=aws.ACCOUNT, memory=memory, engines=engines, tags=tags)
    (root / "anabranch.yaml").write_text(told)
    (root / "p_one.yaml").write_text(pipeline.format(name="one", step=step))
    return Project.load(root).deployment("prod")


def silently(deployment: Deployment, **settings: Any) -> Plan:
    return deployment.apply(lambda _: None, **settings)


def session(deployment: Deployment) -> Any:
    orchestration = deployment.orchestration
    assert isinstance(orchestration, AwsOrchestration)
    return orchestration.client.session


class Calls:
    """The calls that a deployment makes from now on."""

    def __init__(self, deployment: Deployment) -> None:
        self.made: list[str] = []
        session(deployment).events.register("before-send", self)

    def __call__(self, *, event_name: str, **_: Any) -> None:
        self.made.append(event_name.rpartition(".")[2])


class CutError(Exception):
    pass


CHANGING = ("Create", "Put", "Update", "Delete", "Attach", "Detach", "Tag", "Untag", "Publish", "Remove")


class Cut:
    """The transport of a process that dies right after a call that changed something: nothing is heard any more."""

    def __init__(self, deployment: Deployment, at: int) -> None:
        self.left, self.dead, self.made = at, False, 0
        events = session(deployment).events
        events.register("before-send", self.before)
        events.register("response-received", self.after)

    def before(self, **_: Any) -> None:
        if self.dead:
            raise CutError

    def after(self, *, event_name: str = "", **_: Any) -> None:
        if self.dead:
            raise CutError
        if event_name.rpartition(".")[2].startswith(CHANGING):
            self.made += 1
            self.left -= 1
            if self.left < 0:
                self.dead = True
                raise CutError


@pytest.mark.parametrize("third", range(3))
@pytest.mark.apart
@pytest.mark.parametrize("form", [{"pipeline": ALONE}, {"pipeline": TWO, "engines": "{shell: glue}"}])
def test_cut_off_after_each_remote_call_the_next_apply_converges(
    tmp_path: Path, form: dict[str, str], third: int
) -> None:
    """From nothing to a pipeline, to another form of it, to nothing: every call that changes something is the last."""
    states: list[dict[str, Any]] = [form, {**form, "step": "renamed", "memory": 512}, {"destroy": True, **form}]
    calls: list[int] = []
    wanted: list[dict[str, str]] = []
    whole = tmp_path / "whole"
    whole.mkdir()
    for state in states:
        deployment, settings = prepared(whole, state)
        counting = Cut(deployment, 10_000)
        silently(deployment, **settings)
        calls.append(counting.made)
        wanted.append(listing("some/shop"))
    assert wanted[-1] == {}
    assert sum(calls) > 25
    for turn in range(third, sum(calls), 3):
        folder = tmp_path / f"cut{turn}"
        folder.mkdir()
        left = turn
        for i, state in enumerate(states):
            deployment, settings = prepared(folder, state)
            if 0 <= left < calls[i]:
                Cut(deployment, left)
                with pytest.raises(CutError):
                    silently(deployment, **settings)
                deployment, settings = prepared(folder, state)
            left -= calls[i]
            silently(deployment, **settings)
            assert listing("some/shop").keys() == wanted[i].keys()
            assert deployment.plan(**settings).changes == ()
        assert deployment.state.applied() == {}


def prepared(folder: Path, state: dict[str, Any]) -> tuple[Deployment, dict[str, Any]]:
    given = {name: value for name, value in state.items() if name != "destroy"}
    return deployed(folder, **given), {"destroy": True} if "destroy" in state else {}


def test_a_second_apply_and_a_lost_state_change_nothing(tmp_path: Path) -> None:
    deployment = deployed(tmp_path)
    assert {type(change) for change in silently(deployment).changes} == {Create}
    before = listing("some")
    assert silently(deployed(tmp_path)).changes == ()
    (tmp_path / "shop" / ".anabranch" / "state.db").unlink()
    again = deployed(tmp_path)
    made = silently(again)
    assert {type(change) for change in made.changes} == {Record}
    assert made.acts == ()
    assert again.plan().changes == ()
    assert listing("some") == before
    silently(again, destroy=True)
    assert listing("some") == {}


def test_what_was_changed_or_deleted_by_hand_is_told_and_mended(tmp_path: Path) -> None:
    deployment = deployed(tmp_path)
    silently(deployment)
    wanted = listing("some")
    hand = client()
    name = "shop--prod--one--after"
    hand.ask("lambda", "update_function_configuration", FunctionName=name, MemorySize=3008)
    hand.ask("iam", "put_role_policy", RoleName=name, PolicyName="more", PolicyDocument=json.dumps(EVERYTHING))
    hand.ask("scheduler", "delete_schedule", Name="shop--prod--one")
    hand.ask("logs", "put_retention_policy", logGroupName="/anabranch/shop/prod/main/one", retentionInDays=1)
    made = deployment.plan()
    assert {(type(change), change.address, change.why) for change in made.changes} == {
        (Update, f"function/{name}", "it was changed by hand"),
        (Update, f"role/{name}", "it was changed by hand"),
        (Update, "logs/one", "it was changed by hand"),
        (Create, "schedule/shop--prod--one", "it was deleted by hand"),
    }
    silently(deployment)
    assert listing("some") == wanted
    assert deployment.plan().changes == ()
    silently(deployment, destroy=True)


def test_what_lost_its_mark_is_told_and_left_alone(tmp_path: Path) -> None:
    """Nothing but the state leads to it any more: nobody should find it in a year."""
    deployment = deployed(tmp_path)
    silently(deployment)
    hand, name = client(), "shop--prod--one--after"
    hand.ask("lambda", "update_function_configuration", FunctionName=name, Description="nobody's")
    done = deployment.destroy(lambda _: None)
    (kept,) = [change for change in done.plan.changes if isinstance(change, Forget)]
    assert (kept.address, kept.left) == (f"function/{name}", True)
    assert "carries our mark no more" in kept.why
    assert hand.ask("lambda", "get_function", FunctionName=name)
    hand.ask("lambda", "delete_function", FunctionName=name)


def test_a_job_and_a_rule_that_were_changed_by_hand_are_told_and_mended(tmp_path: Path) -> None:
    deployment = deployed(tmp_path, pipeline=TWO, engines="{shell: glue}")
    silently(deployment)
    assert deployment.plan().changes == ()
    wanted = listing("some")
    hand, name = client(), "shop--prod--one--copy"
    hand.ask("glue", "update_job", JobName=name, JobUpdate={"Timeout": 5})
    hand.ask("events", "put_targets", Rule="shop--prod--one", Targets=[{"Id": "x", "Arn": "arn:aws:sqs:us-east-1:0:q"}])
    assert {(type(change), change.address, change.why) for change in deployment.plan().changes} == {
        (Update, f"job/{name}", "it was changed by hand"),
        (Update, "rule/shop--prod--one", "it was changed by hand"),
    }
    silently(deployment)
    assert listing("some") == wanted
    hand.ask("glue", "delete_job", JobName=name)
    assert {(type(change), change.address) for change in deployment.plan().changes} == {(Create, f"job/{name}")}
    (tmp_path / "shop" / ".anabranch" / "state.db").unlink()
    again = deployed(tmp_path, pipeline=TWO, engines="{shell: glue}")
    silently(again)
    assert again.plan().changes == ()
    silently(deployed(tmp_path, pipeline=TWO), adopt=())  # another engine: the job goes, a function comes
    assert {name.partition("/")[0] for name in listing("some")} >= {"function", "rule"}
    assert not [name for name in listing("some") if name.startswith("job/")]
    silently(deployed(tmp_path, pipeline=TWO), destroy=True)
    assert listing("some") == {}


def test_what_others_set_beside_what_we_manage_outlives_an_update(tmp_path: Path) -> None:
    """AWS replaces a schedule, a job and a target as a whole: what we do not speak of is said again."""
    deployment = deployed(tmp_path, engines="{shell: glue}")
    silently(deployment)
    hand, job, name = client(), "shop--prod--one--after", "shop--prod--one"
    queue = f"arn:aws:sqs:{REGION}:{aws.ACCOUNT}:missed"
    schedule = hand.ask("scheduler", "get_schedule", Name=name)
    retried = {"DeadLetterConfig": {"Arn": queue}, "RetryPolicy": {"MaximumRetryAttempts": 3}}
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}
    end = datetime(2099, 1, 1, tzinfo=UTC)
    marked = schedule["Description"]
    theirs = {"FlexibleTimeWindow": window, "EndDate": end, "State": "DISABLED", "Description": marked}
    target = {**schedule["Target"], **retried}
    hand.ask("scheduler", "update_schedule", Name=name, ScheduleExpression="rate(1 day)", Target=target, **theirs)
    found = hand.ask("glue", "get_job", JobName=job)["Job"]
    beside = {
        "Connections": {"Connections": ["warehouse"]},
        "SecurityConfiguration": "encrypted",
        "NonOverridableArguments": {"--TempDir": "s3://lake/tmp"},
    }
    same = {key: found[key] for key in ("Role", "Command", "Description", "DefaultArguments", "MaxCapacity")}
    hand.ask("glue", "update_job", JobName=job, JobUpdate={**same, **beside, "Timeout": 5})
    made = silently(deployed(tmp_path, engines="{shell: glue}"))
    assert {each.address for each in made.acts} == {f"job/{job}", f"schedule/{name}"}
    after = hand.ask("scheduler", "get_schedule", Name=name)
    assert after["ScheduleExpression"] == schedule["ScheduleExpression"]
    assert after["Target"] == target
    assert {key: after[key] for key in theirs} == theirs
    there = hand.ask("glue", "get_job", JobName=job)["Job"]
    assert there["Timeout"] == found["Timeout"]
    assert {key: there.get(key) for key in beside} == beside
    silently(deployed(tmp_path, engines="{shell: glue}"), destroy=True)
    assert listing("some") == {}


def test_what_others_said_of_what_a_rule_starts_outlives_an_update(tmp_path: Path) -> None:
    deployment = deployed(tmp_path, pipeline=TWO)
    silently(deployment)
    hand, name = client(), "shop--prod--one"
    (target,) = hand.ask("events", "list_targets_by_rule", Rule=name)["Targets"]
    retried = {"DeadLetterConfig": {"Arn": f"arn:aws:sqs:{REGION}:{aws.ACCOUNT}:missed"}}
    hand.ask("events", "put_targets", Rule=name, Targets=[{**target, **retried, "Input": "{}"}])
    silently(deployed(tmp_path, pipeline=TWO))
    assert hand.ask("events", "list_targets_by_rule", Rule=name)["Targets"] == [{**target, **retried}]
    silently(deployed(tmp_path, pipeline=TWO), destroy=True)
    assert listing("some") == {}


def test_what_the_account_lacks_is_told_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = deployed(tmp_path, pipeline=TWO + "  theirs: {{native: {{platform: glue, job: theirs}}}}\n")
    file = tmp_path / "shop" / "anabranch.yaml"
    assert [(each.code, each.severity.value) for each in lacking(deployment)] == [
        ("not-on-aws", "error"),  # the bucket that would start it
        ("not-on-aws", "error"),  # the job
    ]
    client().ask("s3", "create_bucket", Bucket="inbox")
    assert [each.code for each in lacking(deployment)] == ["no-events", "not-on-aws"]
    client().ask("s3", "delete_bucket", Bucket="inbox")
    file.write_text(file.read_text().replace("s3://artifacts/some", "s3://gone/some"))
    found = lacking(Project.load(tmp_path / "shop").deployment("prod"))
    assert "bucket of its artifacts is not there: gone" in found[0].message
    file.write_text(file.read_text().replace(aws.ACCOUNT, "123456789012"))
    assert [each.code for each in lacking(Project.load(tmp_path / "shop").deployment("prod"))] == ["wrong-account"]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{aws.free_port()}")
    offline = lacking(deployed(tmp_path))
    assert [(each.code, each.severity.value) for each in offline] == [("not-looked-at", "warning")]


def test_a_secret_is_looked_up_where_the_environment_keeps_it(tmp_path: Path) -> None:
    deployed(tmp_path, pipeline=SECRETIVE)
    file = tmp_path / "shop" / "anabranch.yaml"
    file.write_text(f"{file.read_text()}    variables: {{TOKEN: secret://ssm//shop/token, KEY: secret://ssm/key}}\n")

    def messages() -> list[str]:
        return [each.message for each in lacking(Project.load(tmp_path / "shop").deployment("prod"))]

    key, token, own = messages()
    assert "secret of the variable TOKEN is not there: secret://ssm//shop/token" in token
    assert "secret of the variable KEY is not there" in key
    assert "secret of step `copy` is not there: secret://secretsmanager/shop/own" in own
    root = client()
    for name in ("/shop/token", "key"):
        root.ask("ssm", "put_parameter", Name=name, Value="kept", Type="SecureString")
    root.ask("secretsmanager", "create_secret", Name="shop/own", SecretString="kept")
    assert messages() == []
    for name in ("/shop/token", "key"):
        root.ask("ssm", "delete_parameter", Name=name)
    root.ask("secretsmanager", "delete_secret", SecretId="shop/own", ForceDeleteWithoutRecovery=True)


SECRETIVE = """
pipeline: {name}
steps:
  {step}:
    shell: [cp, "${{in.raw}}", "${{out.copied}}"]
    reads: [raw]
    writes: [copied]
    secrets: {{TOKEN: secret://secretsmanager/local/token, OWN: secret://secretsmanager/shop/own}}
"""


def test_what_may_not_be_looked_at_from_here_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = client()
    root.ask("iam", "create_user", UserName="looker")
    keys = root.ask("iam", "create_access_key", UserName="looker")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])
    jobs = """
  on_glue: {{native: {{platform: glue, job: theirs}}}}
  on_batch: {{native: {{platform: batch, job: theirs, arguments: {{queue: theirs}}}}}}
"""
    triggered = SECRETIVE.replace("steps:", "trigger: {{s3: {{bucket: inbox}}}}\nsteps:")
    found = lacking(deployed(tmp_path, pipeline=triggered + jobs))
    assert {(each.code, each.severity.value) for each in found} == {("not-looked-at", "warning")}
    told = "\n".join(each.message for each in found)
    for what in ("glue job of step `on_glue`", "batch job of step", "secret of step", "bucket of its", "bucket whose"):
        assert what in told
    assert keys["SecretAccessKey"] not in told


def lacking(deployment: Deployment) -> list[Diagnostic]:
    return [each for each in deployment.preflight() if each.code != "not-local"]


EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def test_what_is_not_ours_is_never_changed_without_import(tmp_path: Path) -> None:
    hand = client()
    name = "shop--prod--one----states"
    hand.ask("iam", "create_role", RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    before = listing("some")
    try:
        with pytest.raises(InvalidProject, match="was not made by anabranch"):
            silently(deployed(tmp_path))
        assert listing("some") == before
        with pytest.raises(ConflictError, match="cannot be taken over: whose a role is stays") as told:
            silently(deployed(tmp_path), adopt=(f"role/{name}",))
        assert told.value.message.startswith(f"role/{name}: ")
        assert told.value.message.endswith("changes were made)")
        assert {key: value for key, value in listing("some").items() if key in before} == before
    finally:
        hand.ask("iam", "delete_role", RoleName=name)
    silently(deployed(tmp_path), destroy=True)
    assert listing("some") == {}


def test_a_function_of_others_is_taken_over_by_import(tmp_path: Path) -> None:
    deployment = deployed(tmp_path, pipeline=ALONE)
    silently(deployment)
    name = "shop--prod--one--copy"
    client().ask("lambda", "update_function_configuration", FunctionName=name, Description="mine, all mine")
    with pytest.raises(InvalidProject, match=f"function {name} is there already and was not made by anabranch"):
        deployed(tmp_path, pipeline=ALONE).plan()
    silently(deployed(tmp_path, pipeline=ALONE), adopt=(f"function/{name}",))
    assert deployed(tmp_path, pipeline=ALONE).plan().changes == ()
    silently(deployed(tmp_path, pipeline=ALONE), destroy=True)
    assert listing("some") == {}


def test_two_projects_and_two_environments_leave_each_other_alone(tmp_path: Path) -> None:
    one, two = deployed(tmp_path, name="shop"), deployed(tmp_path, name="shop-prod")
    silently(one)
    first = listing("some")
    silently(two)
    assert {name: what for name, what in listing("some").items() if name in first} == first
    silently(one, destroy=True)
    assert two.plan().changes == ()
    assert listing("some")
    silently(two, destroy=True)
    assert listing("some") == {}


KINDS = {"function", "job", "logs", "machine", "role", "rule"}
OURS = {"anabranch:project": "shop", "anabranch:environment": "prod", "anabranch:namespace": "main"}
OTHERS = "are others than the project wants"
BOTH = {"pipeline": TWO, "engines": "{shell: glue}"}


def tagged(deployment: Deployment) -> dict[str, dict[str, str]]:
    """The tags of all that is there and takes some, as each service itself tells them."""
    tags = Tags(client(), Arns(aws.ACCOUNT, REGION))
    there = deployment.platform.live([])
    return {
        address: tags.of(kind, live.name)
        for address, live in there.items()
        if (kind := address.partition("/")[0]) in KINDS
    }


@pytest.mark.parametrize("form", [{}, BOTH])
def test_tags_are_on_all_that_takes_them_beside_the_mark(tmp_path: Path, form: dict[str, str]) -> None:
    deployment = deployed(tmp_path, **form)
    silently(deployment)
    found = tagged(deployment)
    assert {each.partition("/")[0] for each in found} | {"function", "job", "rule"} == KINDS
    assert list(found.values()) == [{"team": "data", "anabranch:tags": "team", **OURS}] * len(found)
    silently(deployment, destroy=True)
    assert listing("some/shop") == {}


@pytest.mark.parametrize("form", [{}, BOTH])
def test_tags_that_change_reach_what_is_there_and_what_others_tagged_stays(
    tmp_path: Path, form: dict[str, str]
) -> None:
    deployment = deployed(tmp_path, **form)
    silently(deployment)
    tags = Tags(client(), Arns(aws.ACCOUNT, REGION))
    live = deployment.platform.live([])
    for address, there in tagged(deployment).items():
        tags.put(address.partition("/")[0], live[address].name, {**there, "theirs": "kept", "a b+c": "1"})
    assert deployment.plan().changes == ()
    (tmp_path / "shop" / ".anabranch" / "state.db").unlink()  # which tags were ours is told by the platform
    changed = deployed(tmp_path, tags='{"cost centre": 7, squad: "a+b"}', **form)
    made = [each for each in changed.plan().acts if isinstance(each, Update)]
    assert {each.address: each.why for each in made} == {
        address: f"{'its tags' if address.startswith(('logs', 'role', 'rule')) else 'it and its tags'} {OTHERS}"
        for address in live
        if not address.startswith(("artifact", "schedule"))
    }
    silently(changed)
    wanted = {"cost centre": "7", "squad": "a+b", "anabranch:tags": "cost+scentre squad", **OURS}
    assert list(tagged(changed).values()) == [{"theirs": "kept", "a b+c": "1", **wanted}] * len(made)
    assert changed.plan().changes == ()
    for address in (each.address for each in made):  # as a person would, in the console
        kind = address.partition("/")[0]
        tags.put(kind, live[address].name, {**tags.of(kind, live[address].name), "squad": "mine"})
    drifted = changed.plan().changes
    assert {each.address for each in drifted} == {each.address for each in made}
    assert {each.why for each in drifted} == {"its tags were changed by hand"}
    calls = Calls(changed)
    silently(changed)
    assert {call for call in calls.made if call.startswith(CHANGING)} <= {"TagResource", "TagRole"}
    assert list(tagged(changed).values()) == [{"theirs": "kept", "a b+c": "1", **wanted}] * len(made)
    without = deployed(tmp_path, tags="{}", **form)
    assert {"its tags changed", "it and its tags changed"} <= {each.why for each in without.plan().changes}
    silently(without)
    assert list(tagged(without).values()) == [{"theirs": "kept", "a b+c": "1", **OURS}] * len(made)
    assert without.plan().changes == ()
    silently(without, destroy=True)
    assert listing("some") == {}


def test_nothing_that_runs_left_beside_the_data_outlives_a_destroy(tmp_path: Path) -> None:
    """Reports, and what Glue jobs leave to say that they ended well; those of another deployment stay."""
    deployment = deployed(tmp_path)
    silently(deployment)
    store = objects("s3://lake/shop")
    for whose, run in (("shop/prod/main", "r1"), ("shop/test/main", "r2")):
        name = f"_anabranch/reports/one/{run}/copy.1.json"
        store.put(name, json.dumps({"deployment": whose}).encode())
        for retry in (0, 1):
            store.put(f"{done('one', 'copy')}/{run}.{retry}", b"")
    store.put("cleaned/copied.csv", b"data")
    assert deployment.destroy(lambda _: None).reports == 1
    assert sorted(store.list("")) == sorted(
        [
            "_anabranch/reports/one/r2/copy.1.json",
            *(f"{done('one', 'copy')}/r2.{retry}" for retry in (0, 1)),
            "cleaned/copied.csv",
        ]
    )
    store.delete(list(store.list("")))
    assert listing("some") == {}


def test_a_pipeline_that_is_gone_goes_with_all_that_was_its_own(tmp_path: Path) -> None:
    silently(deployed(tmp_path))
    root = tmp_path / "shop"
    (root / "p_one.yaml").unlink()
    (root / "p_two.yaml").write_text(PIPELINE.format(name="two", step="copy"))
    made = silently(Project.load(root).deployment("prod"))
    gone = {change.address.partition("/")[0] for change in made.changes if isinstance(change, Delete)}
    assert gone == {"function", "role", "machine", "schedule", "logs"}
    assert not [name for name in listing() if "--one" in name or name.endswith("/one")]
    silently(Project.load(root).deployment("prod"), destroy=True)
    assert listing("some") == {}


def test_a_step_may_read_its_inputs_and_write_its_outputs_and_nothing_else(tmp_path: Path) -> None:
    """The allowed calls pass, the neighbours' are denied: with the very role of the function."""
    deployment = deployed(tmp_path)
    silently(deployment)
    s3 = as_role("shop--prod--one--after")
    root = client()
    for key in ("raw/raw.csv", "cleaned/copied.csv", "cleaned/other.csv"):
        root.ask("s3", "put_object", Bucket="lake", Key=f"shop/{key}", Body=b"x")
    assert s3.get_object(Bucket="lake", Key="shop/cleaned/copied.csv")["Body"].read() == b"x"
    s3.put_object(Bucket="lake", Key="shop/cleaned/other.csv", Body=b"y")
    s3.put_object(Bucket="lake", Key="shop/_branches/fix-12345/cleaned/other.csv", Body=b"y")
    denied = [
        lambda: s3.get_object(Bucket="lake", Key="shop/raw/raw.csv"),
        lambda: s3.put_object(Bucket="lake", Key="shop/cleaned/copied.csv", Body=b"z"),
        lambda: s3.delete_object(Bucket="lake", Key="shop/cleaned/copied.csv"),
        lambda: s3.put_object(Bucket="lake", Key="other/cleaned/other.csv", Body=b"z"),
        lambda: s3.list_objects_v2(Bucket="lake", Prefix="shop/raw/"),
        lambda: s3.put_object(Bucket="artifacts", Key="some/shop/prod/main/payload.zip", Body=b"z"),
        lambda: s3.get_object(Bucket="artifacts", Key="some/another/prod/main/payload.zip"),
    ]
    for call in denied:
        with pytest.raises(Exception, match=r"AccessDenied|Forbidden"):
            call()
    for each in root.pages("s3", "list_objects_v2", "Contents", Bucket="lake"):
        root.ask("s3", "delete_object", Bucket="lake", Key=each["Key"])
    silently(deployment, destroy=True)


MORE = """
pipeline: {name}
steps:
  {step}:
    shell: [cp, "${{in.raw}}", "${{out.copied}}"]
    reads: [raw]
    writes: [copied]
    permissions: ["dynamodb:ListTables", "dynamodb:CreateTable"]
"""


def test_in_a_branch_a_step_reads_other_systems_and_changes_none(tmp_path: Path) -> None:
    """With the very role of the function, narrowed as its calls in a branch are."""
    deployment = deployed(tmp_path, pipeline=MORE)
    silently(deployment)
    steps = Project.load(tmp_path / "shop").pipeline("one").steps
    policy = deployment.orchestration.policy("s3://lake/shop/_branches/fix-12345/", steps)
    table = {
        "TableName": "facts",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    whole, narrow = (as_role("shop--prod--one--copy", "dynamodb", given) for given in ("", policy))
    whole.create_table(**table)
    assert narrow.list_tables()["TableNames"] == ["facts"]
    with pytest.raises(Exception, match="AccessDenied"):
        narrow.create_table(**{**table, "TableName": "more"})
    client().ask("dynamodb", "delete_table", TableName="facts")
    s3 = as_role("shop--prod--one--copy", policy=policy)
    s3.put_object(Bucket="lake", Key="shop/_branches/fix-12345/cleaned/copied.csv", Body=b"y")
    with pytest.raises(Exception, match="AccessDenied"):
        s3.put_object(Bucket="lake", Key="shop/cleaned/copied.csv", Body=b"y")
    client().ask("s3", "delete_object", Bucket="lake", Key="shop/_branches/fix-12345/cleaned/copied.csv")
    silently(deployment, destroy=True)
    assert listing("some") == {}


def as_role(name: str, service: str = "s3", policy: str = "") -> Any:
    """A service as a function's role sees it, whose trust lets only Lambda and itself in: we let ourselves in for once.

    A policy narrows what the role may do.
    """
    root = client()
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{aws.ACCOUNT}:root"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    root.ask("iam", "update_assume_role_policy", RoleName=name, PolicyDocument=json.dumps(trust))
    arn = root.ask("iam", "get_role", RoleName=name)["Role"]["Arn"]
    narrowed = {"Policy": policy} if policy else {}
    keys = root.ask("sts", "assume_role", RoleArn=arn, RoleSessionName="test", **narrowed)["Credentials"]
    return root.session.client(
        service,
        region_name=REGION,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )


def test_credentials_of_another_account_are_refused(tmp_path: Path) -> None:
    deployment = deployed(tmp_path)
    file = tmp_path / "shop" / "anabranch.yaml"
    file.write_text(file.read_text().replace(aws.ACCOUNT, "123456789012"))
    with pytest.raises(ConflictError, match="the credentials are of AWS account") as refused:
        silently(Project.load(tmp_path / "shop").deployment("prod"))
    assert refused.value.code == "wrong-account"
    with pytest.raises(ConflictError, match="the credentials are of AWS account"):
        Project.load(tmp_path / "shop").remote("prod").newest(None, 5)  # "no run yet" would be as wrong
    assert deployment.state.applied() == {}
    assert listing("some") == {}


def test_missing_credentials_and_an_aws_that_is_down_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AWS_ACCESS_KEY_ID")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        with pytest.raises(AnabranchError, match="unable to locate credentials") as missing:
            deployed(tmp_path).plan()
        assert missing.value.code == "aws-credentials"
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{aws.free_port()}")
    with pytest.raises(StepError, match="does not answer sts:get_caller_identity") as down:
        deployed(tmp_path).plan()
    assert down.value.code == "aws-unreachable"


def test_denied_in_the_middle_it_says_what_and_goes_on_once_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = client()
    root.ask("iam", "create_user", UserName="deployer")
    few = {**EVERYTHING, "Statement": [*EVERYTHING["Statement"], DENIED]}  # type: ignore[misc]
    root.ask("iam", "put_user_policy", UserName="deployer", PolicyName="p", PolicyDocument=json.dumps(few))
    keys = root.ask("iam", "create_access_key", UserName="deployer")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])
    deployment = deployed(tmp_path)
    with pytest.raises(ConflictError, match="stepfunctions:create_state_machine") as denied:
        silently(deployment)
    assert denied.value.code == "aws-denied"
    assert keys["SecretAccessKey"] not in str(denied.value)
    assert any(name.startswith("function/") for name in deployment.state.applied())
    root.ask("iam", "put_user_policy", UserName="deployer", PolicyName="p", PolicyDocument=json.dumps(EVERYTHING))
    made = silently(deployed(tmp_path))
    assert not [change for change in made.changes if change.address.startswith("function/")]
    assert deployed(tmp_path).plan().changes == ()
    silently(deployment, destroy=True)
    assert listing("some") == {}


DENIED = {"Effect": "Deny", "Action": "states:CreateStateMachine", "Resource": "*"}


def test_a_throttled_call_is_made_again_and_one_that_stays_so_is_told(tmp_path: Path) -> None:
    deployment = deployed(tmp_path)
    throttle = Throttle(2)
    session(deployment).events.register("before-send.sfn.CreateStateMachine", throttle)
    silently(deployment)
    assert throttle.asked == 3
    silently(deployment, destroy=True)
    deployment = deployed(tmp_path)
    session(deployment).events.register("before-send.sfn.CreateStateMachine", Throttle(100))
    with pytest.raises(StepError, match="throttles stepfunctions:create_state_machine") as told:
        silently(deployment)
    assert told.value.code == "aws-throttled"
    silently(deployed(tmp_path))
    assert deployed(tmp_path).plan().changes == ()
    silently(deployed(tmp_path), destroy=True)
    assert listing("some") == {}


class Throttle:
    """A platform that has no time, for so many calls."""

    def __init__(
        self,
        calls: int,
        body: bytes = b'{"__type": "ThrottlingException", "message": "Rate exceeded"}',
        status: int = 400,
        error: str = "ThrottlingException",
    ) -> None:
        self.left, self.asked, self.body, self.status, self.error = calls, 0, body, status, error

    def __call__(self, *, request: Any, **_: Any) -> AWSResponse | None:
        self.asked += 1
        if self.left <= 0:
            return None
        self.left -= 1
        raw = io.BytesIO(self.body)
        raw.stream = lambda *_, **__: iter([raw.getvalue()])  # type: ignore[attr-defined]
        headers = {"content-type": "application/x-amz-json-1.0", "x-amzn-errortype": self.error}
        return AWSResponse(request.url, self.status, headers, raw)
