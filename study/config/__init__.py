"""What a study file says, checked whole before anything runs."""

from study.config.sections import Budget, EarlyStopping, Resources, Tracking, early_stopping
from study.config.study import StudyConfig

__all__ = ["Budget", "EarlyStopping", "Resources", "StudyConfig", "Tracking", "early_stopping"]
