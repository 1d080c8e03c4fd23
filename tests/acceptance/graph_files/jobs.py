from anabranch import pipeline, step


@step
def a() -> int:
    return 1


@step
def b(x: int) -> int:
    return x + 1


@step
def c(x: int) -> int:
    return x + 1


daily = pipeline("daily", [a >> b >> c])
