"""What a benchmark found: one row of the table."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Finding:
    """The answer to one question.

    Attributes: question; values, one of each round; target, in words; ok, whether the median meets it, None
        where there is nothing to meet; digits shown behind the point; remark, absolute figures for scale.
    """

    question: str
    values: Sequence[float]
    target: str
    ok: bool | None
    digits: int = 2
    remark: str = ""

    @property
    def verdict(self) -> str:
        """The last column of the table."""
        return "" if self.ok is None else "ok" if self.ok else "miss"

    @property
    def measured(self) -> tuple[str, str, str]:
        """Return min, median and max as text; nothing where nothing was measured."""
        if not self.values:
            return "", "", ""
        figures = (min(self.values), median(self.values), max(self.values))
        low, middle, high = (f"{figure:.{self.digits}f}" for figure in figures)
        return low, middle, high


def at_least(
    question: str, values: Sequence[float], target: float, *, digits: int = 2, remark: str = ""
) -> Finding:
    """Judge the median against a floor."""
    return Finding(question, values, f">= {target:g}", median(values) >= target, digits, remark)


def at_most(
    question: str, values: Sequence[float], target: float, *, digits: int = 2, remark: str = ""
) -> Finding:
    """Judge the median against a ceiling."""
    return Finding(question, values, f"<= {target:g}", median(values) <= target, digits, remark)


def never_above(question: str, values: Sequence[float], target: float, *, digits: int = 0) -> Finding:
    """Judge every single value: a promise that one round breaks is broken."""
    return Finding(question, values, f"never > {target:g}", max(values) <= target, digits)


def not_measured(question: str, why: Exception) -> Finding:
    """Say so in the table."""
    return Finding(question, (), "", None, remark=str(why))


class WorkNotDone(Exception):
    """A benchmark did not do what it timed: its figures are worth nothing."""


def require_equal(what: str, found: object, expected: object) -> None:
    """Raise WorkNotDone unless both are equal."""
    if found != expected:
        raise WorkNotDone(f"{what}: {found}, expected {expected}")
