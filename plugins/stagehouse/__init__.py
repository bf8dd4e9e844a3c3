"""What Stagehouse adds to Airflow: hooks, and pages in the UI. One name of its own on Python's path."""
