"""Checks of what readers see: rules in SQL, a row of a table for what each has found, an error."""
