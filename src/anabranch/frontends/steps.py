"""Steps as Python code writes them: decorated functions, SQL, and processes. `>>` puts them in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar, cast, overload

from anabranch.frontends.dataset import Reads, caller, need_name, problem, read_ports, write_ports
from anabranch.frontends.shorthand import parse_seconds
from anabranch.model.call import Call, DbtCall, PythonCall, ShellCall, SparkCall, SqlCall
from anabranch.model.pipeline import DatasetInput, DatasetOutput, Needs, Retry
from anabranch.model.place import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from anabranch.model.dataset import DatasetSpec

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")

After: TypeAlias = "StepDef | Iterable[StepDef]"


@dataclass(frozen=True, eq=False)
class StepDef:
    """A step that has been written down and may stand in any number of pipelines."""

    name: str
    call: Call
    reads: tuple[DatasetInput, ...] = ()
    writes: tuple[DatasetOutput, ...] = ()
    datasets: tuple[DatasetSpec, ...] = ()
    after: tuple[StepDef, ...] = ()
    retry: Retry = field(default_factory=Retry)
    timeout: float | None = None
    needs: Needs = field(default_factory=Needs)
    external: bool = False
    description: str = ""
    place: Place = field(default_factory=lambda: Place(""))

    @overload
    def __rshift__(self, other: Sequence[Callable[..., Any] | StepDef]) -> Flow[Any]: ...
    @overload
    def __rshift__(self, other: FunctionStep[..., S]) -> Flow[S]: ...
    @overload
    def __rshift__(self, other: StepDef | Flow[Any]) -> Flow[Any]: ...
    def __rshift__(self, other: Any) -> Flow[Any]:
        """Run `other` after this step; only a function step gives it a value."""
        return Flow.of(self).then(other)

    def __rrshift__(self, other: Sequence[StepDef]) -> Flow[Any]:
        """Run this step after all of `other`."""
        return Flow.of(list(other)).then(self)


class FunctionStep(StepDef, Generic[P, R]):
    """A plain function that is a step: call it as before, for instance in a unit test."""

    function: Callable[P, R]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself; nothing of anabranch takes part."""
        return self.function(*args, **kwargs)

    @overload  # type: ignore[override]
    def __rshift__(self, other: Flow[S]) -> Flow[S]: ...
    @overload
    def __rshift__(self, other: Sequence[Callable[Concatenate[R, ...], Any]]) -> Flow[Any]: ...
    @overload
    def __rshift__(self, other: Callable[Concatenate[R, ...], S]) -> Flow[S]: ...
    @overload
    def __rshift__(self, other: ProcessStep) -> Flow[Any]: ...
    def __rshift__(  # pyright: ignore[reportIncompatibleMethodOverride] - it is stricter on purpose
        self, other: Any
    ) -> Flow[Any]:
        """Hand this step's value to `other`; a type checker compares the types."""
        return Flow.of(self).then(other)


class ProcessStep(StepDef):
    """A step that runs SQL or a process; it is not callable from Python."""


@dataclass(frozen=True, eq=False)
class Flow(Generic[R]):
    """Steps in order: what `>>` makes. `ends` are the steps whose values the next `>>` hands on."""

    edges: tuple[tuple[StepDef, StepDef], ...]
    starts: tuple[StepDef, ...]
    ends: tuple[StepDef, ...]
    members: tuple[StepDef, ...]

    @staticmethod
    def of(what: StepDef | Flow[Any] | Sequence[Any]) -> Flow[Any]:
        """Return a flow of one step, of several side by side, or the flow itself."""
        if isinstance(what, Flow):
            return what
        if isinstance(what, StepDef):
            return Flow((), (what,), (what,), (what,))
        if callable(what):
            name = getattr(what, "__name__", repr(what))
            raise problem("not-a-step", f"`{name}` is a plain function, not a step", "decorate it with @step", caller())
        flows = [Flow.of(each) for each in what]
        return Flow(
            tuple(edge for flow in flows for edge in flow.edges),
            tuple(each for flow in flows for each in flow.starts),
            tuple(each for flow in flows for each in flow.ends),
            tuple(each for flow in flows for each in flow.members),
        )

    def then(self, other: StepDef | Flow[Any] | Sequence[Any]) -> Flow[Any]:
        """Return this flow followed by `other`."""
        follow = Flow.of(other)
        joined = tuple((end, start) for start in follow.starts for end in self.ends)
        members = self.members + tuple(each for each in follow.members if each not in self.members)
        return Flow(self.edges + joined + follow.edges, self.starts, follow.ends, members)

    @overload
    def __rshift__(self, other: Flow[S]) -> Flow[S]: ...
    @overload
    def __rshift__(self, other: Sequence[Callable[Concatenate[R, ...], Any]]) -> Flow[Any]: ...
    @overload
    def __rshift__(self, other: Callable[Concatenate[R, ...], S]) -> Flow[S]: ...
    @overload
    def __rshift__(self, other: ProcessStep) -> Flow[Any]: ...
    def __rshift__(self, other: Any) -> Flow[Any]:
        """Hand the value at the end of this flow to `other`; a type checker compares the types."""
        return self.then(other)


@overload
def step(function: Callable[P, R], /) -> FunctionStep[P, R]: ...
@overload
def step(
    *,
    name: str = "",
    reads: Reads = (),
    writes: Reads = (),
    after: After = (),
    retry: Retry | int = 1,
    timeout: float | str | None = None,
    requirements: Iterable[str] = (),
    env: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    external: bool = False,
) -> Callable[[Callable[P, R]], FunctionStep[P, R]]: ...
def step(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a step of a function, which stays a plain callable.

    Args:
        function: what runs.
        options: as listed here.
            name: the step's name; the function's by default.
            reads: datasets that it reads; each is a parameter of the same name, handed over as it is annotated.
            writes: datasets that it writes: it returns one frame, a tuple in this order, or a dict by name.
            after: steps that must end before, without handing anything over.
            retry: how often it is tried in all, or a `Retry`.
            timeout: seconds one attempt may take, or text such as `"5m"`.
            requirements: packages of an environment of its own, such as `"scikit-learn==1.7"`.
            env: environment variables.
            secrets: environment variables by reference, such as `{"TOKEN": "secret://env/TOKEN"}`.
            external: it changes the world outside the registry.

    Raises:
        InvalidProject: `bad-name`, `bad-step`, with the place of the call.
    """

    def decorate(function: Callable[..., Any]) -> FunctionStep[..., Any]:
        if isinstance(function, FunctionStep):
            function = function.function
        code = function.__code__
        place = Place(code.co_filename, code.co_firstlineno)
        entry = f"{function.__module__}:{function.__qualname__}"
        text = (function.__doc__ or "").strip().partition("\n")[0]
        name = options.pop("name", "") or function.__name__
        made = cast("FunctionStep[..., Any]", _make(FunctionStep, name, PythonCall(entry), place, text, options))
        for copied in ("__module__", "__name__", "__qualname__", "__doc__", "__wrapped__"):
            object.__setattr__(made, copied, function if copied == "__wrapped__" else getattr(function, copied))
        object.__setattr__(made, "function", function)
        return made

    return decorate if function is None else decorate(function)


def sql(name: str, query: str = "", *, file: str = "", **options: Any) -> ProcessStep:
    """Make a step of one `SELECT` over its ports, written to its only output.

    Args:
        name: the step's name.
        query: the text of the query, or
        file: a file with it, relative to the project.
        options: reads, writes, after, retry, timeout and others, as for `step`.
    """
    return _process(name, SqlCall(query, file), options)


def shell(name: str, command: str | Sequence[str], **options: Any) -> ProcessStep:
    """Make a step of any executable. A string is run by `/bin/sh`, a list without any shell.

    Args:
        name: the step's name.
        command: with `${in.port}`, `${out.port}` and `${params.name}` where locations and values go.
        options: reads, writes, after, retry, timeout and others, as for `step`.
    """
    call = ShellCall((command,), shell=True) if isinstance(command, str) else ShellCall(tuple(command))  # noqa: S604 - the user wrote a string
    return _process(name, call, options)


def spark(  # noqa: PLR0913
    name: str,
    main: str,
    args: Sequence[str] = (),
    *,
    master: str = "local[*]",
    conf: Mapping[str, str] | None = None,
    main_class: str = "",
    py_files: Sequence[str] = (),
    jars: Sequence[str] = (),
    **options: Any,
) -> ProcessStep:
    """Make a step of a Spark application, started by spark-submit.

    Args:
        name: the step's name.
        main: the Python file or JAR, relative to the project.
        args: its arguments, with `${in.port}` and `${out.port}`.
        master: `local[*]` or a master's URL.
        conf: Spark properties.
        main_class: the class to run, for a JAR.
        py_files: more Python files.
        jars: more JARs.
        options: reads, writes, after, retry, timeout and others, as for `step`.
    """
    settings = tuple(sorted((conf or {}).items()))
    call = SparkCall(main, tuple(args), master, settings, main_class, tuple(py_files), tuple(jars))
    return _process(name, call, options)


def dbt(
    name: str,
    project: str,
    *,
    select: str = "",
    profiles: str = "",
    target: str = "",
    vars: Mapping[str, str] | None = None,  # noqa: A002 - dbt's own word
    **options: Any,
) -> ProcessStep:
    """Make a step of a dbt project and a selector.

    Args:
        name: the step's name.
        project: the folder of `dbt_project.yml`, relative to the project.
        select: a dbt selector; empty means all models.
        profiles: the folder of `profiles.yml`; by default the dbt project's.
        target: the target in it.
        vars: dbt variables.
        options: reads, writes, after, retry, timeout and others, as for `step`.
    """
    return _process(name, DbtCall(project, select, profiles, target, tuple(sorted((vars or {}).items()))), options)


def _process(name: str, call: Call, options: dict[str, Any]) -> ProcessStep:
    return cast("ProcessStep", _make(ProcessStep, name, call, caller(), "", options))


_OPTIONS = frozenset(
    {"reads", "writes", "after", "retry", "timeout", "requirements", "env", "secrets", "external", "description"}
)


def _make(kind: type[StepDef], name: str, call: Call, place: Place, text: str, options: dict[str, Any]) -> StepDef:
    from anabranch.model.errors import closest

    need_name(name, "step", place)
    for option in options:
        if option not in _OPTIONS:
            raise problem("bad-step", f"step `{name}` has no option `{option}`", closest(option, _OPTIONS), place)
    reads, read_specs = read_ports(options.get("reads", ()), place)
    writes, write_specs = write_ports(options.get("writes", ()), place)
    after = options.get("after", ())
    retry = options.get("retry", 1)
    try:
        timeout = None if options.get("timeout") is None else parse_seconds(options["timeout"])
    except ValueError as error:
        raise problem("bad-step", f"step `{name}`: {error}", "for example timeout='5m'", place) from None
    return kind(
        name,
        call,
        reads,
        writes,
        (*read_specs, *write_specs),
        (after,) if isinstance(after, StepDef) else tuple(after),
        Retry(attempts=retry) if isinstance(retry, int) else retry,
        timeout,
        Needs(
            tuple(options.get("requirements", ())),
            tuple(sorted((options.get("env") or {}).items())),
            tuple(sorted((options.get("secrets") or {}).items())),
        ),
        options.get("external", False),
        options.get("description", "") or text,
        place,
    )
