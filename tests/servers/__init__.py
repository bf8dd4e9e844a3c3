"""Real servers for the tests, as pytest fixtures: no mocks, everything is stopped and removed."""
