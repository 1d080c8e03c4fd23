def rate(count: int) -> float:
    return 1 / count
