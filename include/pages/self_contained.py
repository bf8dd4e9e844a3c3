"""Pages in one file: a template of ours with its styles and scripts inside, and no address outside."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_HERE = Path(__file__).parent
_TEMPLATES = Environment(
    loader=FileSystemLoader(_HERE),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def self_contained_page(
    template: str, *, styles: Iterable[str], scripts: Iterable[str], **facts: object
) -> bytes:
    """Return the page as UTF-8. All `facts` are escaped; styles and scripts are files beside this one.

    The template shows `style` and `script`, each once, so that a policy lists one hash of each
    (include/pages/policy.py). The same facts give the same bytes.
    """
    style = "\n".join(map(_own_file, styles))
    # Each in a block of its own: they name what they like.
    script = "\n".join(f"{{\n{_own_file(name)}}}" for name in scripts)
    page = _TEMPLATES.get_template(template)
    return page.render(style=Markup(style), script=Markup(script), **facts).encode()  # noqa: S704 - our own files


def _own_file(name: str) -> str:
    return (_HERE / name).read_text()
