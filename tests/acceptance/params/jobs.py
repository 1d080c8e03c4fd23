from datetime import date

from anabranch import Param, pipeline, step


@step
def show(day: date, limit: int, mode: str) -> str:
    return f"{day} {limit} {mode}"


daily = pipeline(
    "daily",
    [show],
    params={"day": date, "limit": Param(int, 10), "mode": Param(str, "fast", choices=("fast", "slow"))},
)
