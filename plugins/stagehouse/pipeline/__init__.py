"""The code that all DAGs share: defaults, params, the context of a run, and tasks alike for all sources."""
