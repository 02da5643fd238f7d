"""The seam between spaCy, thinc and the network: windows, encoders, targets, decoding and weights."""
