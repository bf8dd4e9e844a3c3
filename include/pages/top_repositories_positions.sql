-- The rankings of a page's window of days: all of each stored day, so that it is known where a list ended.
-- Reads:   repositories_positions, the partitions of at most HISTORY_DAYS days
-- Params:  first, day Date (both included)     Returns: date, position, repo, id, stars
SELECT date, position, repo, id, stars
FROM repositories_positions
WHERE date >= toDate(%(first)s) AND date <= toDate(%(day)s)
ORDER BY date, position
