"""What the workflows do: plain Python and SQL, one package a subject, free of Airflow."""
