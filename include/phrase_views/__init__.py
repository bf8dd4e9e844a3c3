"""Views of search phrases by hour, from running counters."""
