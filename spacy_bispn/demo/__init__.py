"""A generated corpus of biomedical sentences, the same for the same seed."""
