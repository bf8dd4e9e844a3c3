"""How Hypothesis searches: the same examples each time, or (`make fuzz`) by chance, and more of them."""

from functools import cache

from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

FIXED, CHANCE = "fixed", "chance"
TIMES = 20


def register_profiles() -> None:
    """Make the two profiles known, and load the fixed one: `--hypothesis-profile chance` loads the other.

    No examples are kept, and no test is red because a machine is slow.
    """
    settings.register_profile(
        FIXED, derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    fixed = settings.get_profile(FIXED)
    settings.register_profile(
        CHANCE, fixed, derandomize=False, max_examples=TIMES * fixed.max_examples, print_blob=True
    )
    settings.load_profile(FIXED)
    _settle_our_constants()


def _settle_our_constants() -> None:
    """Keep numbers and words of our modules out of fixed examples.

    Hypothesis takes those of all modules that are imported by then: a test would get other examples alone
    than after others, and with a change of any module. A search by chance has those of its beginning.
    """
    of_our_modules = cache(providers._get_local_constants)
    providers._get_local_constants = lambda: Constants() if settings.default.derandomize else of_our_modules()


def examples(usual: int, *, shared_fixtures: bool = False) -> settings:
    """Take so many examples, by chance as many times more as a test without a number of its own.

    All else is as the profile says, which the settings of a test would otherwise hide.

    Args: shared_fixtures: what the test's fixtures make serves all its examples, which do each other no harm.
    """
    profile = settings.default
    allowed = [HealthCheck.function_scoped_fixture] if shared_fixtures else []
    return settings(
        max_examples=usual * profile.max_examples // settings.get_profile(FIXED).max_examples,
        suppress_health_check=[*profile.suppress_health_check, *allowed],
    )
