"""Deployment: what should be on a platform, how that differs from what is, and making it so."""
