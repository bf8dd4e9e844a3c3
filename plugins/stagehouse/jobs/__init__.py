"""The work of each DAG's own tasks, in a module that is named as the DAG."""
