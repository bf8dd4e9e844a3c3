"""Reads Link headers, apart from the code that writes them."""

from yarl import URL


def links(headers):
    """Return the targets of a Link header by rel, as URLs."""
    parts = (part.split("; ") for part in headers.get("Link", "").split(", ") if part)
    return {rel.removeprefix('rel="').removesuffix('"'): URL(url.strip("<>")) for url, rel in parts}
