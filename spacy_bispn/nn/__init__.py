"""The network, its losses and matching, in pure torch."""
