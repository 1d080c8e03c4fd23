from anabranch import pipeline, step


@step
def extract() -> list[int]:
    return [1, 2]


@step
def load(text: str) -> None:
    print(text)


daily = pipeline("daily", [extract >> load])  # type: ignore[operator]
