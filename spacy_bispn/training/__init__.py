"""Trainings that survive a stop: spaCy's training loop, whose whole state is saved at each evaluation."""
