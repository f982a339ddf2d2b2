"""Who may be sent what, and when, by cited rules: pure, from facts and an instant to a decision."""
