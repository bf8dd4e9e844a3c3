"""A stand-in of Kafka for the local stack: librdkafka's own mock cluster, with sample messages.

It has no transactions, no deletion of records, and forgets all when it ends: nothing to judge semantics by.
"""
