"""Trainings that survive a stop: spaCy's training loop, whose whole state is saved at each evaluation. And what
follows a training: calibration, and a comparison of the pipeline before and after.
"""
