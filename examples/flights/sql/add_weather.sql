-- The weather at the airport in the hour of departure; a few hours were never measured.
SELECT flight_id, dep_delay, celsius, wind_kmh, rain, foggy
FROM legs LEFT JOIN weather_hourly USING (origin, time_hour)
ORDER BY flight_id
