"""Reads studies from MLflow or from their folders, computes frontiers, draws and tabulates. Needs no Ray."""
