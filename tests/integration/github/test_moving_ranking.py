"""Lists longer than search shows that move while they are read: nothing lost, nothing twice, or told."""

import json
from dataclasses import replace

from include.github_stand_in.app import FAULTS, GATEWAY
from include.github_stand_in.faults import Fault
from tests.integration.github.crowd import asked, crowd, expected, ranked


class Moves:
    """Changes stars while a list is read: after so many requests, so and so."""

    def __init__(self, moves):
        self.moves, self.app, self.sent = moves, None, 0

    def __call__(self, _request):
        """Count an answer."""
        self.sent += 1
        if stars := self.moves.get(self.sent):
            self.app[GATEWAY]._rest_api.move(stars)


async def test_what_moves_while_it_is_read_is_neither_lost_nor_doubled(serve_crowd, rank_top, caplog):
    """Upwards past the slice being read, unseen by all; downwards into one not yet read."""
    dataset = crowd(range(1, 6001))
    by_stars = {repository.stars: repository for repository in dataset.repositories}
    risen, fallen = [2500, 2501, 3100], [5990, 5500]
    moves = {
        12: {by_stars[2500].id: 5700, by_stars[5990].id: 3000},
        25: {by_stars[2501].id: 4444, by_stars[5500].id: 2700},
        34: {by_stars[3100].id: 70_000},
    }
    moving = Moves(moves)
    app, url = await serve_crowd(dataset, on_request=moving)
    moving.app = app
    ranking = ranked(await rank_top(url, 4000))
    stars_now = {id_: stars for each in moves.values() for id_, stars in each.items()}
    moved = [replace(r, stars=stars_now.get(r.id, r.stars)) for r in dataset.repositories]
    assert ranking == expected(moved, 4000)
    assert {by_stars[stars].id for stars in (*risen, *fallen)} <= {id_ for id_, _ in ranking}
    assert "has more than was found" in caplog.text
    assert moving.sent <= 100  # of 45 without a move


class NeverStops:
    """Lets the least repository of all rise to the top at every request."""

    def __init__(self, rising):
        self.rising, self.app = list(rising), None

    def __call__(self, _request):
        """Move one that was not moved before."""
        self.app[GATEWAY]._rest_api.move({self.rising.pop(0): 5500 + len(self.rising)})


async def test_what_never_stands_still_is_told(serve_crowd, rank_top, caplog):
    """What is missing is looked for twice more; then the list is as it is, each once, and what lacks told."""
    dataset = crowd(range(1, 2601))
    rising = NeverStops(repository.id for repository in sorted(dataset.repositories, key=lambda r: r.stars))
    app, url = await serve_crowd(dataset, on_request=rising)
    rising.app = app
    ids = [id_ for id_, _ in ranked(await rank_top(url, 1100))]
    assert len(set(ids)) == len(ids) == 1100
    for told in ("reading 2 of 3", "reading 3 of 3", "were counted and not found: they keep moving"):
        assert told in caplog.text
    assert len(asked(app)) < 200


async def test_what_is_counted_and_never_shown_costs_little(serve_crowd, rank_top):
    """An index that counts more than it has: read again as often as it may help, no error."""

    def one_more(body):
        page = json.loads(body)
        return json.dumps(page | {"total_count": page["total_count"] + 1}).encode()

    dataset = crowd(range(1, 2601))
    app, url = await serve_crowd(dataset)
    app[FAULTS].add(Fault("/search/", times=None, body=one_more))
    assert ranked(await rank_top(url, 2000)) == expected(dataset.repositories, 2000)
    assert len(asked(app)) < 100
