"""What files of counters say the report of a day must be, read with nothing of the project: hours of UTC."""

import csv
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
Row = tuple[int, str, int, int, str]


def read_truth(files: Iterable[Path], day: date) -> list[Row]:
    """Return (campaign, phrase, hour, views gained, flags); of two files, the later one's sample counts."""
    samples: dict[tuple[int, str], dict[datetime, int]] = defaultdict(dict)
    for file in files:
        with file.open(newline="", encoding="utf-8") as lines:
            for line in csv.DictReader(lines):
                at = datetime.fromisoformat(line["dt"]).replace(tzinfo=UTC)
                samples[int(line["campaign_id"]), line["phrase"]][at] = int(line["views"])
    return [
        (*counter, hour, views, ",".join(sorted(flags)))
        for counter, of_counter in sorted(samples.items())
        for hour, (views, flags) in _hours(of_counter, datetime.combine(day, time(), UTC)).items()
        if views or flags
    ]


def _hours(samples: dict[datetime, int], midnight: datetime) -> dict[int, tuple[int, set[str]]]:
    hours: dict[int, tuple[int, set[str]]] = {}
    before: tuple[datetime, int] | None = None
    for at, views in sorted(samples.items()):
        if midnight <= at < midnight + timedelta(days=1):
            gained, flags = hours.get(at.hour, (0, set()))
            if before is None:
                gain, said = 0, {"partial"}
            else:
                fell = views < before[1]
                gain = views if fell else views - before[1]
                said = {"reset"} if fell else set()
                said |= {"gap"} if at - before[0] >= HOUR else set()
            hours[at.hour] = (gained + gain, flags | said)
        if at >= midnight - WEEK:
            before = (at, views)
    return hours
