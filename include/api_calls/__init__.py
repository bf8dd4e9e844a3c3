"""A file of rows, each one call to a rate-limited API, at most once for what must not be repeated.

request     what a run is asked for
recipe      how a row becomes a request; columns: what its cells may hold
rows        the rows of a file, streamed; staging: the whole file checked before the first call
sender      one row sent, and what became of it; rules: how the API is asked
marks       which rows may have been sent, written down before they are; outcomes: what is known of each
calls       all rows in order, resumed after a kill
earlier     what earlier runs have done already
table, results, progress, verdict    what people see of it
"""
