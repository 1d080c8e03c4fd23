"""Spec values against their shape, with messages in our own words and the line of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from anabranch.frontends.shorthand import NAME_HINT
from anabranch.model.errors import Diagnostic, InvalidProject, closest

if TYPE_CHECKING:
    from anabranch.frontends.yamlfile import Document

S = TypeVar("S", bound=BaseModel)


def validate(shape: type[S], document: Document) -> S:
    """Return the document's value in its shape.

    Raises:
        InvalidProject: `unknown-key`, `missing-key`, `wrong-type`, `bad-name`, all of them at once.
    """
    try:
        return shape.model_validate(document.value)
    except ValidationError as error:
        raise InvalidProject(_diagnostics(shape, document, error)) from None


def _diagnostics(shape: type[BaseModel], document: Document, error: ValidationError) -> list[Diagnostic]:
    grouped: dict[tuple[str | int, ...], list[Any]] = {}
    for each in error.errors(include_url=False):
        path = _path(document.value, each["loc"])
        grouped.setdefault(path if each["type"] != "missing" else (*path, each["loc"][-1]), []).append(each)
    found = [_diagnostic(shape, document, path, several) for path, several in grouped.items()]
    # An error deeper down makes the one about its parent's union needless.
    around = {path[:i] for path in grouped for i in range(len(path))}
    kept = [diagnostic for path, diagnostic in zip(grouped, found, strict=True) if path not in around]
    return sorted(
        kept, key=lambda each: (str(each.place.file if each.place else ""), each.place.line if each.place else 0)
    )


def _path(value: Any, loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return the part of pydantic's location that is in the document: it adds the names of union members."""
    path: list[str | int] = []
    for part in loc:
        if isinstance(value, dict) and part in value:
            value = cast("dict[str | int, Any]", value)[part]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            continue
        path.append(part)
    return tuple(path)


def _diagnostic(
    shape: type[BaseModel], document: Document, path: tuple[str | int, ...], errors: list[Any]
) -> Diagnostic:
    kinds = {each["type"] for each in errors}
    first = errors[0]
    place = document.place(*path)
    where = ".".join(map(str, path))
    if "extra_forbidden" in kinds:
        extra = next(each for each in errors if each["type"] == "extra_forbidden")
        known = _fields(shape, extra["loc"])
        around = ".".join(map(str, path[:-1])) or document.file
        return Diagnostic(
            "unknown-key",
            f"`{path[-1] if path else ''}` means nothing in {around}",
            closest(str(path[-1]), known),
            place,
        )
    if kinds == {"missing"}:
        around = ".".join(map(str, path[:-1])) or document.file
        return Diagnostic("missing-key", f"{around} has no `{path[-1]}`", f"add `{path[-1]}:`", place)
    if "string_pattern_mismatch" in kinds:
        message = f"`{path[-1]}` is not a name" if path else "that is not a name"
        return Diagnostic("bad-name", message, NAME_HINT, place)
    given = first["input"]
    if first["type"] == "literal_error":
        known = [each.strip("' ") for each in first["ctx"]["expected"].replace(" or ", ",").split(",")]
        return Diagnostic("wrong-type", f"{where} cannot be `{given}`", closest(str(given), known), place)
    wanted = " or ".join(dict.fromkeys(_WANTED.get(each["type"]) or _own_words(each["msg"]) for each in errors))
    return Diagnostic(
        "wrong-type", f"{where or document.file} must be {wanted}, not {_show(given)}", _hint(given), place
    )


_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def _own_words(message: str) -> str:
    return message.removeprefix("Input should be ").removeprefix("Value should have ")


def _show(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return f"the text `{value[:40]}`"
        case int() | float():
            return f"the number {value}"
        case list():
            return "a list"
        case _:
            return "a mapping"


def _hint(value: Any) -> str:
    return "put it in quotation marks" if isinstance(value, bool | int | float) else "see `anabranch schema`"


def _fields(shape: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    """Return the keys that are known where an unknown one stands, by walking the shape along pydantic's location."""
    here: Any = shape
    for part in loc[:-1]:
        here = _step(here, part)
    return _names(here)


def _names(kind: Any) -> list[str]:
    return sorted(
        {name for model in _models(kind) for name in (field.alias or key for key, field in model.model_fields.items())}
    )


def _step(kind: Any, part: str | int) -> Any:
    options = []
    for model in _models(kind):
        if part in model.model_fields:
            options.append(model.model_fields[part].annotation)
        elif part == model.__name__:
            options.append(model)
    if options:
        return options[0]
    return kind


def _models(kind: Any) -> list[type[BaseModel]]:
    """Return the models anywhere in an annotation."""
    from typing import get_args

    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    return [model for argument in get_args(kind) for model in _models(argument)]
