"""Names that older and newer versions share."""

from include.github.api.rules import account_of
from include.http.cooldown_store import CooldownStore
from include.http.tokens import Token


def test_files_are_named_by_service_and_account(tmp_path):
    """A process of another version finds what this one writes."""
    account = account_of(Token("ghp_0123456789abcdef"), "https://API.github.com/api/v3")
    assert account == "github:api.github.com:e32efe02d55b"
    CooldownStore(tmp_path).write(account, {})
    assert [path.name for path in tmp_path.iterdir()] == ["github-7ccb0eea80fc5e1b.json"]
