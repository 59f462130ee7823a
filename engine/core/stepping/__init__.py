"""The steps of the mapping language: one plain-Python reference a step, one kernel a column, equal by test."""
