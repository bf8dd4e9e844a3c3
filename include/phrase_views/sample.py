"""Sample counters of a day, in the CSV that the import reads: to try the report with no source of one's own.

Campaign 1111111 is the example of the documentation, to the letter on EXAMPLE_DAY; the others are invented,
and show what else happens: thousands of views, resets, gaps, first samples in the day. Every call gives the
same, and counters run on from day to day: samples of several days are those of one source.
"""

from __future__ import annotations

import csv
import io
import math
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate

EXAMPLE_CAMPAIGN = 1111111
EXAMPLE_PHRASE = "платье"
_EXAMPLE_START = time(11, 50)
_EXAMPLE_VIEWS = (
    100,
    *(100, 100, 100, 100, 101, 101),
    *(101, 101, 101, 102, 103, 105),
    *(105, 106, 108, 109, 110, 111),
    *(111, 111, 112, 113, 113, 115),
    115,
)
EXAMPLE_DAY = date(2025, 1, 1)
_EVERY = timedelta(minutes=10)
_SAMPLES = 144  # of a day
_MOST_POPULAR = 200.0  # so that counters stay below 2^31 until 2105
_GARMENTS = ("coat", "dress", "jacket", "jumper", "raincoat", "scarf", "shirt", "skirt", "socks", "trousers")
_KINDS = ("", "cotton ", "linen ", "silk ", "summer ", "warm ", "winter ", "wool ")
_BUYERS = ("", " for children", " for men", " for women", " online", " second hand")

Counter = tuple[int, str, int, datetime]


def sample_counters(day: date) -> Iterator[Counter]:
    """Yield (campaign_id, phrase, views, dt in UTC) around the UTC `day`."""
    start, days = datetime.combine(day, _EXAMPLE_START, UTC), max((day - EXAMPLE_DAY).days, 0)
    gained = days * (_EXAMPLE_VIEWS[-1] - _EXAMPLE_VIEWS[0])
    for number, views in enumerate(_EXAMPLE_VIEWS):
        yield EXAMPLE_CAMPAIGN, EXAMPLE_PHRASE, gained + views, start + number * _EVERY
    phrases = [kind + garment + buyer for garment in _GARMENTS for kind in _KINDS for buyer in _BUYERS]
    midnight = datetime.combine(day, time.min, UTC)
    for campaign_id, share in ((2000001, 1.0), (2000002, 0.3)):
        chance = random.Random(campaign_id)  # noqa: S311 - not a secret: the same counters each time
        for phrase in phrases[: int(len(phrases) * share)]:
            for number, views in _invented(days, chance):
                yield campaign_id, phrase, views, midnight + number * _EVERY


def sample_csv(day: date) -> bytes:
    """Return the sample counters of `day` as a CSV with a header."""
    return _csv(sample_counters(day))


def _invented(days: int, chance: random.Random) -> Iterator[tuple[int, int]]:
    """Yield what one phrase shows on every tenth minute from the evening before; each day gains the same."""
    views, popularity = chance.randrange(100_000), min(chance.paretovariate(1.2), _MOST_POPULAR)
    first_sample = chance.choice([-6] * 20 + [60])
    reset_at = chance.choice([None] * 30 + [100])
    unsampled = chance.choice([range(0)] * 30 + [range(50, 70)])
    # Few at night, most in the evening.
    busy = [1 + math.cos((number / 6 - 19) / 24 * math.tau) for number in range(_SAMPLES)]
    totals = list(accumulate(int(chance.expovariate(1) * of_hour * popularity / 3) for of_hour in busy))
    for number in range(first_sample, _SAMPLES):
        gained = totals[number] - (totals[-1] if number < 0 else 0)
        before = views + (days + 1) * totals[-1]
        if reset_at is not None:  # every day anew
            before = (0 if number >= reset_at else totals[-1]) - totals[reset_at]
        if number not in unsampled:
            yield number, before + gained


def _csv(counters: Iterable[Counter]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("campaign_id", "phrase", "views", "dt"))
    for campaign_id, phrase, views, at in counters:
        writer.writerow((campaign_id, phrase, views, f"{at:%Y-%m-%d %H:%M:%S}"))
    return text.getvalue().encode()
