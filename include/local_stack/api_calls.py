"""The calls of a file in the local stack: sample recipes and rows where a run finds them."""

from pathlib import Path

from include.local_stack.state import StateDirectory
from include.staging.files import write_atomically

CALLS = "api_calls"
SAMPLES = Path("include/api_calls/samples")  # below the checkout
FILE, RECIPE = "posts.csv", "create_posts"
FAILING = 3  # rows of the sample: users whom the stand-in does not know


def deliver_samples(state: StateDirectory, root: Path) -> dict[str, object]:
    """Put the sample file into the inbox and the sample recipes beside others; return the params of a run.

    A recipe that is there is the user's own by now, and stays. root: the checkout.
    """
    for recipe in sorted((root / SAMPLES).glob("*.toml")):
        if not (state.recipes / recipe.name).exists():
            write_atomically(state.recipes / recipe.name, recipe.read_bytes())
    write_atomically(state.inbox / FILE, (root / SAMPLES / FILE).read_bytes())
    # All of them again: the stand-in forgets its posts when the stack ends.
    return {"path": FILE, "recipe": RECIPE, "max_failed": FAILING, "resend": "all"}
