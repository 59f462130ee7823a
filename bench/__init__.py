"""Seeded data, contenders and measurements."""
