"""The shape of specs, as pydantic models: what may be written where. Editors get their JSON Schema from these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from anabranch.frontends.shorthand import NAME

Name = Annotated[str, Field(pattern=NAME)]
Scalar = str | int | float | bool
Duration = Annotated[str | int | float, Field(description="Seconds, or text such as 90s, 5m, 2h.")]


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Names = Annotated[list[str], BeforeValidator(_one_or_many, json_schema_input_type=str | list[str])]
"""One name or a list of them."""


class Shape(BaseModel):
    """Nothing may be written that is not named here."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)


class ColumnShape(Shape):
    """A promised column."""

    type: str = Field("", description="int64, string, decimal(10,2), timestamp, list<string>, ...")
    nullable: bool = True
    sensitive: bool = Field(default=False, description="Its values are never shown.")
    description: str = ""


class DatasetShape(Shape):
    """A dataset: where it lies, and what it promises."""

    stage: Literal["raw", "cleaned", "final"] = "raw"
    format: Literal["csv", "jsonl", "parquet", "delta", "iceberg"] = "parquet"
    path: str = Field("", description="Relative to the storage root; by default stage/name with the format's suffix.")
    columns: dict[str, str | ColumnShape] | list[str] = Field(
        default_factory=dict, description="Promised columns with their types, or only their names."
    )
    primary_key: Names = Field(default_factory=list, description="Columns that are never null and together unique.")
    incremental_field: str = Field("", description="The column by whose value new rows are known.")
    partition_by: Names = Field(default_factory=list, description="Columns that become folders.")
    ingestion: Literal["full", "incremental"] = "full"
    references: dict[str, str] = Field(
        default_factory=dict, description="Columns, separated by commas, that name a row of another dataset by its key."
    )
    description: str = ""


class SqlShape(Shape):
    """A query in a file."""

    file: str


class SparkShape(Shape):
    """A Spark application, started by spark-submit."""

    main: str
    args: list[Scalar] = Field(default_factory=list)
    master: str = "local[*]"
    conf: dict[str, Scalar] = Field(default_factory=dict)
    main_class: str = Field("", alias="class")
    py_files: list[str] = Field(default_factory=list)
    jars: list[str] = Field(default_factory=list)


class DbtShape(Shape):
    """A dbt project and a selector."""

    project: str
    select: str = ""
    profiles: str = ""
    target: str = ""
    vars: dict[str, Scalar] = Field(default_factory=dict)


class ContainerShape(Shape):
    """A container image."""

    image: str
    args: list[Scalar] = Field(default_factory=list)


class NativeShape(Shape):
    """A job that exists on a platform already."""

    platform: str
    job: str
    arguments: dict[str, Scalar] = Field(default_factory=dict)


class ReadShape(Shape):
    """How a port reads its dataset."""

    dataset: str
    columns: Names = Field(default_factory=list, description="The columns that the step cannot do without.")
    rows: Literal["auto", "all"] = "auto"


class TakeShape(Shape):
    """Where a value port gets its value."""

    source: str | list[str] = Field(alias="from")
    type: Any = None


class RetryShape(Shape):
    """How often and when a failed step is tried again; delays in seconds."""

    attempts: int = Field(1, ge=1, le=100)
    delay: Duration = 1.0
    backoff: float = Field(2.0, ge=1)
    max_delay: Duration = 300.0
    jitter: float = Field(0.1, ge=0, le=1)


class StepShape(Shape):
    """One unit of work: exactly one of python, sql, shell, spark, dbt, container and native."""

    python: str | None = Field(None, description="module:function, importable from the project's root.")
    sql: str | SqlShape | None = Field(None, description="One SELECT over the step's ports.")
    shell: str | list[Scalar] | None = Field(
        None, description="A list is run without a shell; a string is run by /bin/sh."
    )
    spark: SparkShape | None = None
    dbt: DbtShape | None = None
    container: ContainerShape | None = None
    native: NativeShape | None = None
    reads: Annotated[
        list[str] | dict[str, str | ReadShape], BeforeValidator(_one_or_many, json_schema_input_type=Any)
    ] = Field(default_factory=list[str], description="Datasets that it reads, or port: dataset.")
    writes: Annotated[list[str] | dict[str, str], BeforeValidator(_one_or_many, json_schema_input_type=Any)] = Field(
        default_factory=list[str], description="Datasets that it writes, or port: dataset."
    )
    takes: Annotated[
        list[str] | dict[str, str | list[str] | TakeShape], BeforeValidator(_one_or_many, json_schema_input_type=Any)
    ] = Field(default_factory=list[str], description="Steps whose values it takes, or port: step.")
    gives: Any = Field(None, description="The type of the value that a process step writes as JSON to ${out.value}.")
    after: Names = Field(default_factory=list, description="Steps that must end before.")
    retry: int | RetryShape = Field(1, description="How often it is tried in all.")
    timeout: Duration | None = None
    requirements: Names = Field(default_factory=list, description="Packages of an environment of its own.")
    env: dict[str, Scalar] = Field(default_factory=dict)
    secrets: dict[str, str] = Field(default_factory=dict, description="Variables by reference: secret://provider/name.")
    permissions: Names = Field(default_factory=list)
    resources: dict[str, Scalar] = Field(default_factory=dict)
    external: bool = Field(default=False, description="It changes the world outside the registry.")
    description: str = ""


class ParamShape(Shape):
    """A value given when a run starts."""

    type: str = "string"
    default: Scalar | None = None
    choices: list[Scalar] = Field(default_factory=list)
    description: str = ""


class ScheduleShape(Shape):
    """A cron expression in a time zone."""

    cron: str
    timezone: str = "UTC"


class BucketShape(Shape):
    """An object that is created in a bucket."""

    bucket: str
    prefix: str = ""
    suffix: str = ""


class TriggerShape(Shape):
    """What starts the pipeline, besides a person."""

    s3: BucketShape | None = None
    gs: BucketShape | None = None
    az: BucketShape | None = None


Rows = str | list[dict[str, Any]]


class TestShape(Shape):
    """Small inputs, and the outputs expected of them."""

    __test__ = False

    given: dict[str, Rows] = Field(default_factory=dict, description="Rows, or a file, by dataset.")
    params: dict[str, Scalar] = Field(default_factory=dict)
    input: Any = None
    expect: dict[str, Rows] = Field(default_factory=dict, description="Rows, or a file, by dataset.")
    values: dict[str, Any] = Field(default_factory=dict, description="Values, by step.")
    tolerance: float = Field(0.0, ge=0)


class PipelineShape(Shape):
    """A pipeline."""

    pipeline: Name
    description: str = ""
    schedule: str | ScheduleShape | None = None
    trigger: TriggerShape | None = None
    params: dict[Name, str | ParamShape] = Field(default_factory=dict)
    datasets: dict[Name, DatasetShape] = Field(default_factory=dict)
    steps: dict[Name, StepShape] = Field(min_length=1)
    tests: dict[str, TestShape] = Field(default_factory=dict)


class TestsShape(Shape):
    """A file with the tests of a pipeline written in Python."""

    __test__ = False

    tests: dict[str, TestShape]


class RegistryShape(Shape):
    """A file that lists datasets."""

    datasets: dict[Name, DatasetShape]


class AirflowShape(Shape):
    """An Airflow that exists."""

    dags: str = Field("", description="The folder of its DAG files.")
    url: str = Field("", description="Of its web server, to start and watch runs from here.")
    python: str = Field("", description="The interpreter on its workers that has anabranch.")
    token: str = Field("", description="A bearer token of its API, as secret://provider/name.")
    user: str = Field("", description="Whom its API gives tokens to.")
    password: str = Field("", description="The user's, as secret://provider/name.")
    mwaa: str = Field("", description="The name of an Amazon MWAA environment, instead of a url and a token.")
    region: str = Field("", description="Of the MWAA environment, such as eu-west-1.")
    connections: dict[str, str] = Field(
        default_factory=dict, description="Airflow connections of native jobs by platform, and of containers."
    )


class AwsShape(Shape):
    """An AWS account: Step Functions start the steps, Lambda and Glue run them."""

    account: str = Field("", description="Its number, of twelve digits, in quotes.")
    region: str = Field("", description="Where, such as eu-west-1.")
    runtime: str = Field("python3.12", description="Of the functions: python3.11 or newer.")
    memory: int = Field(1769, description="Of a function, in MB, where its step does not say.")
    scratch: int = Field(4096, description="Of a function's disk, in MB: packages are unpacked there.")
    glue: str = Field("5.0", description="The version of Glue, in quotes, or shell: its Python shell jobs.")
    interpreter: str = Field("", description="Of Python shell jobs: s3://bucket/python.tar.gz, a Python of its own.")
    poll: bool | int = Field(
        default=False, description="Look at started jobs every so many seconds; by default Step Functions waits."
    )


class ChoiceShape(Shape):
    """What is different for one step in an environment."""

    engine: str = Field(description="What runs it.")


class EnvironmentShape(Shape):
    """Where the project is deployed. What the environment `base` says holds for all others that do not say it."""

    airflow: AirflowShape | None = None
    aws: AwsShape | None = None
    engines: dict[str, str] = Field(
        default_factory=dict, description="What runs each kind of call, such as python: glue."
    )
    steps: dict[str, ChoiceShape] = Field(default_factory=dict, description="What is different, by pipeline.step.")
    storage: str = Field("", description="The root of main's datasets, as the workers see it.")
    artifacts: str = Field("", description="A folder that workers see, for payloads; by default below the storage.")
    state: str = Field(
        "", description="Where apply remembers: s3://bucket/path, postgresql://host/database; else beside the project."
    )
    tags: dict[str, Scalar] = Field(
        default_factory=dict, description="Of what is made there, such as team: data; for people and their bills."
    )
    variables: dict[str, Scalar] = Field(
        default_factory=dict, description="Environment variables of every step; values may be secret://provider/name."
    )


Headers = Annotated[
    dict[str, str], Field(description="Of each request; values are secrets by reference: secret://provider/name.")
]


class OpenLineageShape(Shape):
    """Where the lineage of runs is told: a file, or a catalogue."""

    url: str = Field("", description="Of a catalogue, such as http://marquez:5000.")
    file: str = Field("", description="A file that events are appended to, one a line, instead of a catalogue.")
    token: str = Field("", description="A bearer token of the catalogue, as secret://provider/name.")
    headers: Headers = Field(default_factory=dict)
    namespace: str = Field("", description="Of the jobs; by default the project's name.")


class OpenTelemetryShape(Shape):
    """Where traces of runs go. Without either, the variables OTEL_EXPORTER_OTLP_... say where."""

    endpoint: str = Field("", description="Of a receiver of OTLP over HTTP, such as http://localhost:4318.")
    file: str = Field("", description="A file that traces are appended to, as OTLP in JSON.")
    headers: Headers = Field(default_factory=dict)


def _nothing_more(value: Any) -> Any:
    return {} if value is None else value


class ExportShape(Shape):
    """Where runs are told of, while they happen."""

    openlineage: OpenLineageShape | None = None
    opentelemetry: Annotated[
        OpenTelemetryShape | None, BeforeValidator(_nothing_more, json_schema_input_type=OpenTelemetryShape | None)
    ] = None


class ProjectShape(Shape):
    """`anabranch.yaml`."""

    project: Name
    pipelines: Names = Field(description="module:attribute, or spec files; globs are allowed.")
    datasets: Names | dict[Name, DatasetShape] = Field(
        default_factory=dict, description="Files that list datasets, or datasets themselves."
    )
    storage: str = "data"
    branch_storage: str = Field("", description="Where branches keep their data; by default below the storage.")
    environments: dict[Name, EnvironmentShape] = Field(default_factory=dict)
    export: ExportShape | None = Field(None, description="Where runs are told of: lineage, traces.")
