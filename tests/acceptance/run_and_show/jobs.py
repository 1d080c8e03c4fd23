from datetime import date

from anabranch import Retry, pipeline, step


@step
def extract(day: date) -> list[int]:
    print("extracting", day)
    return [1, 2, 3]


@step(retry=Retry(attempts=3, delay=0.01, jitter=0))
def total(numbers: list[int]) -> int:
    return sum(numbers)


@step(timeout="90s")
def report(total: int) -> str:
    return f"in all {total}"


daily = pipeline("daily", [extract >> total >> report], params={"day": date(2013, 1, 5)})
