"""The list of verbs. `--help` shows it without importing any of them."""

from __future__ import annotations

import keyword
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

SECTIONS: dict[str, dict[str, str]] = {
    "Begin": {
        "init": "Make a project that runs at once.",
        "doctor": "Look over this machine and this project, and say what to mend.",
    },
    "Look": {
        "check": "Find every mistake before anything runs.",
        "graph": "Draw a pipeline: text, Mermaid or SVG.",
        "steps": "List a pipeline's steps.",
        "datasets": "List the registry, or show one dataset.",
        "schema": "Write the JSON Schema of specs, for editors.",
    },
    "Run": {
        "run": "Run a pipeline, or some of its steps, on this machine.",
        "test": "Run a pipeline's tests on small given inputs.",
        "runs": "List, show, read, retry and cancel runs.",
        "ui": "Serve pages that show pipelines, runs, datasets and branches.",
    },
    "Deploy": {
        "plan": "Show what apply would change in an environment, and why.",
        "apply": "Make an environment what the project says.",
        "destroy": "Delete all that was deployed to an environment, and prove it.",
        "import": "Take over an object that is there and not ours.",
        "compile": "Write what would be deployed, without asking anybody.",
    },
    "Branch": {
        "branch": "Try a change beside main, compare the data, promote or drop it.",
    },
}
"""Every verb by section; a verb `v` is the command `v` in `verbs/v.py`."""


def _module(verb: str) -> str:
    """Return the module of a verb; one that is a word of Python's own ends in an underscore."""
    return f"{verb}_" if keyword.iskeyword(verb) else verb


class LazyGroup(click.Group):
    """A group whose commands are modules, imported when called. Help comes from a table instead."""

    package = "anabranch.cli.verbs"
    sections: ClassVar[Mapping[str, Mapping[str, str]]] = SECTIONS

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the verbs in the order of the table."""
        return [name for section in self.sections.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, importing its module; of an unknown one nothing."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command: object = getattr(import_module(f"{self.package}.{_module(cmd_name)}"), f"{cmd_name}_command")
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command named first in `args`, or say which one is closest."""
        name = args[0]
        if name not in self.list_commands(ctx) and not name.startswith("-"):
            from anabranch.model.errors import UsageError, closest

            verb = " ".join([*ctx.command_path.split()[1:], name])
            verbs = {each: self.get_command(ctx, each) for each in self.list_commands(ctx)}
            below = [
                each
                for each, group in verbs.items()
                if isinstance(group, click.Group) and name in group.list_commands(ctx)
            ]
            hint = f"did you mean '{below[0]} {name}'?" if below else closest(name, verbs)
            raise UsageError(f"no verb `{verb}`", code="unknown-verb", hint=hint)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the table, section by section."""
        width = max(len(name) for section in self.sections.values() for name in section)
        for title, verbs in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), text) for name, text in verbs.items()])


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"anabranch {version('anabranch')}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    options_metavar="[-C DIR]",
    subcommand_metavar="VERB ...",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every verb takes --json and --help. Exit codes: 0 ok, 1 internal error, 2 usage, 3 invalid project, "
    "4 a step failed, 5 a contract is broken, 6 differences found, 7 conflict, 8 not found, 130 interrupted.",
)
@click.option("-C", "--project", "directory", metavar="DIR", help="Work as if started in DIR.")
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
@click.pass_context
def root(ctx: click.Context, directory: str | None) -> None:
    """Define a batch data pipeline once, run it on this machine, and deploy it to Airflow or AWS."""
    ctx.obj = directory
