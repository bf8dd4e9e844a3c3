"""Pages that people look at: self-contained HTML and files to keep, one directory a day."""
