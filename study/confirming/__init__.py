"""Retrains the frontier's configurations and attacks them on the test images."""
