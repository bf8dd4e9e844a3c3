"""Pages that were read, with their ETags: GitHub says for nothing whether they still hold, for two days.

A file a page, `<folder>/<day it was kept>/<hash of account and URL>`: gzip, whose checksum tells a damaged
one; first a line of facts, then the body. A page is kept for its token: another one gets another ETag.

It pays where pages stay the same: those of commits of a day that is over, in a run that is made again; those
of a ranking that nothing moved in. A day's first run gains nothing, GraphQL has no ETags, and where many
repositories gain stars each minute a page of them has changed before it is asked for again.
Source: https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import re
import zlib
from collections.abc import Callable
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from include.staging.cleaning import remove_all, store_of
from include.staging.files import StagingPath, write_atomically

MOST_BYTES = 256 * 2**20  # of all pages together: some 30,000
MOST_PAGES = 50_000  # their hashes are in memory
MOST_PAGE_BYTES = 64 * 2**20  # of one, unpacked: what the client itself reads at most
ETAG = "[!-~]{1,200}"  # what can be sent back as it is
_DAY = r"\d{4}-\d{2}-\d{2}"

log = logging.getLogger(__name__)


class CachedPage(BaseModel):
    """A page. Attributes: account; url; etag; next_url, of the list's next page, "" at its end; body."""

    model_config = ConfigDict(frozen=True)
    account: str
    url: str
    etag: str = Field(pattern=f"^{ETAG}$")
    next_url: str = ""
    body: bytes = Field(default=b"", exclude=True, repr=False)


class PageCache:
    """The pages below a folder. It may be gone at any time, and others may write there.

    Args: now: our clock, aware. most_bytes: nothing more is kept beyond that.
    """

    def __init__(
        self, folder: StagingPath, now: Callable[[], datetime], most_bytes: int = MOST_BYTES
    ) -> None:
        self._folder, self._now, self._most_bytes = folder, now, most_bytes
        # hash -> day and bytes of the file: asking the store for each page would cost more
        self._files: dict[bytes, tuple[str, int]] = {}
        self._bytes = 0

    def open(self) -> None:
        """Find out what is there, and remove what is older than yesterday."""
        files, top = store_of(self._folder)
        try:
            days = sorted(path["name"].rstrip("/") for path in files.ls(top, detail=True))
            for day in (day for day in days if re.fullmatch(_DAY, _name(day))):
                if _name(day) in self._kept_days():
                    self._list(files.ls(day, detail=True), _name(day))
                else:
                    remove_all(files, day)
        except FileNotFoundError:
            return
        except OSError as error:
            log.warning("%s: not all answers that are kept can be used: %s", self._folder, error)

    def knows(self, account: str, url: str) -> bool:
        """Tell whether there is a file of a page; asks nobody."""
        return _hash(account, url) in self._files

    def find(self, account: str, url: str) -> CachedPage | None:
        """Return what is kept of a page; a file that is damaged, or of another page, is not."""
        key = _hash(account, url)
        if key not in self._files:
            return None
        path = self._path(self._files[key][0], key)
        try:
            with path.open("rb") as file, gzip.GzipFile(fileobj=file) as unpacked:
                facts, _, body = unpacked.read(MOST_PAGE_BYTES).partition(b"\n")
            kept = CachedPage.model_validate_json(facts).model_copy(update={"body": body})
        except FileNotFoundError:
            kept = None
        except (OSError, EOFError, zlib.error, ValidationError) as error:
            log.warning(
                "%s is not readable, the page is asked for as if it were new: %s", path, type(error).__name__
            )
            kept = None
        if kept is None or (kept.account, kept.url) != (account, url):
            del self._files[key]
            return None
        return kept

    def keep(self, answer: CachedPage) -> None:
        """Keep a page, in the place of an older one, as long as there is room."""
        data = gzip.compress(answer.model_dump_json().encode() + b"\n" + answer.body, compresslevel=1)
        key, today = _hash(answer.account, answer.url), self._kept_days()[0]
        day, size = self._files.get(key, ("", 0))
        more = len(data) - (size if day == today else 0)  # yesterday's file stays beside it
        full = self._bytes + more > self._most_bytes or len(self._files) >= MOST_PAGES
        if full or len(answer.body) > MOST_PAGE_BYTES - 2**16:
            return
        try:
            write_atomically(self._path(today, key), data)
        except OSError as error:
            log.warning("no more answers are kept: %s", error)
            self._most_bytes = 0
            return
        self._files[key] = (today, len(data))
        self._bytes += more

    def drop(self, account: str, url: str) -> None:
        """Forget a page that is of no use."""
        self._files.pop(_hash(account, url), None)

    def _list(self, found: list[dict[str, object]], day: str) -> None:
        for facts in found:
            name = _name(str(facts["name"]))
            if re.fullmatch("[0-9a-f]{32}", name):
                size = int(str(facts.get("size") or 0))
                self._files[bytes.fromhex(name)] = (day, size)
                self._bytes += size

    def _path(self, day: str, key: bytes) -> StagingPath:
        return self._folder / day / key.hex()

    def _kept_days(self) -> tuple[str, str]:
        today = self._now().date()
        return today.isoformat(), (today - timedelta(days=1)).isoformat()


def _hash(account: str, url: str) -> bytes:
    return hashlib.sha256(f"{account}\n{url}".encode()).digest()[:16]


def _name(path: str) -> str:
    return path.rpartition("/")[2]
