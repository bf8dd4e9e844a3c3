-- The most active authors of a day by repository, and how many there are. Ties by name.
-- Reads:   repositories_authors_commits, one partition
-- Params:  day Date, shown UInt8
-- Returns: repo, authors UInt64, busiest Array(Tuple(Int64, String)): (- commits, author)
SELECT
    repo,
    count() AS authors,
    arraySlice(arraySort(groupArray((-toInt64(commits_num), author))), 1, %(shown)s) AS busiest
FROM repositories_authors_commits
WHERE date = toDate(%(day)s)
GROUP BY repo
ORDER BY repo
