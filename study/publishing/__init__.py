"""Takes encoders out of a study: as files with a model card, or into a registry."""
