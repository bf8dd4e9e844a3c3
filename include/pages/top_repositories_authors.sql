-- The most active authors of a day over all repositories. Ties by name.
-- Reads:   repositories_authors_commits, one partition
-- Params:  day Date, shown UInt8
-- Returns: author, commits Int64, repositories UInt64, busiest Tuple(Int64, String): (- commits, repo)
SELECT
    author,
    sum(commits_num) AS commits,
    count() AS repositories,
    arraySort(groupArray((-toInt64(commits_num), repo)))[1] AS busiest
FROM repositories_authors_commits
WHERE date = toDate(%(day)s)
GROUP BY author
ORDER BY commits DESC, author
LIMIT %(shown)s
