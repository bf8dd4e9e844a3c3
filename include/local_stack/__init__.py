"""The whole stack on one machine without Docker: Postgres, stand-ins of APIs, Airflow as child processes.

`python -m include.local_stack run | up | down`; the Makefile's targets of the same names call it.

Every component leads a session of its own and works inside the state directory: that pair finds whatever a
component forked, also after its leader was killed, so that nothing is ever left running.
"""
