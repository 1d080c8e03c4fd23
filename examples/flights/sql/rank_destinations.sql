-- Where did flights arrive on time? Four airports are not in the table of airports.
SELECT dest, any_value(airports.name) AS name, count(*) AS legs, avg((arr_delay < 15)::INTEGER) AS on_time_share
FROM legs LEFT JOIN airports ON dest = faa
GROUP BY dest
ORDER BY on_time_share DESC, dest
