"""Scores of extractions: conventions of the field, intervals, error analysis and the registered scorer."""
