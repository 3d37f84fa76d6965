"""Questions in SQL: the views over a lake, and one .sql file a question."""
