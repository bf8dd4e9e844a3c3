-- How counters that fall were read: "correct" or "reset". What is older than this column was read by "reset".
ALTER TABLE phrases_views_by_hour ADD COLUMN falls String DEFAULT 'reset';
