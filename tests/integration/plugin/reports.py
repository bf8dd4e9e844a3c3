"""A reports_root as the renderers leave it: three days of phrase views, two of top repositories."""

import json
from datetime import date
from pathlib import Path

from include.pages.run_note import write_run_note

RUN = "manual__2026-11-20T00:15:00+00:00"
DAYS = ("2026-11-18", "2026-11-19", "2026-11-20")
CAMPAIGNS = (1111111, 2222222)
UNFINISHED = "2026-11-21"
TSV = "phrase\tviews_by_hour\nплатье\t[(15, 4), (14, 6), (13, 4), (12, 1)]\n"  # noqa: RUF001
CSV = "date,campaign_id,phrase,hour,views,flags\n2026-11-20,1111111,платье,12,1,\n"
RANKING_CSV = "date,position,repo,stars\n2026-11-20,1,octo/repo,9\n"
HTML = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>h1 {{ color: rgb(1, 2, 3) }}</style></head><body><h1>{title}</h1><p id="said"></p>
<script>document.getElementById("said").textContent = "the script ran";</script></body></html>"""


def write_reports(root: Path) -> Path:
    """Write them below `root` and return it."""
    for number, day in enumerate(DAYS):
        write_phrase_views(root, day, f"{RUN[:-1]}{number}", CAMPAIGNS)
    for day in DAYS[1:]:
        write_ranking(root, day, f"ranked__{day}T00:30:00+00:00")
    (root / "phrase_views" / UNFINISHED).mkdir()
    return root


def write_phrase_views(root: Path, day: str, run_id: str, campaigns: tuple[object, ...]) -> None:
    """Write one day of phrase views; its index says what it is told."""
    directory = root / "phrase_views" / day
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "rows.csv").write_text(CSV)
    for campaign in campaigns:
        (directory / f"{campaign}.tsv").write_text(TSV)
        (directory / f"{campaign}.html").write_text(HTML.format(title=f"Campaign {campaign}, {day}"))
    flags = {"partial": 2, "gap": 1}
    settings = {"time_zone": "UTC", "hour_rule": "sample"}
    facts = [{"campaign_id": c, "phrases": 1, "views": 15, "flags": flags, **settings} for c in campaigns]
    (directory / "index.html").write_text(HTML.format(title=f"Phrase views of {day}"))
    write_index(directory, day, run_id, asked_for=[], **settings, campaigns=facts)
    write_run_note(directory.parent, run_id, date.fromisoformat(day))


def write_ranking(root: Path, day: str, run_id: str) -> None:
    """Write one day of top repositories."""
    directory = root / "top_repositories" / day
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "index.html").write_text(HTML.format(title=f"Ranking of {day}"))
    (directory / "repositories.csv").write_text(RANKING_CSV)
    write_index(directory, day, run_id, repositories=100)
    write_run_note(directory.parent, run_id, date.fromisoformat(day))


def write_index(directory: Path, day: str, run_id: str, **more: object) -> None:
    """Write index.json."""
    facts = {"day": day, "run_id": run_id, "published_at": "2026-11-21T00:16:00+00:00", **more}
    (directory / "index.json").write_text(json.dumps(facts))
