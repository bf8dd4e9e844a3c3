"""Files that other systems leave in the inbox: which one may be read, and its lines."""
