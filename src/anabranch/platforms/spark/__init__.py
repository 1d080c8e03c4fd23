"""Spark applications, by spark-submit."""
