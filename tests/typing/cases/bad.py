"""What users write by mistake; every line marked `error` must be rejected, and no other."""

from __future__ import annotations

from dataclasses import dataclass

from anabranch import Dataset, pipeline, step


@dataclass
class A:
    x: int


@dataclass
class B:
    x: int


@dataclass
class C:
    x: int


@step
def make(a: A) -> B:
    return B(a.x)


@step
def use(c: C) -> A:
    return A(c.x)


@step
def good(b: B) -> C:
    return C(b.x)


_ = make >> use  # error
_ = make >> good >> make  # error
_ = make >> [good, use]  # error
_ = make >> good >> use
make(B(1))  # error
make(a=A(1), b=2)  # error
Dataset("d", formt="csv")  # error
pipeline("p", make, schedule=6)  # error
step(tiemout=3)  # error
