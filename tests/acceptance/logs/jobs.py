import subprocess

from anabranch import pipeline, step


@step
def chatty() -> int:
    for number in range(2000):
        print("line", number)
    return 1


@step
def outside(x: int) -> int:
    subprocess.run(["echo", "from a child process"], check=True)
    return x


@step
def quiet(x: int) -> int:
    return x


daily = pipeline("daily", [chatty >> outside >> quiet])
