"""Tables of Postgres in ClickHouse, as they were at one instant: what changed, what is gone, and the proof.

Nothing here knows what the tables are about: the catalog of the source describes them.
"""
