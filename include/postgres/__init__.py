"""PostgreSQL: is it well, and who holds the lease."""
