"""Airflow 3: one static DAG file for each pipeline, delivered to its folder and driven by its REST API."""
