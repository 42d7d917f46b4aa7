"""Many trainings: what is missing, side by side, watched and logged."""
