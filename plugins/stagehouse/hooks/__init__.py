"""Airflow connection -> client, one hook a service."""
