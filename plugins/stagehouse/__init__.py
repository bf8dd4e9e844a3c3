"""What Stagehouse adds to Airflow: hooks, what its DAGs share and do, and pages in the UI.

One name of its own on Python's path.
"""
