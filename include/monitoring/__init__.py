"""What is late, what is wrong, how much is left: facts, their metrics, rules and dashboard."""
