"""Chains themselves, in one dimension: Euler–Maruyama's, and minibatch SGD's."""
