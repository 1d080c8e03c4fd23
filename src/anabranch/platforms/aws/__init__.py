"""AWS: Step Functions start the steps in their order, Lambda runs them, S3 holds what is built and what they write."""
