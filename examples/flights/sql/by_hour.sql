-- Delays grow over the day: each one makes the next.
SELECT hour(departed - to_minutes(dep_delay)) AS hour, count(*) AS legs, avg(dep_delay) AS mean_dep_delay
FROM legs
GROUP BY hour
ORDER BY hour
