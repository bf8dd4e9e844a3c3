"""GitHub's REST API: the top repositories by stars, and who committed to them on a day."""
