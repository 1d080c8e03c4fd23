"""Any executable."""
