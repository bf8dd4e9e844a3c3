"""The import of counters of phrases: files that other systems leave in the inbox."""
