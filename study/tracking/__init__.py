"""MLflow as a view of the trials' folders that can be rebuilt at any time."""
