"""Which values fit which ports."""

from __future__ import annotations

from hypothesis import given
from tests.strategies import value_types

from anabranch.model.values import AnyType, Field, ListOf, MapOf, OneOf, Record, Scalar, ValueType, accepts, show

INT, STR, NONE = Scalar("int"), Scalar("str"), Scalar("none")


@given(value_types)
def test_a_port_takes_its_own_type(kind: ValueType) -> None:
    """And a type can be shown, whatever it is."""
    assert accepts(kind, kind)
    assert show(kind)


def test_optional_is_wider_than_its_type() -> None:
    """Int fits int | None, but not the other way."""
    optional = OneOf((INT, NONE))
    assert accepts(optional, INT)
    assert not accepts(INT, optional)


def test_named_records_match_by_name_or_base_and_not_by_fields() -> None:
    """As mypy has it: B is not C, however alike they look; a subclass is its base."""
    b = Record("m:B", (Field("x", INT),))
    c = Record("m:C", (Field("x", INT),))
    child = Record("m:D", (Field("x", INT), Field("y", INT)), ("m:B",))
    assert not accepts(c, b)
    assert accepts(b, child)
    assert not accepts(child, b)


def test_records_of_a_spec_match_by_fields() -> None:
    """More fields are fine, missing or retyped ones are not."""
    wanted = Record("", (Field("x", INT), Field("y", STR, required=False)))
    assert accepts(wanted, Record("m:B", (Field("x", INT), Field("z", STR))))
    assert not accepts(wanted, Record("m:B", (Field("x", STR),)))
    assert not accepts(wanted, Record("m:B", (Field("y", STR),)))


def test_containers_match_by_what_they_hold() -> None:
    """list[str] is no list[int]; a record is a mapping of its fields' types."""
    assert not accepts(ListOf(INT), ListOf(STR))
    assert accepts(MapOf(AnyType()), Record("m:B", (Field("x", INT),)))
    assert not accepts(ListOf(INT), INT)
