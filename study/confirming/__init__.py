"""Trains a study's best again under new seeds: to see what of their figures is luck, or to confirm them."""
