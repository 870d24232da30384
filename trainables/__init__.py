"""One trial as a function of its config: data, views, training, attacks.

Needs torch and torchvision alone, so that a trial runs, and can be debugged,
benchmarked and attacked, where Ray, Optuna and MLflow are absent.
"""
