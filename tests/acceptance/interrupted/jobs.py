import time
from pathlib import Path

from anabranch import pipeline, step


@step
def first() -> int:
    return 1


@step
def waits(x: int) -> int:
    Path("started").touch()
    while not Path("go").exists():
        time.sleep(0.02)
    return x


daily = pipeline("daily", [first >> waits])
