"""Runs pieces of work in turn, so that whatever else the machine does disturbs all of them alike."""

from collections.abc import Callable, Mapping
from statistics import median


def in_turn(
    work: Mapping[str, Callable[[], float]], rounds: int, *, warm_ups: int = 1
) -> dict[str, list[float]]:
    """Return the figures of each piece of work: A B A B ..., without those of the warm-ups before."""
    figures: dict[str, list[float]] = {name: [] for name in work}
    for number in range(warm_ups + rounds):
        for name, piece in work.items():
            figure = piece()
            if number >= warm_ups:
                figures[name].append(figure)
    return figures


def ratios(above: list[float], below: list[float]) -> list[float]:
    """Divide what was measured in the same round."""
    return [a / b for a, b in zip(above, below, strict=True)]


def typical(figures: list[float], digits: int = 2) -> str:
    """Return the median as text, for remarks."""
    return f"{median(figures):,.{digits}f}"
