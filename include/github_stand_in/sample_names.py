"""Invented people, owners and projects of the sample, drawn from word lists by hash, never by chance."""

from dataclasses import dataclass
from hashlib import shake_128

from include.github_stand_in.dataset import Account

SEED = "stagehouse sample 1"
PEOPLE = 600
OWNERS = 140

_GIVEN = (
    *("Anouk", "Bertil", "Calla", "Dorian", "Edda", "Fenna", "Goran", "Hesper"),
    *("Ilka", "Jorun", "Kasimir", "Liv", "Maarit", "Nils", "Oona", "Pelle"),
)
_FAMILY = (
    *("Ambrell", "Birkdal", "Corvane", "Dunnigard", "Elstrum"),
    *("Farrowick", "Gellan", "Hollmark", "Iverdale", "Jessum"),
)
_OWNER_FIRST = (
    *("Orvel", "tamsin", "quillo", "brackwell", "Fennimore", "ostrava"),
    *("lumen", "Halden", "marrow", "pinewright", "Sabel", "torrin"),
)
_OWNER_SECOND = (
    *("labs", "works", "-collective", "foundry", "-io", "craft"),
    *("-systems", "guild", "commons", "-dev", "studio", "mill"),
)
_THING_FIRST = (
    *("pebble", "lantern", "harbor", "cobalt", "drift", "ember", "fathom", "gravel", "hollow", "ivory"),
    *("juniper", "kettle", "ledger", "meadow", "nimbus", "orchard", "plover", "quartz", "ripple", "saffron"),
)
_THING_SECOND = (
    *("queue", "index", "shell", "router", "canvas", "parser", "cache", "forge", "atlas", "beacon"),
    *("compiler", "daemon", "engine", "feed", "grid", "hub", "kit", "loom", "mesh", "notes"),
)
_LANGUAGES = (
    *("Python", "TypeScript", "JavaScript", "Go", "Rust", "C++", "Java", "C", "Ruby", "Shell"),
    *("Kotlin", "Zig", "HTML", "Jupyter Notebook"),
)
_LINKED = 4  # of five people have an account


def draw(*key: object, count: int = 1) -> tuple[int, ...]:
    """Return `count` numbers in [0, 2**32) that depend on nothing but the key."""
    digest = shake_128(":".join([SEED, *map(str, key)]).encode()).digest(4 * count)
    return tuple(int.from_bytes(digest[at : at + 4]) for at in range(0, len(digest), 4))


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who commits. account: None where the e-mail belongs to no account."""

    name: str
    email: str
    account: Account | None


def person(number: int) -> Person:
    """Return one of the PEOPLE; one in five has no account, one in ten signs with the login."""
    linked, given, family, signs = draw("person", number, count=4)
    name = f"{_GIVEN[given % len(_GIVEN)]} {_FAMILY[family % len(_FAMILY)]}"
    login = f"{name.lower().replace(' ', '-')}-{number}"
    account = Account(login, 2_000_000 + number) if linked % 5 < _LINKED else None
    return Person(login if signs % 10 == 0 else name, f"{login}@mail.example", account)


def owner(number: int) -> Account:
    """Return one of the OWNERS; a third are people."""
    first, second = divmod(number, len(_OWNER_SECOND))
    login = f"{_OWNER_FIRST[first % len(_OWNER_FIRST)]}{_OWNER_SECOND[second]}"
    return Account(login, 1_000_000 + number, "User" if number % 3 == 0 else "Organization")


def project_name(rank: int) -> str:
    """Return the name of the repository at a rank: all of the first 400 differ."""
    # 177 and 400 have no common divisor, so every combination of the two lists comes once.
    first, second = divmod(rank * 177 % 400, len(_THING_SECOND))
    return f"{_THING_FIRST[first]}-{_THING_SECOND[second]}"


def project_language(rank: int) -> str | None:
    """Return a language; None for about one repository in twelve."""
    (number,) = draw("language", rank)
    return None if number % 12 == 0 else _LANGUAGES[number % len(_LANGUAGES)]
