"""The commits of a day: by REST or GraphQL, kept as they come, verified."""
