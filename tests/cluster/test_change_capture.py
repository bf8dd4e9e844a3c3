"""Tables of Postgres on a cluster: views on every server, changes wherever a key lies."""

from functools import partial

import psycopg2
import pytest

from include.clickhouse.schema import migrate
from tests.integration.change_capture.place import TABLES, Place


@pytest.fixture
def place(database, postgres_server, postgres_database, tmp_path):
    """Three tables of some rows, not published yet."""
    with database.connect() as clickhouse:
        migrate(clickhouse)
        connect = partial(psycopg2.connect, **(postgres_server.parameters | {"dbname": postgres_database}))
        made = Place(connect, clickhouse, tmp_path)
        made.sql(TABLES)
        yield made
        made.connection.close()


def test_a_source_on_a_cluster(place, database):
    """Rows come, change and go, a column is added: each server shows the same, and each key once."""
    place.run(full_check=True)
    place.sql("DELETE FROM parents WHERE id % 5 = 0; UPDATE pairs SET right_id = 'moved' WHERE left_id < 9")
    place.sql(
        "ALTER TABLE words ADD COLUMN more text DEFAULT 'x'; UPDATE parents SET name = 'y' WHERE id = 1"
    )
    place.run(full_check=True, reread=["pairs"])
    place.require_same()
    for shard, replica in ((1, 2), (2, 1)):
        with database.connect(shard=shard, replica=replica) as elsewhere:
            place.clickhouse = elsewhere
            place.require_same()
            assert place.run() == {"parents": 0, "pairs": 0, "words": 0}
    counts = database.counts("shop_parents_versions")
    assert 0 < counts[1, 1] < 240
    assert counts[1, 1] == counts[1, 2]
