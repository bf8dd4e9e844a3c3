"""Data sets of any number of repositories with any stars, and their true order."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from include.github_stand_in.app import REQUEST_LOG
from include.github_stand_in.quota import Quota
from include.github_stand_in.recorded import Recorded
from include.github_stand_in.sample import Sample

PLENTY = Quota(10**9, 10**9)
MODEL = Sample().repositories[100]
EARLY = datetime(2016, 1, 1, tzinfo=UTC)


def crowd(stars, created=lambda number: EARLY + timedelta(hours=number)):
    """Make a data set of repositories with these stars; ids do not give the order away."""
    ids = random.Random(1).sample(range(10**6, 10**7), len(stars))  # noqa: S311 - no secrets
    repositories = [
        replace(MODEL, id=id_, name=f"r{number}", stars=each, created_at=created(number))
        for number, (id_, each) in enumerate(zip(ids, stars, strict=True))
    ]
    return Recorded(repositories, dict.fromkeys(ids, EARLY), {})


def like_github(count):
    """Give ever fewer stars, in whole numbers: many repositories of few stars have the same."""
    return [int(430_000 * number**-0.62) for number in range(1, count + 1)]


def expected(repositories, top):
    """Order them in another way: (id, stars), best first."""
    ordered = sorted(repositories, key=lambda repository: (-repository.stars, repository.id))
    return [(repository.id, repository.stars) for repository in ordered[:top]]


def ranked(ranking):
    """Read a ranking."""
    return [(repository.id, repository.stars) for repository in ranking]


def asked(app):
    """List what was asked, in order."""
    return [request.path_qs for request in app[REQUEST_LOG].requests]
