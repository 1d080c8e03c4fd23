from anabranch import pipeline, step


@step
def clean() -> int:
    return 1


daily = pipeline("daily", [clean])
weekly = pipeline("weekly", [clean])
