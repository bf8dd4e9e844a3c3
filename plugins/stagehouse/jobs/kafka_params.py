"""The params of the DAGs that read a topic, as the form in Airflow's UI shows them."""

from __future__ import annotations

from airflow.sdk import Param

from include.kafka.request import MAX_MESSAGES, MAX_REJECTED, TOPIC


def topic_params(topic: str, *formats: str) -> dict[str, Param]:
    """Return the params. Args: topic, the default; formats, that its messages may have."""
    return {
        "topic": Param(topic, type="string", pattern=TOPIC, title="Topic", description="Its name in Kafka."),
        "format": Param(
            formats[0],
            type="string",
            enum=list(formats),
            title="Format",
            description="Of the messages. dashed: ACTION-description-created-start-end.",
        ),
        "start_from": Param(
            "earliest",
            type="string",
            enum=["earliest", "latest"],
            title="Start from",
            description="Of a topic that no run has read: its first message, or those that come from now on.",
        ),
        "max_messages": Param(
            1_000_000,
            type="integer",
            minimum=1,
            maximum=MAX_MESSAGES,
            title="Messages of a run",
            description="Where there are more, another run follows at once.",
        ),
        "max_rejected": Param(
            1000,
            type="integer",
            minimum=0,
            maximum=MAX_REJECTED,
            title="Messages that may be dead letters",
            description=f"With more of them the run fails before anything is loaded; 0 to {MAX_REJECTED}.",
        ),
        "accept_loss": Param(
            "",
            type=["null", "string"],
            title="Accept a loss",
            description="Ranges deleted unread, as the error names them: topic/partition:from-to.",
        ),
        "accept_recreated": Param(
            default=False,
            type="boolean",
            title="Accept a topic that was made anew",
            description="It is read from its beginning, as the next epoch.",
        ),
    }
