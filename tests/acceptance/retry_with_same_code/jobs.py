from anabranch import Retry, pipeline, step


def share(number: int) -> float:
    return 1 / number


@step
def extract() -> list[int]:
    return [0, 1, 2]


@step(retry=Retry(attempts=2, delay=0.01, jitter=0))
def invert(numbers: list[int]) -> list[float]:
    print("inverting", numbers)
    return list(map(share, numbers))


@step
def other(numbers: list[int]) -> int:
    return len(numbers)


@step
def report(shares: list[float]) -> str:
    return f"{len(shares)} shares"


daily = pipeline("daily", [extract >> invert >> report, extract >> other])
