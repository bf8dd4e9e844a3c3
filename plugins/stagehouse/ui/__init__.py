"""The web app in Airflow's API server: it serves the pages that the DAGs rendered under `reports_root`."""
