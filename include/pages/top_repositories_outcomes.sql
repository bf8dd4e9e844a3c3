-- What became of each repository that a day's run asked about, and how many commits it has.
-- Reads:   repositories_outcomes, one partition
-- Params:  day Date                            Returns: repo, outcome, commits
SELECT repo, outcome, commits
FROM repositories_outcomes
WHERE date = toDate(%(day)s)
ORDER BY repo
