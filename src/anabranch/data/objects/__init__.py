"""Storage in S3, GCS or Azure: its datasets are mirrored in a folder of this machine, and published from there."""
