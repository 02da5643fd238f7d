"""Checks before a training: problems of a corpus, recommended settings, near-duplicate texts."""
