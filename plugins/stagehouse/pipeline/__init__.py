"""What all DAGs share: defaults, params, the context of a run, and tasks that are alike for all sources."""
