"""Storms: many messages, workers killed, frozen and lied to, until the queue is empty; then everything is counted.

``python -m tests.soak`` runs one storm after another; the suite runs a short one.
"""
