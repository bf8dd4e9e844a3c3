"""A small shop in Postgres, for `make run` and tests of `shop_sync`: forty days, and changes while it runs.

rows        the rows of a day, the same each time
database    makes the tables, and a role that may only read
trickle     changes, step by step
__main__    the command that makes a shop, or changes it in the background
"""
