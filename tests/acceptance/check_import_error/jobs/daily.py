from jobs.helpers import rate

x = rate(0)
