# Airflow with this project inside. The slim image: its packages are only Airflow's core, all others come from the lock.
FROM apache/airflow:slim-3.3.2-python3.11

COPY --chown=airflow:0 requirements.lock /tmp/requirements.lock
RUN pip install --no-cache-dir --require-hashes -r /tmp/requirements.lock && pip check

# Made here so that named volumes mounted on them belong to the airflow user.
RUN mkdir -p /opt/airflow/data/staging /opt/airflow/data/reports /opt/airflow/data/auth

COPY --chown=airflow:0 include /opt/airflow/include
COPY --chown=airflow:0 plugins /opt/airflow/plugins
COPY --chown=airflow:0 dags /opt/airflow/dags

ENV PYTHONPATH=/opt/airflow:/opt/airflow/plugins \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/airflow/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/airflow/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False

USER airflow
