"""A shop: its aggregates and reports in ClickHouse, and the rules that they are held to."""
