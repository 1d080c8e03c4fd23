from anabranch import pipeline, step


@step
def clean() -> int:
    raise ValueError("no rows\nfrom the API")


daily = pipeline("daily", [clean])
