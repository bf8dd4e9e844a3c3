"""The key of a lease's lock."""

from hypothesis import given
from hypothesis import strategies as st

from include.postgres.lease import SHOWN_AS, SHOWN_BYTES, _shown, lock_key


def test_a_key_never_changes():
    """Gives the key that other releases of this code give: the two still exclude each other."""
    assert lock_key("github:https://api.github.com:0123456789ab") == 0x3232EAC2E340E094
    assert lock_key("") == 0xE3B0C44298FC1C14 - 2**64  # SHA-256 of nothing begins so


@given(st.text(), st.text())
def test_keys_fit_and_differ(one: str, other: str):
    """Fits PostgreSQL's bigint, and differs for different names."""
    assert -(2**63) <= lock_key(one) < 2**63
    assert (lock_key(one) == lock_key(other)) == (one == other)


@given(st.text())
def test_a_holder_is_cut_between_characters(holder: str):
    """Cuts a holder to what PostgreSQL keeps, never inside a character."""
    cut = _shown(holder)
    assert (SHOWN_AS + holder).startswith(cut)
    assert len(cut.encode()) <= SHOWN_BYTES
    assert cut == SHOWN_AS + holder or len(cut.encode()) > SHOWN_BYTES - 4
