"""Methods compared at equal budgets, over seeds."""
