"""Searches for repositories: by REST or GraphQL, lists that are longer than search shows, too."""
