"""Launches, schedules, tracks and resumes studies; the command line."""
