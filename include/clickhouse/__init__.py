"""ClickHouse, as a server on the native protocol or embedded: exact loads of staged rows."""
