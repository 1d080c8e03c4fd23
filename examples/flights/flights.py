"""Every flight that left New York in 2013: from raw tables to what people ask about delays.

The steps are plain functions, SQL and one awk script. Nothing here knows where it runs.
"""

from __future__ import annotations

from datetime import date

import polars as pl
from datasets import (
    airlines,
    airports,
    cancelled,
    carriers,
    day_summary,
    delays_by_age,
    delays_by_carrier,
    delays_by_hour,
    delays_by_route,
    delays_by_weather,
    destinations,
    fleet,
    flights,
    legs,
    legs_in_weather,
    planes,
    weather,
    weather_hourly,
)

from anabranch import pipeline, shell, sql, step

LATE = 15  # minutes or more, as the US Department of Transportation counts


def with_id(flights: pl.DataFrame) -> pl.DataFrame:
    """Give each scheduled flight a date and a readable key."""
    day = pl.date("year", "month", "day")
    key = pl.format("{}-{}{}-{}", day, "carrier", "flight", "origin")
    return flights.with_columns(day.alias("date"), key.alias("flight_id"))


@step(reads=flights, writes=legs)
def clean_flights(flights: pl.DataFrame) -> pl.DataFrame:
    """Keep flights that left, with the moment they did: after midnight, when the delay carried them over it."""
    scheduled = pl.col("date").cast(pl.Datetime("us")) + pl.duration(
        hours=pl.col("sched_dep_time") // 100, minutes=pl.col("sched_dep_time") % 100
    )
    return (
        with_id(flights.filter(pl.col("dep_time").is_not_null()))
        .with_columns((scheduled + pl.duration(minutes="dep_delay")).alias("departed"))
        .select([column.name for column in legs.spec.columns])
    )


@step(reads=flights, writes=cancelled)
def find_cancelled(flights: pl.DataFrame) -> pl.DataFrame:
    """Flights that never left."""
    return with_id(flights.filter(pl.col("dep_time").is_null())).select(
        "flight_id", "date", "carrier", "origin", "dest"
    )


@step(reads=planes, writes=fleet)
def clean_planes(planes: pl.DataFrame) -> pl.DataFrame:
    """Planes whose year of construction is known."""
    return planes.filter(pl.col("year").is_not_null()).select("tailnum", pl.col("year").alias("built"), "seats")


clean_weather = sql(
    "clean_weather",
    """
    SELECT origin, time_hour, (temp - 32) / 1.8 AS celsius,
           CASE WHEN wind_speed < 200 THEN wind_speed * 1.609344 END AS wind_kmh,  -- one reading says 1,048 mph
           precip > 0 AS rain, visib < 1 AS foggy
    FROM weather
    ORDER BY ALL
    """,
    reads=weather,
    writes=weather_hourly,
)

tidy_carriers = shell(
    "tidy_carriers",
    ["awk", "-f", "awk/tidy_carriers.awk", "-v", "out=${out.carriers}", "${in.airlines}"],
    reads=airlines,
    writes=carriers,
    description="Company names as people say them",
)

add_weather = sql("add_weather", file="sql/add_weather.sql", reads=[legs, weather_hourly], writes=legs_in_weather)


@step(reads=[legs, carriers], writes=delays_by_carrier)
def by_carrier(legs: pl.DataFrame, carriers: pl.DataFrame) -> pl.DataFrame:
    """Which airline is late?"""
    return (
        legs.group_by("carrier")
        .agg(
            pl.len().cast(pl.Int64).alias("legs"),
            pl.col("dep_delay").mean().alias("mean_dep_delay"),
            (pl.col("dep_delay") >= LATE).mean().alias("late_share"),
        )
        .join(carriers, on="carrier", how="left")
        .select("carrier", "name", "legs", "mean_dep_delay", "late_share")
        .sort("mean_dep_delay", "carrier", descending=[True, False])
    )


by_route = sql(
    "by_route",
    """
    SELECT origin, dest, count(*) AS legs, avg(arr_delay) AS mean_arr_delay
    FROM legs GROUP BY ALL ORDER BY legs DESC, origin, dest
    """,
    reads=legs,
    writes=delays_by_route,
)

by_hour = sql("by_hour", file="sql/by_hour.sql", reads=legs, writes=delays_by_hour)


@step(reads=legs_in_weather, writes=delays_by_weather)
def by_weather(legs_in_weather: pl.DataFrame) -> pl.DataFrame:
    """Do rain, fog and wind delay flights?"""
    kind = (
        pl.when(pl.col("celsius").is_null())
        .then(pl.lit("unknown"))
        .when(pl.col("foggy"))
        .then(pl.lit("fog"))
        .when(pl.col("rain"))
        .then(pl.lit("rain"))
        .when(pl.col("wind_kmh") > 30)
        .then(pl.lit("wind"))
        .otherwise(pl.lit("fair"))
    )
    return (
        legs_in_weather.group_by(kind.alias("weather"))
        .agg(pl.len().cast(pl.Int64).alias("legs"), pl.col("dep_delay").mean().alias("mean_dep_delay"))
        .sort("weather")
    )


by_age = sql(
    "by_age",
    """
    SELECT built // 10 * 10 AS decade, count(DISTINCT tailnum) AS planes, count(*) AS legs,
           avg(arr_delay) AS mean_arr_delay
    FROM legs JOIN fleet USING (tailnum) GROUP BY ALL ORDER BY decade
    """,
    reads=[legs, fleet],
    writes=delays_by_age,
)

rank_destinations = sql(
    "rank_destinations", file="sql/rank_destinations.sql", reads=[legs, airports], writes=destinations
)

summarise_day = sql(
    "summarise_day",
    """
    SELECT $day AS date, origin, count(dep_delay) AS legs, count(*) - count(dep_delay) AS cancelled,
           max(dep_delay) AS worst_delay
    FROM (SELECT date, origin, dep_delay FROM legs UNION ALL SELECT date, origin, NULL FROM cancelled)
    WHERE date = $day GROUP BY ALL ORDER BY origin
    """,
    reads=[legs, cancelled],
    writes=day_summary,
)

daily = pipeline(
    "daily",
    [clean_flights, find_cancelled, clean_planes, clean_weather, tidy_carriers, add_weather,
     by_carrier, by_route, by_hour, by_weather, by_age, rank_destinations, summarise_day],
    schedule="0 6 * * *",
    timezone="America/New_York",
    params={"day": date(2013, 1, 5)},
    tests="tests/daily.yaml",
    description="How late New York's flights were, from raw tables to answers",
)  # fmt: skip
