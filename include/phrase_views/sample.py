"""Sample counters of a day, in the CSV that the import reads: to try the report with no source of one's own.

Campaign 1111111 is the example of the documentation, to the letter; the others are invented, the same for
every call, and show what else happens: thousands of views, a reset, a gap, a first sample in the day.
"""

from __future__ import annotations

import csv
import io
import math
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta

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
_EVERY = timedelta(minutes=10)
_GARMENTS = ("coat", "dress", "jacket", "jumper", "raincoat", "scarf", "shirt", "skirt", "socks", "trousers")
_KINDS = ("", "cotton ", "linen ", "silk ", "summer ", "warm ", "winter ", "wool ")
_BUYERS = ("", " for children", " for men", " for women", " online", " second hand")

Counter = tuple[int, str, int, datetime]


def sample_counters(day: date) -> Iterator[Counter]:
    """Yield (campaign_id, phrase, views, dt in UTC) around the UTC `day`."""
    start = datetime.combine(day, _EXAMPLE_START, UTC)
    for number, views in enumerate(_EXAMPLE_VIEWS):
        yield EXAMPLE_CAMPAIGN, EXAMPLE_PHRASE, views, start + number * _EVERY
    phrases = [kind + garment + buyer for garment in _GARMENTS for kind in _KINDS for buyer in _BUYERS]
    for campaign_id, share in ((2000001, 1.0), (2000002, 0.3)):
        chance = random.Random(campaign_id)  # noqa: S311 - not a secret: the same counters each time
        for phrase in phrases[: int(len(phrases) * share)]:
            yield from _invented(campaign_id, phrase, day, chance)


def sample_csv(day: date) -> bytes:
    """Return the sample counters of `day` as a CSV with a header."""
    return _csv(sample_counters(day))


def _invented(campaign_id: int, phrase: str, day: date, chance: random.Random) -> Iterator[Counter]:
    """One phrase, sampled on every tenth minute from the evening before."""
    midnight = datetime.combine(day, time.min, UTC)
    views, popularity = chance.randrange(100_000), chance.paretovariate(1.2)
    first_sample = chance.choice([-6] * 20 + [60])
    reset_at = chance.choice([None] * 30 + [100])
    unsampled = chance.choice([range(0)] * 30 + [range(50, 70)])
    for number in range(first_sample, 144):
        at = midnight + number * _EVERY
        # Few at night, most in the evening.
        busy = 1 + math.cos((at.hour + at.minute / 60 - 19) / 24 * math.tau)
        views = 0 if number == reset_at else views + int(chance.expovariate(1) * busy * popularity / 3)
        if number not in unsampled:
            yield campaign_id, phrase, views, at


def _csv(counters: Iterable[Counter]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("campaign_id", "phrase", "views", "dt"))
    for campaign_id, phrase, views, at in counters:
        writer.writerow((campaign_id, phrase, views, f"{at:%Y-%m-%d %H:%M:%S}"))
    return text.getvalue().encode()
