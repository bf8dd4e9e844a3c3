"""Tests: unit beside the tree, integration on real servers, dags on Airflow's own parser and runner."""
