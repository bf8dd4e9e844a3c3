"""Messages of Kafka topics: micro-batches of offsets that are decided before they are read.

options, session: the client. request, plan, ledger: which offsets. messages, events, sessions: rows. staging:
a batch as files; what publishes them is in include.clickhouse.
"""
