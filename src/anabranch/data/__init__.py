"""Datasets: formats, frames, contracts, atomic publication, incremental reading."""
