"""Stagehouse's part of Airflow: hooks, the code its DAGs share, their jobs, and pages in the UI.

One name of its own on Python's path.
"""
