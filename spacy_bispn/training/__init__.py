"""Trainings that survive a stop, calibration of scores, and what a pipeline forgets when it learns on."""
